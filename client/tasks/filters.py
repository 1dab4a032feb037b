"""Which tasks are meant. Pure.

    +tag -tag               has the tag, has it not; in capitals also a virtual one: client/tasks/virtual_tags.py
    word                    is in the description, an annotation or a tag, upper and lower case alike,
                            or begins the id
    3  2-5  1,4             the numbers of the last listing
    /pattern/               a regular expression, in the description or an annotation
    field:value             is that value, or a list that has it; text may go on after a dot: project:home finds
                            home.garden
    field:                  is not there
    field.not:              the opposite of field:value
    field.is:  .isnt:       is exactly, is not exactly
    field.has: .hasnt:      contains, does not; .startswith: .endswith: .word: .noword: likewise
    field.before: .after: .by:  a moment, a number or a text on that side (.by: or the same); a task without the field
                            is on neither. A day is its beginning where the user is; `eom` and its like are the end of
                            their last day
    field.any: .none:       is there, is not
    a.b:value               field b inside a, unless there is a field "a.b"

All of them at a time, or as `and or xor ! ( )` say: client/tasks/expressions.py. Laws (tests/unit/client/tasks/
test_filters.py): every positive form is the opposite of its negative; more words never find more tasks; the order of
words does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, Final

from client.tasks import moments
from client.tasks.expressions import Both, Either, Expression, Not, Word, plain_words
from client.tasks.expressions import parse as parse_words
from client.tasks.ids import SHORTEST
from client.tasks.known import check_status, check_tag, known_field, known_name
from client.tasks.named import numbered
from client.tasks.urgency import COEFFICIENTS, urgency
from client.tasks.view import View, status_of, tags_of
from client.tasks.virtual_tags import VIRTUAL_TAGS
from client.tasks.words import Field, Tag, Text, WordError
from shared.codec import parse
from shared.core.identifiers import Body
from shared.core.json.canonical import equal
from shared.core.json.strict import FaultError

_COMPARED: Final = {
    **{"<": ".before", "<=": ".by", ">": ".after", ">=": ".after", "~": ".has", "!~": ".hasnt"},
    **{"=": "", "==": ".is", "!=": ".not", "!==": ".isnt"},
}
"""Taskwarrior's signs, and what to write instead."""
_COMPARISON: Final = re.compile(r"\s*([^\W\d][\w.]*)?\s*(<=?|>=?|==?|!==?|!?~)(?!\S*://)\s*([^<>=~]*)\Z")
Filter = Callable[[Body], bool]

_ABSENT: Final = object()
_HIDDEN: Final = frozenset({"COMPLETED", "DELETED", "WAITING", "PARENT", "TEMPLATE"})


def filter_of(words: Iterable[str], now: datetime, view: View | None = None) -> Filter:
    """Whether a task fits the words. `view`: what is known of the others; without it nothing is blocked and every
    field may be meant. Raises WordError, NoMomentError."""
    return _test_of(parse_words(words), view or View(now))


def names_hidden(words: Iterable[str]) -> bool:
    """Whether the words ask for tasks that a list leaves out: by their status, or by a virtual tag for it."""
    return any(
        (isinstance(word, Field) and word.name == "status")
        or (isinstance(word, Tag) and word.wanted and word.name in _HIDDEN)
        for word in plain_words(parse_words(words))
    )


def value_at(body: Body, path: str) -> Any:
    """The field of that name, else the one inside others that the dots lead to. Raises KeyError."""
    if path in body:
        return body[path]
    head, dot, rest = path.partition(".")
    inside = body.get(head) if dot else None
    if not isinstance(inside, dict):
        raise KeyError(path)
    return value_at(inside, rest)


def _test_of(expression: Expression, view: View) -> Filter:
    match expression:
        case Word(word):
            return _condition(word, view)
        case Not(part):
            inside = _test_of(part, view)
            return lambda body: not inside(body)
        case Both(parts):
            tests = [_test_of(part, view) for part in parts]
            return lambda body: all(test(body) for test in tests)
        case Either(left, right, exclusive):
            one, other = _test_of(left, view), _test_of(right, view)
            if exclusive:
                return lambda body: one(body) is not other(body)
            return lambda body: one(body) or other(body)


def _condition(word: Tag | Field | Text, view: View) -> Filter:
    match word:
        case Tag(name, wanted):
            if (virtual := VIRTUAL_TAGS.get(name)) is not None and name not in view.tags:
                return lambda body: virtual(body, view) is wanted
            check_tag(name, view)
            return lambda body: (name in tags_of(body)) is wanted
        case Text(text):
            return _text_test(text, view)
        case Field(name, modifier, text, is_json):
            name = known_field(name, view.fields)
            if name == "limit" and view.fields is not None and "limit" not in view.fields:
                raise WordError("limit is for list and the reports, and no task has such a field")
            if name == "status" and modifier in ("", "is", "isnt", "not") and not is_json:
                check_status(text, view)
            test = _test(modifier, text, is_json, name, view.now)
            if name == "status":
                return lambda body: test("waiting" if view.is_waiting(body) else status_of(body))
            if name == "urgency":
                return lambda body: test(urgency(body, view, view.coefficients or COEFFICIENTS))
            return lambda body: test(_value_at(body, name))


