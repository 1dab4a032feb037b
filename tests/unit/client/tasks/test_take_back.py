from __future__ import annotations

from typing import Any

import pytest

from client.tasks.take_back import TakeBackError, taken_back

BODY = {"id": "a", "x": 1, "deep": {"list": [1, 2]}}


def conflict(path: str, **row: Any) -> dict[str, Any]:
    return {"path": path, "rule": "arriving", **row}


def test_the_dropped_value_is_put_back_and_nothing_else_changes() -> None:
    assert taken_back(BODY, [conflict("/x", dropped=2)]) == {**BODY, "x": 2}
    assert taken_back(BODY, [conflict("/x")]) == {"id": "a", "deep": {"list": [1, 2]}}
    assert taken_back(BODY, [conflict("/deep/list/1", dropped=9)]) == {**BODY, "deep": {"list": [1, 9]}}
    assert taken_back(BODY, [conflict("/deep/list/-", dropped=[3])]) == {**BODY, "deep": {"list": [1, 2, 3]}}
    assert taken_back(BODY, [conflict("/a~1b", dropped=0)]) == {**BODY, "a/b": 0}
    assert BODY["x"] == 1


@pytest.mark.parametrize(
    "row",
    [
        conflict("", dropped={}),
        conflict("/id", dropped="b"),
        conflict("/x", redacted=True),
        conflict("/gone/below", dropped=1),
        conflict("/deep/list/7", dropped=1),
    ],
)
def test_what_cannot_be_put_back_is_said(row: dict[str, Any]) -> None:
    with pytest.raises(TakeBackError):
        taken_back(BODY, [row])
