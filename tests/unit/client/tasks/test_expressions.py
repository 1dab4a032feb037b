"""The laws of client.tasks.expressions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.tasks.expressions import Both, Either, Expression, Not, Word, parse, plain_words
from client.tasks.words import Field, Tag, Text, WordError

A, B, C, D = (Word(Tag(name, True)) for name in "abcd")

leaves = st.sampled_from(
    (A, B, Word(Tag("x", False)), Word(Text("milk")), Word(Field("due", "before", "friday", False)))
)
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: Both(tuple(parts))),
        st.builds(Either, inner, inner, st.booleans()),
    ),
    max_leaves=8,
)


def words_of(expression: Expression) -> Iterator[str]:
    """With a pair of parentheses around everything that has parts."""
    match expression:
        case Word(Tag(name, wanted)):
            yield ("+" if wanted else "-") + name
        case Word(Text(text)):
            yield text
        case Word(Field(name, modifier, value, _)):
            yield f"{name}.{modifier}:{value}"
        case Not(part):
            yield from ("!", "(", *words_of(part), ")")
        case Both(parts):
            for part in parts:
                yield from ("(", *words_of(part), ")")
        case Either(left, right, exclusive):
            yield from ("(", *words_of(left), ")", "xor" if exclusive else "or", "(", *words_of(right), ")")


@given(expressions)
def test_an_expression_that_is_written_and_read_is_the_same(expression: Expression) -> None:
    assert parse(words_of(expression)) == expression


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("", Both(())),
        ("+a", A),
        ("+a +b", Both((A, B))),
        ("+a and +b", Both((A, B))),
        ("+a or +b +c", Either(A, Both((B, C)))),
        ("+a and +b or +c", Either(Both((A, B)), C)),
        ("+a xor +b or +c", Either(A, Either(B, C), exclusive=True)),
        ("+a or +b xor +c", Either(Either(A, B), C, exclusive=True)),
        ("! +a +b", Both((Not(A), B))),
        ("!+a", Not(A)),
        ("! ( +a or +b )", Not(Either(A, B))),
        ("( +a or +b ) and ( +c or +d )", Both((Either(A, B), Either(C, D)))),
    ],
)
def test_what_binds_more(words: str, meant: Expression) -> None:
    assert parse(words.split()) == meant


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("(+a or +b)", Either(A, B)),
        ("!(+a or +b)", Not(Either(A, B))),
        ("(+a and description:'two words')", Both((A, Word(Field("description", "", "two words", False))))),
    ],
)
def test_one_argument_of_the_shell_may_hold_an_expression(argument: str, meant: Expression) -> None:
    assert parse([argument]) == meant


def test_behind_two_hyphens_everything_is_text() -> None:
    assert list(plain_words(parse(["+a", "--", "or", "(", "+b"]))) == [
        Tag("a", True),
        Text("or"),
        Text("("),
        Text("+b"),
    ]


@pytest.mark.parametrize("words", ["or", "+a or", "or +a", "+a and", "( +a", "+a )", "!", "+a xor", "( )or"])
def test_what_is_no_expression_says_so(words: str) -> None:
    with pytest.raises(WordError, match="write -- before it"):
        parse(words.split())
