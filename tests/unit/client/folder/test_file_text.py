"""The laws of client.folder.file_text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.folder.file_text import body_of, exact_text_of, text_of
from shared.core.documents import DocumentId
from shared.core.json.canonical import canonical, equal
from shared.core.json.strict import FaultError
from shared.core.protocol import Limits
from shared.testing.strategies import documents, respelled

ID = DocumentId("the-document")


@given(documents())
def test_it_says_the_body(body: dict[str, object]) -> None:
    read, form = body_of(text_of(body), ID, Limits())
    assert equal(read, body)
    assert form == canonical(body)


@given(st.data(), documents())
def test_equal_bodies_have_equal_texts(data: st.DataObject, body: dict[str, object]) -> None:
    other = data.draw(respelled(body))
    assert text_of(body) == text_of(other)


@given(documents())
def test_the_quick_road_is_the_exact_one(body: dict[str, object]) -> None:
    assert text_of(body) == exact_text_of(body)


@pytest.mark.parametrize(
    "body",
    [
        {"id": "x"},
        {"a": 1, "id": "x"},
        {"id": "x", "z": 1},
        {"a": {"id": "y"}, "id": "x", "z": {"id": 1.0}},
        {"a": "1.0", "id": "x", "z": 1e16, "y": -0.0},
        {"a": [1e15, 2.0**53 - 1], "id": "x", "n": 2.0**53, "z": 1e-5},
        {"a": '\n  "id": "y",', "id": "x"},
    ],
)
def test_the_quick_road_wherever_the_id_stands(body: dict[str, object]) -> None:
    assert text_of(body) == exact_text_of(body)


def test_as_people_see_it() -> None:
    body = {"tags": ["b", "a"], "description": "Müll", "id": "the-document", "n": 1.0}
    assert text_of(body).decode() == (
        '{\n  "id": "the-document",\n  "description": "Müll",\n  "n": 1,\n  "tags": [\n    "b",\n    "a"\n  ]\n}\n'
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ('{"id": "the-doc', "malformed JSON"),
        ("<<<<<<< HEAD\n{}\n=======\n", "malformed JSON"),
        ('{"id": "the-document", "a": 1, "a": 2}', "duplicate key"),
        ('{"id": "the-document", "a": 9007199254740993}', "number out of range"),
        ('{"id": "the-document", "a": NaN}', "not a JSON number"),
        ('{"id": "another"}', "id mismatch"),
        ('{"a": 1}', "id missing"),
        ("[]", "not an object"),
        ('{"id": "the-document", "_deleted": true}', "marked as deleted"),
    ],
)
def test_what_is_no_document(text: str, reason: str) -> None:
    with pytest.raises(FaultError) as caught:
        body_of(text.encode(), ID, Limits())
    assert caught.value.fault.reason == reason


def test_a_byte_order_mark_is_no_fault() -> None:
    assert body_of(b'\xef\xbb\xbf{"id": "the-document"}', ID, Limits())[0] == {"id": "the-document"}


@pytest.mark.parametrize(
    ("spellings", "value"),
    [
        (["1e17", "100000000000000000", "100000000000000000.0", "1E+17"], 1e17),
        (["9223372036854775808", "9223372036854776000", "9.223372036854775808e18"], 2.0**63),
        (["-9007199254740992", "-9007199254740992.0"], -(2.0**53)),
        (["0", "-0", "-0.0", "0e9"], 0),
    ],
)
def test_a_number_may_be_spelt_in_any_way(spellings: list[str], value: float) -> None:
    bodies = [body_of(b'{"id": "the-document", "n": %s}' % text.encode(), ID, Limits()) for text in spellings]
    for body, form in bodies:
        assert body == {"id": "the-document", "n": value}
        assert form == canonical({"id": "the-document", "n": value})
        assert body_of(text_of(body), ID, Limits())[1] == form
    assert len({text_of(body) for body, _ in bodies}) == 1
