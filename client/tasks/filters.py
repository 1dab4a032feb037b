"""Which tasks are meant. Pure.

    +tag -tag               has the tag, has it not
    word                    is in the description or a tag, upper and lower case alike, or begins the id
    field:value             is that value, or a list that has it; text may go on after a dot: project:home finds
                            home.garden
    field:                  is not there
    field.is:  .not:        is exactly, is not
    field.has: .hasnt:      contains, does not
    field.before: .after:   a moment, a number or a text on that side; a task without the field is on neither. A day
                            is its beginning where the user is; `eom` and its like are the end of their last day
    field.any: .none:       is there, is not
    a.b:value               field b inside a, unless there is a field "a.b"

All of them at a time. Laws (tests/unit/client/tasks/test_filters.py): every positive form is the opposite of its
negative; more words never find more tasks; the order of words does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, Final

from client.tasks import moments
from client.tasks.ids import SHORTEST
from client.tasks.words import Field, Tag, Text, WordError, read_words
from shared.codec import parse
from shared.core.documents import Body
from shared.core.json.canonical import equal
from shared.core.json.strict import FaultError

Filter = Callable[[Body], bool]

_ABSENT: Final = object()
_MISSING_WORDS: Final = ("any", "none")


def filter_of(words: Iterable[str], now: datetime) -> Filter:
    """Whether a task fits all the words. Raises WordError, NoMomentError."""
    conditions = [_condition(word, now) for word in read_words(words)]
    return lambda body: all(condition(body) for condition in conditions)


def names_field(words: Iterable[str], field: str) -> bool:
    """Whether one of the words asks for that field."""
    return any(isinstance(word, Field) and word.name == field for word in read_words(words))


def is_pending(body: Body, now: datetime) -> bool:
    """What a list shows by itself: what is not done, not put off and no pattern for other tasks."""
    wait = moments.seconds(body.get("wait"), now.tzinfo)
    waits = wait is not None and wait > now.timestamp()
    return body.get("status") not in ("completed", "deleted", "recurring") and not waits


def tags_of(body: Body) -> list[str]:
    tags = body.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


def value_at(body: Body, path: str) -> Any:
    """The field of that name, else the one inside others that the dots lead to. Raises KeyError."""
    if path in body:
        return body[path]
    head, dot, rest = path.partition(".")
    inside = body.get(head) if dot else None
    if not isinstance(inside, dict):
        raise KeyError(path)
    return value_at(inside, rest)


def _condition(word: Tag | Field | Text, now: datetime) -> Filter:
    match word:
        case Tag(name, wanted):
            return lambda body: (name in tags_of(body)) is wanted
        case Text(text):
            return lambda body: _mentions(body, text.casefold())
        case Field(name, modifier, text, is_json):
            test = _test(modifier, text, is_json, name, now)
            return lambda body: test(_found(body, name))


def _found(body: Body, path: str) -> Any:
    try:
        return value_at(body, path)
    except KeyError:
        return _ABSENT


def _mentions(body: Body, text: str) -> bool:
    description = body.get("description")
    places = [description] if isinstance(description, str) else []
    return any(text in place.casefold() for place in places + tags_of(body)) or (
        len(text) >= SHORTEST and str(body.get("id", "")).startswith(text)
    )


def _test(modifier: str, text: str, is_json: bool, name: str, now: datetime) -> Callable[[Any], bool]:
    match modifier:
        case "any":
            return lambda value: value is not _ABSENT
        case "none":
            return lambda value: value is _ABSENT
        case "before" | "after":
            return _order(text, name, now, before=modifier == "before")
        case "has" | "hasnt":
            contains = _contains(text)
            return contains if modifier == "has" else lambda value: not contains(value)
    if not text and not is_json:
        return lambda value: (value is _ABSENT) is (modifier != "not")
    same = _same(text, is_json, name, now, exactly=modifier != "")
    return same if modifier != "not" else lambda value: not same(value)


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


def _contains(text: str) -> Callable[[Any], bool]:
    def contains(value: Any) -> bool:
        if isinstance(value, list):
            return any(contains(element) for element in value)
        return value is not _ABSENT and text.casefold() in _text(value).casefold()

    return contains


def _order(text: str, name: str, now: datetime, *, before: bool) -> Callable[[Any], bool]:
    number = _number(text)
    try:
        at = moments.moment(text, now).timestamp()
    except moments.NoMomentError:
        if name in moments.FIELDS:
            raise
        at = None

    is_end = text.strip().lower() in moments.ENDS

    def on_that_side(value: Any) -> bool:
        its = moments.seconds(value, now.tzinfo)
        if its is not None and at is not None:
            return its < at if before else its > at or (is_end and its == at)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return number is not None and (value < number if before else value > number)
        return isinstance(value, str) and its is None and (value < text if before else value > text)

    return on_that_side


def _json(text: str) -> Any:
    try:
        return parse(text.encode("utf-8", "surrogatepass"), max_depth=64)
    except FaultError as error:
        raise WordError(f"{text!r} is no JSON: {error.fault.detail}") from None


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
