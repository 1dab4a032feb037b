"""Many documents in one request: each is taken as it would be alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.representations import batches, submissions
from shared.core.documents import DocumentId, JsonText
from shared.core.json.strict import Fault, FaultError
from shared.core.protocol import Limits

LIMITS = Limits(max_document_bytes=2000, max_depth=5, max_batch_documents=20)

# Texts of one member's value, most of them wrong in one way.
TEXTS = [
    '{"client_state": null}',
    '{"client_state": {"id": "%s", "n": 1}}',
    '{"client_state": {"id": "%s", "n": 1.0}, "base": "0"}',
    '{"client_state": {"id": "%s", "text": "a:b, {[{[{[{[ \\u003a"}}',
    '{"client_state": {"id": "%s"}, "base": "1-x", "base_state": null}',
    '{"client_state": {"id": "%s", "a": [[[[]]]]}}',
    '{"client_state": {"id": "%s", "a": [[[[[]]]]]}}',
    '{"client_state": {"id": "%s", "n": 12345678901234567890}}',
    '{"client_state": {"id": "%s", "a": 1, "a": 2}}',
    '{"client_state": {"id": "%s", "a": "\\ud800"}}',
    '{"client_state": {"id": "%s", "a\\u0000": 1}}',
    '{"client_state": {"id": "%s", "n": NaN}}',
    '{"client_state": {"id": "another"}}',
    '{"client_state": {"n": 1}}',
    '{"client_state": 7}',
    '{"client_state": {"id": "%s"}, "base": 7}',
    '{"client_state": {"id": "%s"}, "base_state": []}',
    '{"client_state": {"id": "%s"}, "unknown": 1}',
    '{"client_state": {"id": "%s", "long": "' + 3000 * "x" + '"}}',
    "{}",
    "[]",
]


def alone(text: str, identity: str) -> submissions.PostTask | Fault:
    try:
        return submissions.parse_post_task(text.encode(), DocumentId(identity), LIMITS)
    except FaultError as error:
        return error.fault


def _values(posted: batches.Posted) -> batches.Posted:
    """With texts read."""
    if isinstance(posted, Fault):
        return posted

    def value(state: Any) -> Any:
        return json.loads(state) if isinstance(state, JsonText) else state

    assert not isinstance(posted.state, dict) and not isinstance(posted.base_state, dict)
    return replace(posted, state=value(posted.state), base_state=value(posted.base_state))


@given(st.lists(st.sampled_from(TEXTS), max_size=8))
@example([TEXTS[1], TEXTS[8], TEXTS[2]])
def test_each_is_taken_as_it_would_be_alone(texts: list[str]) -> None:
    members = {f"d{i}": text.replace("%s", f"d{i}") for i, text in enumerate(texts)}
    raw = '{"tasks": {' + ", ".join(f'"{key}": {text}' for key, text in members.items()) + "}}"
    found = batches.parse_post_tasks(raw.encode(), LIMITS)
    assert list(found) == list(members)
    for together in (batches._TOGETHER_BYTES, 0):
        with patch.object(batches, "_TOGETHER_BYTES", together):
            apart = batches.parse_post_tasks_apart(raw.encode(), LIMITS)
        assert {key: _values(posted) for key, posted in apart.items()} == found
        assert list(apart) == list(found)
    for key, text in members.items():
        expected, got = alone(text, key), found[key]
        if isinstance(expected, Fault):
            assert isinstance(got, Fault)
            assert (got.reason, got.pointer) == (expected.reason, f"/tasks/{key}{expected.pointer or ''}")
        else:
            assert got == expected


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"tasks": {"a": {"client_state": null}}',
        b'{"tasks": []}',
        b"[]",
        b'{"tasks": {}, "more": 1}',
        b"\xff",
        b'{"tasks": ' + 100_000 * b"[",
        b'{"tasks": {}, "tasks": {}}',
    ],
)
def test_what_has_another_form_is_refused_as_a_whole(raw: bytes) -> None:
    with pytest.raises(FaultError) as found:
        batches.parse_post_tasks(raw, LIMITS)
    with pytest.raises(FaultError) as apart:
        batches.parse_post_tasks_apart(raw, LIMITS)
    assert apart.value.fault == found.value.fault


def test_too_many_are_refused_as_a_whole() -> None:
    tasks: dict[str, Any] = {f"d{i}": {"client_state": None} for i in range(21)}
    with pytest.raises(FaultError, match="20 documents"):
        batches.parse_post_tasks(json.dumps({"tasks": tasks}).encode(), LIMITS)
    with pytest.raises(FaultError, match="20 documents"):
        batches.parse_post_tasks_apart(json.dumps({"tasks": tasks}).encode(), LIMITS)


def test_an_id_that_is_none_and_one_that_comes_twice_fail_alone() -> None:
    raw = b'{"tasks": {"a/b": {"client_state": null}, "c": {"client_state": null}, "c": {"client_state": null}}}'
    found = batches.parse_post_tasks(raw, LIMITS)
    assert batches.parse_post_tasks_apart(raw, LIMITS) == found
    assert isinstance(found["a/b"], Fault) and found["a/b"].pointer == "/tasks/a~1b"
    assert isinstance(found["c"], Fault) and found["c"].reason == "duplicate key"
