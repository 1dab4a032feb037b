"""The laws of client.folder.file_names."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from client.folder.file_names import document_of, file_name, is_copy, meant_by
from shared.core.documents import DocumentId, is_document_id

ALPHABET = "ABCXYZabcxyz0189._~-"
WORDS = (
    "con",
    "CON",
    "aux",
    "lpt1",
    "nul.",
    ".sync-conflict-20260101-120000-ABCDEFG",
    "_conflict-20260101",
    ".conflict",
)
texts = st.one_of(
    st.text(ALPHABET, min_size=1, max_size=128),
    st.text("aA", min_size=1, max_size=4),
    st.lists(st.one_of(st.sampled_from(WORDS), st.text(ALPHABET, max_size=4)), min_size=1, max_size=4)
    .map("".join)
    .filter(bool),
)
ids = texts.filter(is_document_id).map(DocumentId)


@given(ids)
@example(DocumentId("Conflict-Plan"))
@example(DocumentId("A" * 128))
@example(DocumentId("..."))
def test_a_name_says_whose_file_it_is(document: DocumentId) -> None:
    name = file_name(document)
    assert document_of(name) == meant_by(name) == document
    assert not is_copy(name)
    assert len(name) <= 167
    assert name == name.lower()
    assert re.match(r"[=a-z0-9_]", name) and name.endswith(".json")
    assert not re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", name)


@given(ids, ids)
@example(DocumentId("a"), DocumentId("A"))
def test_two_ids_never_meet_on_a_disk_that_ignores_case(a: DocumentId, b: DocumentId) -> None:
    assert (a == b) == (file_name(a).casefold() == file_name(b).casefold())


@given(st.text(ALPHABET + "= ()", max_size=12).map(lambda stem: stem + ".json"))
def test_a_document_has_one_name(name: str) -> None:
    document = document_of(name)
    assert document is None or file_name(document) == name


def test_what_nearly_all_ids_look_like() -> None:
    for text in ("pb67wndxge8293xd", "5f0c1e9a-3f5e-4c39-9f9e-0a6b3a2f1c11", "a.b", "x~1"):
        assert file_name(DocumentId(text)) == f"{text}.json"
    assert file_name(DocumentId("Fix-Me")) == "fix-me=11.json"
    assert file_name(DocumentId(".hidden")) == "=.hidden.json"
    assert file_name(DocumentId("con")) == "=con.json"


@pytest.mark.parametrize(
    "name",
    [
        "x.sync-conflict-20260101-120000-ABCDEFG.json",
        "x (conflicted copy).json",
        "x (Ann's conflicted copy 2026-01-01).json",
        "x (1).json",
        "x (copy).json",
        "x (another copy).json",
        "x (3rd copy).json",
        "x copy.json",
        "x copy 2.json",
        "x - Copy.json",
        "x_conflict-20260101-120000.json",
        "x.Conflict.json",
    ],
)
def test_copies_of_other_tools_are_nobody_s_file(name: str) -> None:
    assert is_copy(name)
    assert document_of(name) is None
    assert meant_by(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "x.txt",
        "x.JSON",
        "x.json~",
        "X.json",
        "x=0.json",
        "x=g.json",
        "a b.json",
        ".json",
        "=x.json",
        "=..json",
        "=...json",
        "..json",
        "...json",
    ],
)
def test_names_that_no_file_has(name: str) -> None:
    assert document_of(name) is None


def test_whom_a_wrong_name_means() -> None:
    assert meant_by("Fix.json") == "Fix"
    assert meant_by("=x.json") == "x"
    assert meant_by("a b.json") is None


@pytest.mark.parametrize("identity", [".", "..", "../up", "a/b", "", "a" * 129, "a\n"])
def test_what_is_no_id_has_no_file(identity: str) -> None:
    """Another program may name it; a name that leads out of the folder is never made of it."""
    with pytest.raises(ValueError, match="not an id"):
        file_name(DocumentId(identity))
