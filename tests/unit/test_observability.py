"""Log lines name the requests that they are about."""

from __future__ import annotations

import json
import logging
from typing import Any

from shared import observability
from shared.observability import begin_request, on_behalf_of, request_id


def line_of(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(observability._JsonLines().format(record))
    return found


def logged() -> dict[str, Any]:
    record = logging.makeLogRecord({"msg": "something", "fields": {"count": 2}})
    return {key: value for key, value in line_of(record).items() if key.startswith("request")}


async def test_a_line_is_about_one_request_or_several_or_none() -> None:
    assert (logged(), request_id()) == ({}, None)
    begin_request("r1")
    assert (logged(), request_id()) == ({"request_id": "r1"}, "r1")
    with on_behalf_of(["r2", None, "r3", "r2"]):
        assert (logged(), request_id()) == ({"request_ids": ["r2", "r3"]}, None)
        with on_behalf_of(["r3"]):
            assert logged() == {"request_id": "r3"}
        with on_behalf_of([None]):
            assert logged() == {}
    assert request_id() == "r1"


def test_work_that_takes_long_is_logged_where_other_work_is_not() -> None:
    assert [observability.level_of(seconds) for seconds in (0.1, 1.0)] == [logging.DEBUG, logging.INFO]
