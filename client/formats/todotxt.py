"""todo.txt: a task a line. Pure.

    x 2026-01-02 2026-01-01 call Ann about the boat @phone +home due:2026-01-05 id:pb67wndxge8293xd

    x                  status completed; the first day behind it is `end`, the next one `entry`
    (A), pri:A         priority
    @phone             a tag
    +home              project; further ones are `projects`
    key:value          a field of that name; a day stays a day
    key:=JSON          a field with that value, its spaces written \\u0020
    what is left       description

A sentence keeps its words: of a line that another program wrote, @phone and +home are in the description too. A line
that was written here ends with its `id:`; tags and projects directly before that are beside the description, not in
it. Where that would not say all, the `id:` comes first, before the description: then everything that is no key:value
is the description, tags and projects are keys, and a backslash stands before what would be taken for something else.

Without an `id:` the id comes from the text, projects, tags and the day it was written: to finish a task, to give it a
priority or to put it off leaves it the same task. An `id:` of another program counts within the file alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, timedelta, tzinfo
from typing import Any, Final

from client.formats.context import Context, Reading
from client.formats.faults import ExportError, FormatProblem
from client.formats.naming import Names, is_unique
from client.formats.text import decoded
from client.tasks.moments import day_of, is_day
from client.tasks.view import tags_of
from shared import codec
from shared.core.identifiers import Body, DocumentId, is_document_id
from shared.core.json.canonical import equal
from shared.core.json.strict import FaultError
from shared.core.protocol import Limits

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_PRIORITY: Final = re.compile(r"\(([A-Z])\)\Z")
_FIELD: Final = re.compile(r"([a-z_][\w-]*):(=?)([^\s:/][^\s]*)\Z", re.ASCII)
_KEY: Final = re.compile(r"[a-z_][\w-]*\Z", re.ASCII)
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-f]{4})|(.))")
_ODD_SPACE: Final = re.compile(r"[^\S ]|^ | (?= |\Z)")
"""White space that is not one space between words."""
_BESIDE: Final = frozenset({"id", "description", "status", "tags", "project", "projects", "priority"})
"""Fields that have a place of their own in a line."""
_DAYS: Final = ("end", "entry")
_LATER: Final = timedelta(days=1)
_CATCH_ALL: Final = "hypertask"


def documents_of(raw: bytes, context: Context | None = None) -> dict[DocumentId, Body]:
    """Raises ExportError."""
    return read(raw, context or Context()).documents


def read(raw: bytes, context: Context) -> Reading:
    """Raises ExportError."""
    names, problems = Names("todo.txt", context), list[FormatProblem]()
    documents: dict[DocumentId, Body] = {}
    for number, line in enumerate(decoded(raw).split("\n"), 1):
        if not line.strip():
            continue
        body = _body(line, names, context)
        if not equal(documents.setdefault(DocumentId(body["id"]), body), body):
            problems.append(FormatProblem(f"task {body['id']} is there twice, and they are not the same", number))
    if problems:
        raise ExportError(*problems)
    return Reading(documents, numbered=names.numbered)


def text_of(bodies: Iterable[Body], context: Context | None = None) -> tuple[bytes, list[str]]:
    """Nothing is left out: where a line of words does not say all of a task, it has keys for the rest."""
    context = context or Context()
    lines = []
    for body in bodies:
        line = _plain(body, context.zone)
        if not equal(_again(line, context), body):
            line = _explicit(body, context)
        lines.append(line)
    return "".join(f"{line}\n" for line in lines).encode(), []


def _again(line: str, context: Context) -> Body:
    return _body(line, Names("todo.txt", context), context)


# --- reading -------------------------------------------------------------------------------------------------


def _body(line: str, names: Names, context: Context) -> Body:
    words = line.split()
    body: Body = {"status": "pending"}
    if words[0] == "x" and len(words) > 1:
        body["status"] = "completed"
        words.pop(0)
    _take_head(body, words)
    marks = [place for place, word in enumerate(words) if _own_id(word) is not None]
    if marks and marks[0] == 0 and len(words) > 1:
        _take_explicit(body, words)
    elif marks:
        _take_ours(body, words)
    else:
        _take_foreign(body, words, names)
    for name in _DAYS:  # the moment, if it is one of the day that stands in its place
        exact, written = body.pop(f"{name}:", None), body.get(name)
        if exact is not None and (written is None or _is_about(exact, written, context.zone)):
            body[name] = exact
    return body


def _take_head(body: Body, words: list[str]) -> None:
    days = []
    while words and (_DAY.match(words[0]) or ("priority" not in body and _PRIORITY.match(words[0]))):
        word = words.pop(0)
        if match := _PRIORITY.match(word):
            body["priority"] = match[1]
        else:
            days.append(word)
    if body["status"] == "completed" and days:
        body["end"] = days.pop(0)
    if days:
        body["entry"] = days.pop(0)
    words[:0] = days


def _own_id(word: str) -> DocumentId | None:
    """The id of a document, if the word is the mark of a line that was written here."""
    match = _FIELD.match(word)
    if match is None or match[1] != "id":
        return None
    value = _json(match[3]) if match[2] else match[3]
    ours = isinstance(value, str) and is_document_id(value) and (match[2] or is_unique(value))
    return DocumentId(value) if ours else None


def _take_ours(body: Body, words: list[str]) -> None:
    """The run of tags and projects at the end is beside the description."""
    text = [word for word in words if not _take_key(body, word)]
    beside = list[str]()
    while text and _is_mark(text[-1]):
        beside.insert(0, text.pop())
    _put_marks(body, beside)
    body["description"] = " ".join(text)


def _take_explicit(body: Body, words: list[str]) -> None:
    text = [word for word in words if not _take_key(body, word)]
    if text:
        body["description"] = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else m[2], " ".join(text))


def _take_foreign(body: Body, words: list[str], names: Names) -> None:
    identity = next((m[3] for m in map(_FIELD.match, words) if m and m[1] == "id" and not m[2]), None)
    text = [word for word in words if not _take_key(body, word)]
    _put_marks(body, [word for word in text if _is_mark(word)])
    body["description"] = " ".join(text)
    projects = [word for word in text if word[0] == "+" and _is_mark(word)]
    tags = sorted(word[1:] for word in text if word[0] == "@" and _is_mark(word))
    if identity is None or not is_document_id(identity):
        plain = " ".join(word for word in text if not _is_mark(word))  # as before the words were kept
        body["id"] = names.of(plain, _midnight(body.get("entry")), *projects, *tags)
    else:
        body["id"] = names.of_id(identity, body)
        if body["id"] != identity:
            body["original_id"] = identity


def _midnight(entry: Any) -> str:
    return f"{entry}T00:00:00Z" if entry else ""


def _is_mark(word: str) -> bool:
    return word[0] in "+@" and len(word) > 1


def _put_marks(body: Body, words: list[str]) -> None:
    projects = list(dict.fromkeys(word[1:] for word in words if word[0] == "+"))
    tags = list(dict.fromkeys(word[1:] for word in words if word[0] == "@"))
    if projects:
        body["project"] = projects[0]
    if projects[1:]:
        body["projects"] = projects[1:]
    if tags:
        body["tags"] = tags


def _take_key(body: Body, word: str) -> bool:
    """Whether the word is a field, which the body has now."""
    if (match := _FIELD.match(word)) is None:
        return False
    name, is_json, value = match.groups()
    if name == "id":
        if (identity := _own_id(word)) is None:
            return not is_json and is_document_id(value)
        return bool("id" not in body and body.setdefault("id", identity) is identity)
    parsed: Any = _json(value) if is_json else value
    if is_json and parsed is None and value != "null":
        return False
    if name == _CATCH_ALL and is_json and isinstance(parsed, dict):
        _take_rest(body, parsed)
    elif is_json and name in (*_BESIDE, *_DAYS):
        body[name] = parsed
    elif name == "pri":
        return bool("priority" not in body and body.setdefault("priority", parsed) is parsed)
    elif name in _DAYS:
        return bool(body.setdefault(f"{name}:", parsed) is parsed)
    elif name in _BESIDE or name in body:
        return False
    else:
        body[name] = parsed
    return True


def _take_rest(body: Body, rest: Body) -> None:
    fields, without = rest.get("fields"), rest.get("without")
    body.update(fields if isinstance(fields, dict) else {})
    for name in without if isinstance(without, list) else ():
        body.pop(name, None) if isinstance(name, str) else None


def _json(text: str) -> Any:
    try:
        return codec.parse(text.encode(), max_depth=Limits().max_depth)
    except FaultError:
        return None


def _is_about(exact: str, written: str, zone: tzinfo) -> bool:
    """A day there may be another one here."""
    day, other = day_of(exact, zone), day_of(written, zone)
    return day is not None and other is not None and abs(day - other) <= _LATER


# --- writing -------------------------------------------------------------------------------------------------


def _plain(body: Body, zone: tzinfo) -> str:
    """The line as a person would write it."""
    words = _head(body, zone)
    words += str(body.get("description", "")).split()
    words += [f"@{tag}" for tag in tags_of(body) if _is_word(tag)]
    further = body.get("projects")
    projects = [body.get("project"), *(further if isinstance(further, list) else [])]
    words += [f"+{project}" for project in projects if _is_word(project)]
    words += _keys(body, {*_BESIDE, *_DAYS}) + _moments(body)
    return " ".join([*words, _mark(body)])


def _explicit(body: Body, context: Context) -> str:
    """The line that says all of it, whatever there is."""
    words = [*_head(body, context.zone), _mark(body)]
    description = body.get("description")
    beside = {"id"}
    if isinstance(description, str) and description:
        words += _escaped(description).split(" ")
        beside.add("description")
    words += _keys(body, {*_BESIDE, *_DAYS}) + _moments(body)
    if words[-1] == _mark(body):  # something has to stand behind it
        words.append(f"{_CATCH_ALL}:={{}}")
    again = _again(" ".join(words), context)
    wrong = {name for name in body if name not in beside and not (name in again and equal(again[name], body[name]))}
    words += [f"{name}:={_spelt(body[name])}" for name in sorted(wrong) if _is_key(name)]
    fields = {name: body[name] for name in sorted(wrong) if not _is_key(name)}
    without = sorted(again.keys() - body.keys())
    rest: Body = {**({"fields": fields} if fields else {}), **({"without": without} if without else {})}
    if rest:
        words.append(f"{_CATCH_ALL}:={_spelt(rest)}")
    return " ".join(words)


def _head(body: Body, zone: tzinfo) -> list[str]:
    completed, priority = body.get("status") == "completed", _letter(body)
    words = ["x"] if completed else []
    if priority and not completed:
        words.append(f"({priority})")
    days = [day_of(body.get(name), zone) for name in (_DAYS if completed else _DAYS[1:])]
    if days[0] is not None:  # of a finished task the first day is the end
        words += [day.isoformat() for day in days if day is not None]
    return words


def _moments(body: Body) -> list[str]:
    """The time of the days that stand at the beginning, and the priority of a finished task."""
    words = [f"pri:{_letter(body)}"] if _letter(body) and body.get("status") == "completed" else []
    completed = body.get("status") == "completed"
    in_head = {"end": completed, "entry": not completed or day_of(body.get("end"), UTC) is not None}
    for name in _DAYS:
        value = body.get(name)
        is_in_head = in_head[name] and is_day(value)
        match = _FIELD.match(f"{name}:{value}")
        if not is_in_head and _is_word(value) and match is not None and not match[2]:
            words.append(f"{name}:{value}")
    return words


def _letter(body: Body) -> str | None:
    priority = body.get("priority")
    return priority if isinstance(priority, str) and _PRIORITY.match(f"({priority})") else None


def _keys(body: Body, without: set[str]) -> list[str]:
    return [
        f"{name}:{value}"
        for name, value in body.items()
        if name not in without and _is_word(value) and (match := _FIELD.match(f"{name}:{value}")) and not match[2]
    ]


def _mark(body: Body) -> str:
    identity = body["id"]
    return f"id:{identity}" if is_unique(identity) else f"id:={_spelt(identity)}"


def _is_key(name: str) -> bool:
    return name not in (_CATCH_ALL, "pri") and _KEY.match(name) is not None


def _spelt(value: Any) -> str:
    """JSON without white space of any kind."""
    text = codec.dumps(value).decode()
    return "".join(f"\\u{ord(character):04x}" if character.isspace() else character for character in text)


def _escaped(text: str) -> str:
    """A description of which every word is read as it is: single spaces stay, as they are between words."""
    text = _ODD_SPACE.sub(lambda match: f"\\u{ord(match[0]):04x}", text.replace("\\", "\\\\"))
    return " ".join(word.replace(":", "\\:", 1) if _FIELD.match(word) else word for word in text.split(" "))


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.split() == [value]
