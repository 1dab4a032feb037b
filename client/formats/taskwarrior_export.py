"""Reading what `task export` writes. Pure.

It may be a JSON array (since Taskwarrior 2.4.3) or one object per line, with or without a comma behind each
(json.array=off, and everything older). Three things that real exports hold are no JSON, and each of them
says plainly what was meant, so it is read as that:

    control characters that stand in a string as they are
    emoji as two surrogates of three bytes each, which `task import` makes of \\ud83d\\ude00
    a word without quotes, where the text of an attribute that was declared numeric later is no number

Nothing else is mended: what is left is an error that names the line and the task.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from client.formats.faults import ExportError, FormatProblem
from client.formats.taskwarrior_fields import NotATaskwarriorTaskError, document_id, from_taskwarrior
from shared.codec import parse
from shared.core.identifiers import Body, DocumentId
from shared.core.json.strict import Fault, FaultError
from shared.core.protocol import Limits


@dataclass(frozen=True, slots=True)
class ExportEntry:
    """One task of an export and where it begins."""

    number: int
    line: int
    task: dict[str, Any]


def documents_of(raw: bytes) -> dict[DocumentId, Body]:
    """The documents of an export. Raises ExportError: all of the file is understood, or none is imported."""
    documents: dict[DocumentId, Body] = {}
    first: dict[DocumentId, ExportEntry] = {}
    problems: list[FormatProblem] = []
    for entry in read(raw, problems):
        try:
            document = document_id(entry.task)
            if document not in first:
                first[document] = entry
                documents[document] = from_taskwarrior(entry.task)
            elif first[document].task != entry.task:
                detail = f"task {document} is also entry {first[document].number}, and they are not the same"
                problems.append(FormatProblem(detail, entry.line, entry.number))
        except NotATaskwarriorTaskError as error:
            problems.append(FormatProblem(str(error), entry.line, entry.number))
    if problems:
        raise ExportError(*problems)
    return documents


def read(raw: bytes, problems: list[FormatProblem]) -> Iterator[ExportEntry]:
    """The tasks in the order of the file. What is wrong is appended to `problems`, and the next task read.

    Raises ExportError where there is no text to read tasks from.
    """
    text = _decoded(raw)
    if not text.strip():
        raise ExportError(FormatProblem("there is nothing in it; make it with: task export > tasks.json"))
    line, counted = 1, 0
    for number, (start, end) in enumerate(_places(text, problems), start=1):
        line += text.count("\n", counted, start)
        counted = start
        try:
            task = _parsed(text[start:end])
        except FaultError as error:
            at = f" (at {error.fault.pointer})" if error.fault.pointer else ""
            problems.append(FormatProblem(f"{error.fault.detail}{at}", line, number))
            continue
        if isinstance(task, dict):
            yield ExportEntry(number, line, task)
        else:
            detail = f"a task is a JSON object, not {_clip(text[start:end])}"
            problems.append(FormatProblem(detail, line, number))


# --- bytes to text -----------------------------------------------------------------------------------------

_RAW_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")  # tab, line feed, return: also white space


def _decoded(raw: bytes) -> str:
    try:
        # A shell may have redirected into UTF-16. A byte order mark is taken off.
        text = raw.decode(json.detect_encoding(raw))
    except UnicodeDecodeError as error:
        text = _with_surrogates_joined(raw, error)
    # Outside strings control characters are as wrong after this as before.
    return _RAW_CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _with_surrogates_joined(raw: bytes, error: UnicodeDecodeError) -> str:
    try:
        text = raw.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        detail = (
            f"byte 0x{raw[error.start]:02x} is not UTF-8 (Taskwarrior exports bytes as it finds them): "
            "correct that task with `task edit` and export again"
        )
        raise ExportError(FormatProblem(detail, raw.count(b"\n", 0, error.start) + 1)) from None
    return text.removeprefix("\ufeff")


# --- text to entries ---------------------------------------------------------------------------------------

_SEPARATORS: Final = re.compile(r"[\s,]*")
# Only where an entry ends is asked of this one; the exact parser reads the values afterwards.
_SCANNER: Final = json.JSONDecoder(
    object_pairs_hook=lambda pairs: None,
    parse_int=lambda text: 0,
    parse_float=lambda text: 0.0,
    parse_constant=lambda text: 0,
)
_STRING_OR_BRACE: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}]')
_STRING_OR_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+')
_JSON_WORD: Final = re.compile(r"(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)\Z", re.ASCII)


def _places(text: str, problems: list[FormatProblem]) -> Iterator[tuple[int, int]]:
    """Where each entry begins and ends. A file that was cut off is a problem."""
    position = _skipped(text, 0)
    in_array = text.startswith("[", position)
    if in_array:
        position = _skipped(text, position + 1)
    while position < len(text):
        if in_array and text.startswith("]", position):
            in_array = False
            position = _skipped(text, position + 1)
            if position < len(text):
                detail = f"after the end of the array comes {_clip(text[position:])}"
                problems.append(FormatProblem(detail, text.count("\n", 0, position) + 1))
            return
        end = _end(text, position)
        yield position, end
        position = _skipped(text, end)
    if in_array:
        problems.append(FormatProblem('it ends before the closing "]": is it cut off?', text.count("\n") + 1))


def _skipped(text: str, position: int) -> int:
    match = _SEPARATORS.match(text, position)
    return match.end() if match else position


def _end(text: str, start: int) -> int:
    try:
        return _SCANNER.raw_decode(text, start)[1]
    except (json.JSONDecodeError, RecursionError):
        pass
    # Not JSON as it stands. Taskwarrior puts each task on one line, so what is wrong stays in its line.
    newline = text.find("\n", start)
    line_end = len(text) if newline < 0 else newline
    depth = 0
    for match in _STRING_OR_BRACE.finditer(text, start, line_end):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth == 0 and match.group() == "}":
            return match.end()
    return line_end


def _parsed(entry: str) -> Any:
    try:
        return parse(entry.encode(), max_depth=Limits().max_depth)
    except FaultError as error:
        if not error.fault.malformed and error.fault.reason != "not a JSON number":
            raise
    try:
        return parse(_with_words_quoted(entry).encode(), max_depth=Limits().max_depth)
    except FaultError as error:
        if not error.fault.malformed:
            raise
    raise FaultError(Fault("malformed JSON", f"it is not JSON: {_complaint(entry)}"))


def _with_words_quoted(entry: str) -> str:
    def quoted(match: re.Match[str]) -> str:
        word = match.group()
        return word if word.startswith('"') or _JSON_WORD.match(word) else json.dumps(word)

    return _STRING_OR_WORD.sub(quoted, entry)


def _complaint(entry: str) -> str:
    try:
        json.loads(entry)
    except json.JSONDecodeError as error:
        return f"{error.msg.removesuffix(' at')} near {_clip(entry[max(0, error.pos - 20) :])}"
    return _clip(entry)


def _clip(text: str) -> str:
    text = text.strip().partition("\n")[0]
    return text if len(text) <= 40 else text[:37] + "..."