def _text_test(text: str, view: View) -> Filter:
    if (documents := numbered(text, view.numbers)) is not None:
        return lambda body: body["id"] in documents
    if len(text) > 2 and text[0] == text[-1] == "/":
        try:
            pattern = re.compile(text[1:-1])
        except re.error as error:
            raise WordError(
                f"{text} is not a pattern: {error}. If it is meant as text, write -- before it."
            ) from None
        return lambda body: any(pattern.search(place) for place in _texts(body))
    _refuse_comparison(text, view)
    folded = text.casefold()
    return lambda body: _mentions(body, folded)


def _refuse_comparison(text: str, view: View) -> None:
    """Raises WordError for `due < today`, which Taskwarrior understands, and which as text would find nothing."""
    match = _COMPARISON.match(text)
    if match is None or (match[1] and known_name(match[1], view.fields) is None):
        return
    field, value = match[1] or "FIELD", match[3].strip() or "VALUE"
    modifier = _COMPARED[match[2]]
    raise WordError(
        f'"{text}" is not understood: write {field}{modifier}:{value}. If it is meant as text, write -- before it.'
    )


def _texts(body: Body) -> list[str]:
    """The description, and what annotations say."""
    description, notes = body.get("description"), body.get("annotations")
    texts = [description] if isinstance(description, str) else []
    for note in notes if isinstance(notes, list) else ():
        if isinstance(note, dict) and isinstance(text := note.get("description"), str):
            texts.append(text)
    return texts


def _value_at(body: Body, path: str) -> Any:
    try:
        return value_at(body, path)
    except KeyError:
        return _ABSENT


def _mentions(body: Body, text: str) -> bool:
    return any(text in place.casefold() for place in _texts(body) + tags_of(body)) or (
        len(text) >= SHORTEST and str(body.get("id", "")).startswith(text)
    )


def _test(modifier: str, text: str, is_json: bool, name: str, now: datetime) -> Callable[[Any], bool]:
    match modifier:
        case "any":
            return lambda value: value is not _ABSENT
        case "none":
            return lambda value: value is _ABSENT
        case "before" | "after" | "by":
            return _order(text, name, now, modifier)
        case "has" | "hasnt":
            contains = _contains(lambda value: text.casefold() in value.casefold())
            return contains if modifier == "has" else lambda value: not contains(value)
        case "startswith":
            return _contains(lambda value: value.startswith(text))
        case "endswith":
            return _contains(lambda value: value.endswith(text))
        case "word" | "noword":
            pattern = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE)
            contains = _contains(lambda value: pattern.search(value) is not None)
            return contains if modifier == "word" else lambda value: not contains(value)
    negative = modifier in ("not", "isnt")
    if not text and not is_json:
        return lambda value: (value is _ABSENT) is not negative
    same = _same(text, is_json, name, now, exactly=modifier in ("is", "isnt"))
    return same if not negative else lambda value: not same(value)


def _same(text: str, is_json: bool, name: str, now: datetime, *, exactly: bool) -> Callable[[Any], bool]:
    if is_json:
        meant = _json(text)
        return lambda value: value is not _ABSENT and equal(value, meant)
    meant = moments.stored(text, now) if name in moments.FIELDS else None
    at, day = moments.seconds(meant, now.tzinfo), _whole_day(meant, now)

    def same(value: Any) -> bool:
        if isinstance(value, list):
            return any(same(element) for element in value)
        if at is not None and (its := moments.seconds(value, now.tzinfo)) is not None:
            # A day means all of it, where the user is.
            return its == at or (not exactly and day is not None and moments.day_of(value, now.tzinfo) == day)
        written = _text(value)
        return written == text or (not exactly and isinstance(value, str) and value.startswith(text + "."))

    return same


def _whole_day(meant: str | None, now: datetime) -> date | None:
    """The day that is meant: said as one, or as the moment when one begins."""
    return moments.day_of(meant, now.tzinfo) if meant is not None and len(moments.shown(meant, now)) == 10 else None


def _contains(test: Callable[[str], bool]) -> Callable[[Any], bool]:
    def contains(value: Any) -> bool:
        if isinstance(value, list):
            return any(contains(element) for element in value)
        return value is not _ABSENT and test(_text(value))

    return contains


def _order(text: str, name: str, now: datetime, side: str) -> Callable[[Any], bool]:
    number = _number(text)
    try:
        at = moments.moment(text, now).timestamp()
    except moments.NoMomentError:
        if name in moments.FIELDS:
            raise
        at = None
    is_end = moments.is_end(text)

    def on_that_side(value: Any) -> bool:
        its = moments.seconds(value, now.tzinfo)
        if its is not None and at is not None:
            # The end of a period is the first moment that is not in it any more.
            return (_is_on(side, its, at) and not (is_end and side == "by" and its == at)) or (
                is_end and side == "after" and its == at
            )
        if isinstance(value, int | float) and not isinstance(value, bool):
            return number is not None and _is_on(side, value, number)
        return isinstance(value, str) and its is None and _is_on(side, value, text)

    return on_that_side


def _is_on(side: str, value: Any, limit: Any) -> bool:
    match side:
        case "before":
            return bool(value < limit)
        case "after":
            return bool(value > limit)
    return bool(value <= limit)


def _json(text: str) -> Any:
    try:
        return parse(text.encode("utf-8", "surrogatepass"), max_depth=64)
    except FaultError as error:
        why = error.fault.detail.removeprefix("The text is not JSON: ")
        raise WordError(f"{text!r} is not JSON: {why}") from None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _text(value: Any) -> str:
    """As a person writes it: 3, not 3.0; true, not True."""
    match value:
        case str():
            return value
        case True | False | None:
            return {True: "true", False: "false", None: "null"}[value]
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
    return ""
