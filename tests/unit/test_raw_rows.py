"""Rows whose bytes are looked through for what they hold give what the driver makes of them."""

from __future__ import annotations

from typing import Any

import pytest
from bson import encode

from shared.adapters.mongodb import raw_rows
from shared.adapters.mongodb.raw_rows import live_in
from shared.core.documents import SpaceId

SPACE = SpaceId("s.1")
HASHES = ("0123456789abcdef" * 2, "f" * 32)
PLAIN = [{"_id": f"{SPACE}/{'d' * n}", "hash": HASHES[n % 2]} for n in (1, 2, 200, 33)]


def read(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(document.decode(), hash_.decode()) for document, hash_ in live_in(b"".join(map(encode, rows)), SPACE)]


def expected(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(row["_id"].removeprefix(f"{SPACE}/"), row["hash"]) for row in rows]


def test_rows_as_they_are_need_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(raw_rows, "decode_all")
    assert read([]) == []
    assert read(PLAIN) == expected(PLAIN)


@pytest.mark.parametrize(
    "other",
    [
        {"_id": f"{SPACE}/b", "hash": "short"},
        {"_id": f"{SPACE}/b", "hash": HASHES[0] + "0"},
        {"hash": HASHES[0], "_id": f"{SPACE}/b"},
        {"_id": f"{SPACE}/b", "hash": HASHES[0], "more": 1},
        {"_id": f"{SPACE}/b", "before": {"_id": f"{SPACE}/c", "hash": HASHES[1]}, "hash": HASHES[0]},
        {"_id": f"{SPACE}/b", "hash": HASHES[0], "after": {"_id": f"{SPACE}/c", "hash": HASHES[1]}},
    ],
)
def test_rows_of_another_form_are_read_by_the_driver(other: dict[str, Any]) -> None:
    rows = [PLAIN[0], other, PLAIN[1]]
    assert read(rows) == expected(rows)
