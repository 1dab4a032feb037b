"""How a task is changed by words. Pure.

    words           the description; of `modify` too, if there are any: all of it
    +tag -tag       adds, removes a tag
    field:value     sets a field; a day or a moment where the field is one (due:friday); a number stays a number
    field:          removes it
    field:=JSON     sets it to that value: estimate:=3 done:=true steps:=["a"]
    a.b:value       sets b inside a, unless there is a field "a.b"
    a.b:            removes both of them

Of several words for one field or tag the last one counts. A field is set before what is inside it, in whatever order
the words come: `a.b:x a:={}` would set a.b in vain. The body that is given is not touched. Laws
(tests/unit/client/tasks/test_modifications.py):
    what no word names is as it was
    doing it twice is doing it once
    the result is in the I-JSON profile if the body was
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any, Final

from client.tasks import moments
from client.tasks.filters import value_at
from client.tasks.ids import NoSuchTaskError
from client.tasks.known import FIELDS, check_status, known_field
from client.tasks.named import documents_named
from client.tasks.view import View, tags_of
from client.tasks.virtual_tags import VIRTUAL_TAGS
from client.tasks.words import NEVER_SET, Field, Tag, Text, WordError, read_words
from shared.codec import parse
from shared.core.identifiers import Body, DocumentId
from shared.core.json.strict import FaultError, check

Modification = Callable[[Body], Body]
_MAX_DEEP: Final = 64


def modification_of(words: Iterable[str], now: datetime, view: View | None = None) -> Modification:
    """`view`: what is known of the tasks, so that slips are refused. Raises WordError, NoMomentError."""
    read = [_checked(word, view) for word in read_words(words)]
    text = " ".join(word.text for word in read if isinstance(word, Text))
    # Of each name the last word counts, but what is wrong with one before it is said.
    named = {(type(word), word.name): (_depth(word), _step(word, now)) for word in read if not isinstance(word, Text)}
    steps = [step for _, step in sorted(named.values(), key=itemgetter(0))]
    _check_text(text)
    if text and any(isinstance(word, Field) and word.name == "description" for word in read):
        raise WordError(f'the description is given twice: as description:..., and as "{text}"')

    def modify(body: Body) -> Body:
        changed = {**body, "description": text} if text else body
        for step in steps:
            changed = step(changed)
        return changed

    return modify


def _depth(word: Tag | Field) -> int:
    """Of what it sets. A tag is inside `tags`."""
    return word.name.count(".") if isinstance(word, Field) else 1


def _checked(word: Tag | Field | Text, view: View | None) -> Tag | Field | Text:
    """The word with its field's whole name. A lone `note:` is text unless it names a field. Raises WordError."""
    if view is None or view.fields is None or isinstance(word, Text):
        return word
    if isinstance(word, Tag):
        if word.name in VIRTUAL_TAGS:
            raise WordError(f"{word.name} is a virtual tag: it follows from the task and cannot be set")
        return word
    if not word.value and not word.is_json and word.name not in view.fields and word.name not in FIELDS:
        return Text(f"{word.name}:")
    name = word.name if word.is_json else known_field(word.name, view.fields)
    allowed = view.values.get(name)
    if allowed is not None and word.value and not word.is_json and word.value not in allowed:
        raise WordError(f"{name}:{word.value} is not in the config; {name} is one of {', '.join(allowed)}")
    if name == "status" and not word.is_json and not word.modifier:
        check_status(word.value, view)
    if name == "depends" and word.is_json:
        _all_there(_json(word.value), view)
    elif name == "depends":
        return Field(name, word.modifier, json.dumps(depended(word.value, view)), True) if word.value else word
    return Field(name, word.modifier, word.value, word.is_json)


def depended(text: str, view: View) -> list[str]:
    """The ids that `depends:2,q7ab` names. Raises WordError where a task does not exist, or several are meant."""
    if text.startswith(("-", "+")) and (others := text.lstrip("+-")):
        raise WordError(
            f"depends: sets all that a task waits for, so write them without {text[0]}: depends:{others}. To remove "
            "them all: depends:"
        )
    try:
        return [*documents_named(text, view.numbers, map(DocumentId, view.ids))]
    except NoSuchTaskError as error:
        raise WordError(f"depends: {error}") from None


