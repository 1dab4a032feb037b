"""What is large to decide: told by texts where they suffice, as by looking at every value."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import codec
from shared.core.documents import ContentHash, DocumentId, SequenceNumber
from shared.core.json.values import weigh
from shared.core.resolution.context import DocumentContext, Head, Stored, Submission
from shared.large import LARGE, ContextAndSubmission, Weights, is_large, weight_at_most
from shared.testing import strategies

HASH = ContentHash("0" * 32)


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The values of which a text was made, in order."""
    values: list[Any] = []

    def dumps(value: Any) -> bytes:
        values.append(value)
        return json.dumps(value).encode()

    monkeypatch.setattr(codec, "dumps", dumps)
    return values


def case(head: Any, state: Any, recent: tuple[Any, ...] = ()) -> ContextAndSubmission:
    stored = tuple(Stored(HASH, body, SequenceNumber(1)) for body in recent)
    context = DocumentContext(Head(SequenceNumber(2), HASH, head, 1.0), recent=stored)
    return context, Submission(DocumentId("a"), state, HASH, 1.0, "0")


@given(strategies.json_values())
def test_law_a_text_tells_no_less_than_there_is(value: Any) -> None:
    assert weight_at_most(value) >= weigh([value])


@pytest.mark.parametrize("size", [LARGE // 2 - 2, LARGE // 2])
def test_cases_are_large_together(size: int) -> None:
    weights = Weights()
    half = case([1] * (size // 2), [2] * (size // 2))
    for _ in range(2):
        assert not weights.are_large([half])
        assert weights.are_large([half, half]) is is_large([[1] * size, [2] * size])


@pytest.mark.parametrize("size", [LARGE // 400 - 2, LARGE // 400])
def test_many_cases_are_large_together(size: int) -> None:
    cases = [case([n] * size, [-n] * size) for n in range(200)]
    assert Weights().are_large(cases) is is_large([state for _, s in cases for state in (s.client_state,) * 2])


def test_many_cases_are_weighed_in_one_text(texts: list[Any]) -> None:
    assert not Weights().are_large([case({"n": n}, {"n": -n}) for n in range(200)]) and len(texts) == 1


def test_commas_in_prose_make_nothing_large() -> None:
    assert not Weights().are_large([case({"text": "a, b" * LARGE}, {"text": "\\n" * LARGE})])


def test_lines_are_counted() -> None:
    assert Weights().are_large([case({"text": "\n" * LARGE}, {})])


def test_states_of_before_count() -> None:
    assert Weights().are_large([case({}, {}, ([1] * LARGE,))])


def test_what_is_nested_too_deeply_for_a_text_is_looked_at() -> None:
    value: Any = 1
    for _ in range(500):
        value = [value]
    assert not Weights().are_large([case(value, value)])
    assert Weights().are_large([case([value] * 50, {})])


def test_a_document_is_weighed_once(texts: list[Any]) -> None:
    weights, body = Weights(), {"a": [1, 2, 3]}
    for n in range(3):
        assert not weights.are_large([case(body, {"n": n}, (body,))])
    assert sum(value is body for value in texts) == 1


def test_what_is_known_of_heads_is_not_told_again(texts: list[Any]) -> None:
    heads = [[n] * 10 for n in range(200)]
    cases = [case(body, {"n": 1}) for body in heads]
    known = [(replace(c, head=replace(c.head, weight=weight_at_most(c.head.body))), s) for c, s in cases if c.head]
    texts.clear()
    assert not Weights().are_large(known)
    assert len(texts) == 1 and not any(body in texts[0] for body in heads)


@given(st.integers(0, LARGE + 10))
def test_heads_of_known_weight_are_large_together_as_others_are(size: int) -> None:
    context, submission = case([1] * size, {})
    assert context.head is not None
    known = replace(context, head=replace(context.head, weight=weight_at_most(context.head.body)))
    for cases in ([(known, submission)], [(known, submission)] * 2, [(known, submission), (context, submission)]):
        bodies = [body for one, other in cases if one.head for body in (one.head.body, other.client_state)]
        assert Weights().are_large(cases) is is_large(bodies)
