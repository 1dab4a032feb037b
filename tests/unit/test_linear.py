"""What looks at bytes from outside takes time that grows with their number and no faster, whatever they are."""

from __future__ import annotations

import gc
import io
import math
import re
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from api.authentication.cookies import cookie_in
from api.http.compression import accepted, tag_named, tags_in
from api.representations import batches, ranges, submissions
from api.representations.imports import read_export
from shared import codec
from shared.core import documents
from shared.core.documents import DocumentId
from shared.core.index import cursors
from shared.core.json import strict
from shared.core.json.strict import FaultError
from shared.core.merge.policies import InvalidPolicies, parse
from shared.core.protocol import Limits
from tests.instance import ROOT

SMALL, TIMES = 1_000, 16
MOST_TIMES = TIMES**1.5
"""As far from what is linear as from what is quadratic: a machine is not four times as slow for one of two, if each
is looked at several times and the best counts."""
MOST_TRIES = 5
LIMITS = Limits(max_document_bytes=64 * 1024 * 1024)


def _post(raw: bytes) -> None:
    submissions.parse_post_task(raw, DocumentId("a"), LIMITS)


def _strictly(raw: bytes) -> None:
    strict.parse(raw, max_depth=64)


def _each(raw: bytes) -> None:
    batches.parse_post_tasks(raw, LIMITS)


def _policies(raw: bytes) -> None:
    parse(codec.parse(raw, max_depth=3))


def _ranges(raw: bytes) -> None:
    ranges.ranges_of(codec.parse(raw, max_depth=2), 10**9)


def _text(call: Callable[[str], object]) -> Callable[[bytes], None]:
    def run(raw: bytes) -> None:
        call(raw.decode())

    return run


def _document(inside: bytes) -> bytes:
    return b'{"client_state":{"id":"a","x":' + inside + b"}}"