def _all_there(value: Any, view: View) -> None:
    """Raises WordError for dependencies that are no tasks."""
    for one in value if isinstance(value, list) else ():
        if one not in view.ids:
            raise WordError(f"depends: there is no task {one!r}")


def _step(word: Tag | Field, now: datetime) -> Modification:
    match word:
        case Tag(name, wanted):
            _check_text(name)
            return lambda body: _tagged(body, name, wanted=wanted)
        case Field(name, modifier, _, _) if modifier:
            raise WordError(f'"{name}.{modifier}" asks and does not set. To set a field: {name}:VALUE')
        case Field(name, _, _, _) if name in NEVER_SET:
            raise WordError(f'"{name}" cannot be set. A new task: hypertask add; to delete one: hypertask delete ID')
        case Field(name, _, "", False):
            return lambda body: _without(body, name)
        case Field(name, _, text, True):
            value = _json(text)
            return lambda body: _with(body, name, value)
        case Field("tags", _, text, _):
            _check_text(text)
            return lambda body: {**body, "tags": list(dict.fromkeys(text.split(",")))}
        case Field(name, _, text, _) if name in moments.FIELDS:
            at = moments.stored(text, now)
            return lambda body: _with(body, name, at)
        case Field(name, _, text, _):
            _check_text(text)
            return lambda body: _with(body, name, _alike(text, _value(body, name)))


def _tagged(body: Body, name: str, *, wanted: bool) -> Body:
    tags = body.get("tags", [])
    if not isinstance(tags, list):
        if not wanted:
            return body
        raise WordError(f'the "tags" of {body.get("id")} are not a list. To make them one: tags:{name}')
    if wanted:
        return body if name in tags_of(body) else {**body, "tags": [*tags, name]}
    left = [tag for tag in tags if tag != name]
    if left == tags:
        return body
    return {**body, "tags": left} if left else _without(body, "tags")


def _with(body: Body, path: str, value: Any) -> Body:
    def set_inside(fields: Body, path: str, above: tuple[str, ...]) -> Body:
        head, dot, rest = path.partition(".")
        if path in fields or not dot:
            return {**fields, path: value}
        inside, names = fields.get(head, {}), (*above, head)
        if not isinstance(inside, dict):
            name = ".".join(names)
            raise WordError(f'"{name}" of {body.get("id")} has no fields inside. To replace it: {name}:={{...}}')
        return {**fields, head: set_inside(inside, rest, names)}

    return set_inside(body, path, ())


def _without(body: Body, path: str) -> Body:
    head, dot, rest = path.partition(".")
    body = {name: value for name, value in body.items() if name != path}
    inside = body.get(head) if dot else None
    if not isinstance(inside, dict):
        return body
    left = _without(inside, rest)
    # The last field takes the object with it: it may have come with that field, from a word before this one.
    return {**body, head: left} if left or not inside else {name: v for name, v in body.items() if name != head}


def _value(body: Body, path: str) -> Any:
    try:
        return value_at(body, path)
    except KeyError:
        return None


def _alike(text: str, old: Any) -> Any:
    """`text` as a value of the kind that is there, if it can be one."""
    if isinstance(old, bool | int | float):
        try:
            new = parse(text.encode(), max_depth=1)
        except FaultError:
            return text
        if isinstance(new, bool | int | float) and isinstance(new, bool) is isinstance(old, bool):
            return new
    return text


def _json(text: str) -> Any:
    _check_text(text)
    try:
        return parse(text.encode(), max_depth=_MAX_DEEP)
    except FaultError as error:
        why = error.fault.detail.removeprefix("The text is not JSON: ")
        raise WordError(f"{text!r} is not JSON: {why} A text needs quotes: {json.dumps(text)}") from None


def _check_text(text: str) -> None:
    """A command line may hold bytes that are no text; Python then makes lone surrogates of them."""
    try:
        check(text, max_depth=1)
    except FaultError:
        raise WordError(f"{text!r} is not UTF-8. Is the terminal set to another encoding?") from None
