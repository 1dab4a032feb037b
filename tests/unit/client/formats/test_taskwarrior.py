"""Tasks to documents and back: nothing is lost, whatever the attributes are called."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from client.formats.taskwarrior_export import documents_of
from client.formats.taskwarrior_fields import (
    COMPUTED,
    RESERVED,
    NotATaskwarriorTaskError,
    document_id,
    from_taskwarrior,
    keep_computed,
    to_taskwarrior,
)
from shared.core.documents import is_document_id
from shared.core.merge.clock import clock

UUID = "2b7b3f5c-8a39-4d9a-9d7e-2f7e4f0f8a11"
EXPORT = Path(__file__).parent / "taskwarrior_export.json"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
# Also moments that are none: the 31st of a short month, the 25th hour.
moments = st.builds(
    "{:04}{:02}{:02}T{:02}{:02}{:02}Z".format,
    st.integers(0, 9999),
    st.integers(0, 13),
    st.integers(0, 32),
    st.integers(0, 24),
    st.integers(0, 60),
    st.integers(0, 60),
)
extended = moments.map(lambda m: f"{m[:4]}-{m[4:6]}-{m[6:11]}:{m[11:13]}:{m[13:]}")
dates = moments | extended
prefixed = st.builds(
    lambda n, name: "taskwarrior_" * n + name, st.integers(0, 3), st.sampled_from([*sorted(RESERVED), "x", ""])
)
hostile_names = prefixed | st.sampled_from(["$set", "a.b", "", "modified ", "uuid2", "urgency", "__proto__"]) | texts
names = hostile_names.filter(lambda name: name != "uuid")
tasks = st.builds(
    lambda rest, known, uuid: {**rest, **known, "uuid": str(uuid)},
    st.dictionaries(names, values | dates, max_size=8),
    st.fixed_dictionaries(
        {},
        optional={
            "id": st.integers(0, 9999),
            "modified": dates | values,
            "due": dates,
            "urgency": st.floats(-10, 100),
            "depends": st.lists(st.uuids().map(str), max_size=2) | st.uuids().map(str),
            "annotations": st.lists(st.fixed_dictionaries({"entry": dates, "description": texts}), max_size=2),
        },
    ),
    st.uuids(),
)


def same(a: Any, b: Any) -> bool:
    """Equal as JSON; for Python True is 1."""
    return rfc8785.dumps(a) == rfc8785.dumps(b)


@settings(deadline=None)
@given(tasks)
@example({"uuid": UUID, "modified": "2026-01-01T12:00:00Z"})
@example({"uuid": UUID, "modified": "2026-01-01T12:00:00Z", "taskwarrior_modified": "2026-01-01T12:00:00Z"})
@example({"uuid": UUID, "modified": "20260101T120000Z", "taskwarrior_modified": "2026-01-01T12:00:00Z"})
@example({"uuid": UUID, "modified": "20260230T120000Z"})
@example({"uuid": UUID, "modified": "２０２６0101T120000Z"})
@example({"uuid": UUID.upper(), "id": 5, "taskwarrior_id": 6, "taskwarrior_taskwarrior_id": 7})
@example({"uuid": UUID, "_deleted": True, "updated_at": "20990101T000000Z"})
def test_back_is_what_it_was(task: dict[str, Any]) -> None:
    assert same(to_taskwarrior(from_taskwarrior(task)), task)


@settings(deadline=None)
@given(tasks)
def test_no_attribute_disappears_and_none_is_read_as_something_else(task: dict[str, Any]) -> None:
    document = from_taskwarrior(task)
    assert is_document_id(document["id"])
    assert "_deleted" not in document
    assert "updated_at" not in document
    assert len(document) in (len(task) + 1, len(task) + 2)  # the id, and perhaps the mark of another form
    for name, value in task.items():
        if name not in RESERVED and not name.startswith("taskwarrior_"):
            assert same(document[name], value)


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_the_clock_is_the_modification_time_in_rfc_3339(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    basic = f"{moment.year:04}{moment:%m%dT%H%M%SZ}"
    document = from_taskwarrior({"uuid": UUID, "modified": basic, "updated_at": "20380101T000000Z"})
    assert document["modified"] == f"{moment.year:04}{moment:-%m-%dT%H:%M:%SZ}"
    assert clock(document) == moment.timestamp()


def test_a_real_export_comes_back() -> None:
    exported = json.loads(EXPORT.read_bytes())
    documents = documents_of(EXPORT.read_bytes())
    assert len(documents) == len(exported) >= 30
    assert [to_taskwarrior(document) for document in documents.values()] == exported


def test_the_real_export_has_every_attribute_that_there_is() -> None:
    seen = {name for task in json.loads(EXPORT.read_bytes()) for name in task}
    assert seen == {
        *("annotations", "depends", "description", "due", "end", "entry", "id", "imask", "mask", "modified"),
        *("parent", "priority", "project", "recur", "rtype", "scheduled", "start", "status", "tags", "until"),
        *("urgency", "uuid", "wait"),
        *("client", "effort", "estimate", "reviewed", "size", "left_over"),  # user-defined, the last an orphan
    }


def test_what_stands_where() -> None:
    task = {"id": 7, "uuid": UUID, "entry": "20260101T120000Z", "modified": "20260102T130000Z", "urgency": 1.5}
    assert from_taskwarrior(task) == {
        "id": UUID,
        "taskwarrior_id": 7,
        "uuid": UUID,
        "entry": "20260101T120000Z",
        "modified": "2026-01-02T13:00:00Z",
        "urgency": 1.5,
    }


def test_what_means_something_to_the_server_is_not_taken_over() -> None:
    task = {"uuid": UUID, "_deleted": True, "updated_at": "20380101T000000Z", "taskwarrior_id": "mine"}
    assert from_taskwarrior(task) == {
        "id": UUID,
        "uuid": UUID,
        "taskwarrior__deleted": True,
        "taskwarrior_updated_at": "20380101T000000Z",
        "taskwarrior_taskwarrior_id": "mine",
    }


def test_an_edit_by_another_client_reaches_taskwarrior() -> None:
    document = from_taskwarrior({"uuid": UUID, "modified": "2026-01-02T13:00:00Z", "description": "a"})
    document |= {"modified": "2026-02-02T13:00:00Z", "description": "b"}
    assert to_taskwarrior(document) == {"uuid": UUID, "modified": "20260202T130000Z", "description": "b"}


@settings(deadline=None)
@given(tasks, values)
def test_the_id_depends_on_the_uuid_alone(task: dict[str, Any], value: Any) -> None:
    assert document_id(task) == document_id({"uuid": task["uuid"].upper(), "description": value})


def test_a_dependency_names_a_document() -> None:
    documents = documents_of(EXPORT.read_bytes())
    named = [other for document in documents.values() for other in document.get("depends", [])]
    assert named
    assert set(named) <= set(documents)


@pytest.mark.parametrize(
    "task", [{}, {"uuid": None}, {"uuid": 5}, {"uuid": ""}, {"uuid": "x"}, {"uuid": UUID + "\n"}]
)
def test_without_a_uuid_it_is_no_task(task: dict[str, Any]) -> None:
    with pytest.raises(NotATaskwarriorTaskError, match="uuid"):
        from_taskwarrior(task)


# --- the numbers that Taskwarrior works out ----------------------------------------------------------------


def task_at(modified: str | None, **rest: Any) -> dict[str, Any]:
    return from_taskwarrior({"uuid": UUID, **rest} | ({"modified": modified} if modified else {}))


OLD, NEW = "20260101T000000Z", "20260102T000000Z"


def test_numbers_alone_make_no_edit() -> None:
    stored = task_at(OLD, id=3, urgency=1.0, description="a")
    exported_later = task_at(OLD, id=9, urgency=1.5, description="a")
    assert keep_computed(exported_later, stored) == stored


def test_numbers_follow_an_edit() -> None:
    stored = task_at(OLD, id=3, urgency=1.0, description="a")
    edited = task_at(NEW, id=9, urgency=1.5, description="b")
    assert keep_computed(edited, stored) == edited


def test_an_export_that_is_behind_is_what_it_was_when_it_was_sent() -> None:
    sent_before = task_at(OLD, id=3, urgency=1.0, description="a")
    stored = {**sent_before, "modified": "2026-01-02T00:00:00Z", "description": "edited on the telephone"}
    exported_later = task_at(OLD, id=9, urgency=1.5, description="a")
    assert keep_computed(exported_later, stored) == sent_before


@settings(deadline=None)
@given(tasks, tasks)
def test_only_computed_attributes_are_touched(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    a, b = from_taskwarrior(mine), from_taskwarrior(theirs)
    kept = keep_computed(a, b)
    assert {k: v for k, v in kept.items() if k not in COMPUTED} == {k: v for k, v in a.items() if k not in COMPUTED}
    assert all(kept.get(name) in (a.get(name), b.get(name)) for name in COMPUTED)