CASES: dict[str, tuple[Callable[[bytes], None], Callable[[int], bytes]]] = {
    "a string of quotation marks that does not end": (_post, lambda n: b"[" + b"[]," * 70 + b'"' + b'\\"' * n),
    "a string of backslashes that does not end": (_post, lambda n: b"[" * 70 + b'"' + b"\\" * n),
    "brackets that open": (_post, lambda n: b"[" * n),
    "brackets that open, after keys": (_post, lambda n: b'{"a":' * n),
    "zeros": (_post, lambda n: _document(b"[0" + b",0" * n + b"]")),
    "zeros and one long number": (_post, lambda n: _document(b"[1234567890123456" + b",0" * n + b"]")),
    "one number of zeros": (_post, lambda n: _document(b"0" * n)),
    "one long number": (_post, lambda n: _document(b"1" * n)),
    "one long fraction": (_post, lambda n: _document(b"0." + b"1" * n)),
    "one long exponent": (_post, lambda n: _document(b"1e" + b"0" * n + b"1")),
    "what looks like numbers in a string": (_post, lambda n: _document(b'"' + b",1" * n + b'"')),
    "digits and points in a string": (_post, lambda n: _document(b'":' + b"1." * n + b'"')),
    "a key twice": (_post, lambda n: _document(b"[[]" + b",[]" * n + b'],"x":1')),
    "many keys twice": (_post, lambda n: _document(b"{" + b'"k":0,' * n + b'"k":0}')),
    "a long key over many numbers": (_post, lambda n: _document(b'{"' + b"k" * n + b'":[' + b"0," * n + b"1e999]}")),
    "long keys over each other": (_post, lambda n: _document((b'{"' + b"k" * n + b'":') * 40 + b"1e999" + b"}" * 40)),
    "colons behind escapes": (_post, lambda n: _document(b'"' + b"\\u003a" * n + b'"')),
    "white space": (_post, lambda n: _document(b" " * n + b"0")),
    "exactly: lists": (_strictly, lambda n: b"[[]" + b",[]" * n + b"]"),
    "exactly: a surrogate at the end": (_strictly, lambda n: b'"' + b"k" * n + b'\\ud800"'),
    "many documents with a fault": (
        _each,
        lambda n: b'{"tasks":{' + b",".join(b'"%d":{"client_state":1e999}' % i for i in range(n // 20)) + b"}}",
    ),
    "policies": (_policies, lambda n: b"{" + b",".join(b'"/%d/*":"set"' % i for i in range(n // 10)) + b"}"),
    "a pattern of many steps": (_policies, lambda n: b'{"' + b"/*" * n + b'":"set"}'),
    "a pattern of tildes": (_policies, lambda n: b'{"/' + b"~0" * n + b'":"set"}'),
    "ranges": (
        _ranges,
        lambda n: b'{"ranges":{' + b",".join(b'"%x":"%032x"' % (i, i) for i in range(n // 10)) + b"}}",
    ),
    "a range of digits": (_ranges, lambda n: b'{"ranges":{"' + b"0" * n + b'":""}}'),
    "a cursor": (_text(cursors.parse_cursor), lambda n: b"a" * n),
    "a cursor's digits": (_text(cursors.parse_cursor), lambda n: b"a-" + b"1" * n),
    "an id": (_text(documents.is_document_id), lambda n: b"a" * n + b"/"),
    "codings": (_text(accepted), lambda n: b"gzip;q=0.5," * n),
    "a cookie of quotation marks": (_text(lambda text: cookie_in(text, "a")), lambda n: b'a="' + b'\\"' * n + b'"'),
    "many cookies": (_text(lambda text: cookie_in(text, "a")), lambda n: b"a=b;" * n),
    "tags": (_text(tags_in), lambda n: b'W/"a.gzip",' * n),
    "a tag of endings": (_text(tags_in), lambda n: b".gzip" * n),
    "a tag among many": (_text(lambda text: tag_named(text, "a")), lambda n: b'"' * n),
}


def test_cookies_are_taken_apart_in_one_place() -> None:
    for file in (ROOT / "api").rglob("*.py"):
        assert not re.search(r"\.cookies(\.get|\.items|\[)", file.read_text()), file


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("", ""),
        ("a=x", "x"),
        ("b=y; a=x;c", "x"),
        ("a", ""),
        ("aa=y", ""),
        ("a=x=y==", "x=y=="),
        (" a = x ;", "x"),
        ("a=x; a=y", "y"),
    ],
)
def test_a_cookie_is_found(header: str, value: str) -> None:
    assert cookie_in(header, "a") == value


def _export(states: int) -> bytes:
    """With so many revisions of one document."""
    row = '{"kind":"revision","id":"a","rev":"%d-x","hash":"x","deleted":true,"state":null,"sequence":%d,"device":"d"'
    row += ',"at":1,"outcome":"deleted","rule":"x","parents":[],"conflicts":[]}'
    lines = ['{"kind":"space","format":1}', *(row % (n, n) for n in range(states))]
    return "\n".join([*lines, f'{{"kind":"end","documents":0,"revisions":{states}}}']).encode()


def test_the_history_of_a_document_is_read_in_linear_time() -> None:
    def read(raw: bytes) -> None:
        assert read_export(io.BytesIO(raw), LIMITS).documents == 1

    _grows_linearly(read, _export(500), _export(500 * TIMES))


@pytest.mark.parametrize("name", CASES)
def test_time_grows_with_the_number_of_bytes(name: str) -> None:
    call, text = CASES[name]
    _grows_linearly(call, text(SMALL), text(SMALL * TIMES))


def _grows_linearly(call: Callable[[bytes], None], small: bytes, large: bytes) -> None:
    """By the time of the processor that this thread has: most of the work is that of C, which has no steps to be
    counted. What else the machine does makes some tries longer, and none shorter."""
    of_small = of_large = math.inf
    for _ in range(MOST_TRIES):
        of_small = min(of_small, _seconds(call, small))
        of_large = min(of_large, _seconds(call, large))
        if of_large < MOST_TIMES * max(of_small, 0.0005):
            return
    raise AssertionError(f"{TIMES} times as many bytes took {of_large / of_small:.0f} times as long")


def _seconds(call: Callable[[bytes], None], raw: bytes) -> float:
    gc.disable()  # it would look through all that the tests have loaded
    began = time.thread_time()
    try:
        with suppress(FaultError, InvalidPolicies):  # refusing must not take longer either
            call(raw)
        return time.thread_time() - began
    finally:
        gc.enable()
