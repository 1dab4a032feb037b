"""What the words of a filter say together: an expression of `and or xor ! ( )`. Pure.

    expression = xor-part, {"xor", xor-part}
    xor-part   = or-part, {"or", or-part}
    or-part    = and-part, {["and"], and-part}
    and-part   = "!", and-part | "(", expression, ")" | word

That is Taskwarrior's order: `!` binds most, then `and` (which may be left out), `or`, `xor`. One argument of the
shell may hold several words if it begins with "(" or "!(". Behind "--" everything is text.

Law (tests/unit/client/tasks/test_expressions.py): parse(words_of(e)) == e for every expression e.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from client.tasks.words import OPERATORS, Field, Tag, Text, WordError, read_words

_TOKEN: Final = re.compile(r"\s*([()]|!(?=[(+\s-])|(?:\"[^\"]*\"|'[^']*'|[^\s()\"'])+)")
_QUOTES: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'")


class Word(NamedTuple):
    word: Tag | Field | Text


class Not(NamedTuple):
    part: Expression


class Both(NamedTuple):
    """All of the parts; without any it is always true."""

    parts: tuple[Expression, ...]


class Either(NamedTuple):
    """`exclusive`: one of the two, and not both."""

    left: Expression
    right: Expression
    exclusive: bool = False


Expression = Word | Not | Both | Either


def parse(words: Iterable[str]) -> Expression:
    """Raises WordError for what is no expression."""
    parser = _Parser(list(_tokens(words)))
    expression = parser.expression()
    if parser.next() is not None:
        raise WordError('there is a ")" without a "(" before it. If it is meant as text, write -- before it.')
    return expression


def plain_words(expression: Expression) -> Iterator[Tag | Field | Text]:
    """Every word in it."""
    match expression:
        case Word(word):
            yield word
        case Not(part):
            yield from plain_words(part)
        case Both(parts):
            for part in parts:
                yield from plain_words(part)
        case Either(left, right):
            yield from plain_words(left)
            yield from plain_words(right)


def _tokens(words: Iterable[str]) -> Iterator[str | Word]:
    """Operators as texts, the rest as words."""
    rest = iter(words)
    for word in rest:
        if word == "--":
            yield from (Word(Text(text)) for text in rest)
        elif word.startswith(("(", "!(")) or (word.endswith(")") and "(" not in word and len(word) > 1):
            for token in _TOKEN.findall(word):
                yield from _token(token if token in OPERATORS else _QUOTES.sub(lambda m: m[1] or m[2] or "", token))
        elif word.startswith(("!+", "!-")):
            yield "!"
            yield from _token(word[1:])
        else:
            yield from _token(word)


def _token(text: str) -> Iterator[str | Word]:
    if text in OPERATORS:
        yield text
    else:
        yield from (Word(word) for word in read_words([text]))


class _Parser:
    def __init__(self, tokens: list[str | Word]) -> None:
        self._tokens = tokens
        self._place = 0

    def next(self) -> str | Word | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def expression(self) -> Expression:
        left = self._or()
        while self._take("xor"):
            left = Either(left, self._or(needed="xor"), exclusive=True)
        return left

    def _or(self, needed: str | None = None) -> Expression:
        left = self._and(needed)
        while self._take("or"):
            left = Either(left, self._and("or"))
        return left

    def _and(self, needed: str | None = None) -> Expression:
        parts: list[Expression] = []
        while True:
            piece = self.next()
            if piece in ("or", "xor", ")", None):
                break
            if piece == "and" and parts:
                self._place += 1
                needed, parts = "and", [*parts, self._unary("and")]
            else:
                parts.append(self._unary("and"))
        if not parts and (needed is not None or self.next() in ("or", "xor")):
            raise _nothing_beside(needed or str(self.next()))
        return parts[0] if len(parts) == 1 else Both(tuple(parts))

    def _unary(self, needed: str) -> Expression:
        piece = self.next()
        self._place += 1
        match piece:
            case Word():
                return piece
            case "!":
                return Not(self._unary("!"))
            case "(":
                inside = self.expression()
                if not self._take(")"):
                    raise WordError('a "(" has no ")" behind it. If it is meant as text, write -- before it.')
                return inside
        raise _nothing_beside(needed)

    def _take(self, token: str) -> bool:
        if self.next() != token:
            return False
        self._place += 1
        return True


def _nothing_beside(operator: str) -> WordError:
    return WordError(f'beside "{operator}" something is missing. If it is meant as text, write -- before it.')
