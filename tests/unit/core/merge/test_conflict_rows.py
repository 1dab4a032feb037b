from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.json.canonical import canonical
from shared.core.json.values import ABSENT
from shared.core.merge.conflict_rows import MAX_CONFLICT_VALUE_BYTES, MAX_CONFLICTS, conflict_rows, redacted
from shared.core.merge.conflicts import Conflict
from shared.core.merge.policies import NO_POLICIES, parse

KEYS = st.sampled_from(["a", "b", "password"])
VALUES = st.recursive(
    st.sampled_from(["SECRET", 1, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def test_rows_show_what_there_was() -> None:
    rows = conflict_rows([Conflict("/a", 1, ABSENT, "edit-beats-removal")], NO_POLICIES)
    assert rows == ({"path": "/a", "rule": "edit-beats-removal", "kept": 1},)


@pytest.mark.parametrize(
    ("pattern", "path", "value", "left"),
    [
        ("/password", "/password", "SECRET", ABSENT),
        ("/password", "/password/old", "SECRET", ABSENT),
        ("/account/password", "/account", {"password": "SECRET", "user": "u"}, {"user": "u"}),
        ("/account/password", "", {"account": {"password": "SECRET"}, "x": 1}, {"account": {}, "x": 1}),
        ("/accounts/*/password", "/accounts", [{"password": "SECRET"}, {"user": "u"}], [{}, {"user": "u"}]),
        ("/accounts/*/password", "/accounts/1", {"password": "SECRET", "user": "u"}, {"user": "u"}),
        ("/vault/**", "", {"vault": {"deep": ["SECRET"]}, "x": 1}, {"x": 1}),
        ("/vault/*", "/vault", {"one": "SECRET"}, {}),
        ("", "/any", "SECRET", ABSENT),
    ],
)
def test_secrets_are_left_out_wherever_they_are(pattern: str, path: str, value: Any, left: Any) -> None:
    policies = parse({pattern: ["lww", "secret"]})
    (row,) = conflict_rows([Conflict(path, value, value, "clock")], policies)
    assert b"SECRET" not in canonical(dict(row))
    sides = {} if left is ABSENT else {"kept": left, "dropped": left}
    assert row == {"path": path, "rule": "clock", "redacted": True, **sides}
    assert redacted(row, policies) == row
    open_row = conflict_rows([Conflict(path, value, value, "clock")], NO_POLICIES)[0]
    assert redacted(open_row, policies) == row, "a policy that came later counts, too"


def test_other_values_stay() -> None:
    (row,) = conflict_rows([Conflict("/a", [1, {"b": 2}], "x", "clock")], parse({"/password": "secret"}))
    assert row == {"path": "/a", "rule": "clock", "kept": [1, {"b": 2}], "dropped": "x"}


@given(VALUES)
def test_no_secret_gets_out_and_nothing_else_is_lost(value: Any) -> None:
    policies = parse({f"/{'*/' * depth}password": "secret" for depth in range(7)} | {"/doc/**": "lww"})
    (row,) = conflict_rows([Conflict("/doc", value, ABSENT, "clock")], policies)

    def public(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: public(member) for key, member in part.items() if key != "password"}
        return [public(member) for member in part] if isinstance(part, list) else part

    assert row.get("kept", ABSENT) == public(value)
    assert ("redacted" in row) == (public(value) != value)


def test_large_values_are_left_out() -> None:
    (row,) = conflict_rows([Conflict("/a", "x" * MAX_CONFLICT_VALUE_BYTES, 2, "clock")], NO_POLICIES)
    assert row == {"path": "/a", "rule": "clock", "elided": True, "dropped": 2}


def test_there_are_not_too_many() -> None:
    many = [Conflict(f"/{n}", 1, 2, "clock") for n in range(MAX_CONFLICTS + 5)]
    assert [row["path"] for row in conflict_rows(many, NO_POLICIES)] == [f"/{n}" for n in range(MAX_CONFLICTS)]
