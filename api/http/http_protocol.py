"""HTTP/1.1 as uvicorn speaks it. Malformed requests are answered in our form, and what a connection may do before its
request reaches a handler is bounded: time and size of the head, chunks of the body, requests that wait on one
connection, connections in all. A client that does not read its answer is cut off."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api import errors
from api.errors import Kind
from api.http.answer import TOGETHER
from api.http.connection import CONNECTION, WHOLE, Connection
from api.http.cycle import Cycle
from api.http.fields import fields_of
from shared import codec
from shared.observability import event

logger = logging.getLogger(__name__)

_MALFORMED: Final = "This is not an HTTP/1.1 request. The connection is closed."
MOST_HEAD_BYTES: Final = 64 * 1024
MOST_HEADERS: Final = 200
MOST_PARAMETERS: Final = 200
_MAX_ESCAPES: Final = 4096
_MAX_PIPELINED: Final = 16
"""Requests that wait on a connection, or a few more that came in the same _SLICE_BYTES. Then no more is read."""
_SLICE_BYTES: Final = 2 * 1024
_CHUNKED_SLICE_BYTES: Final = 16 * 1024
_CHUNKS: Final = 1000
_CHUNK_BYTES: Final = 32
"""A body may come in so many chunks, and in one more for so many bytes: each costs as much as a thousand bytes."""
_MAX_TRAILERS: Final = 20
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Za-z:._-]+\])(?::[0-9]{0,5})?\Z")
"""A name or address, perhaps with a port (RFC 9110, 7.2); nothing in which others could see a user, path or query."""
_STUCK_SECONDS: Final = 30.0
_STUCK_BYTES: Final = 64 * 1024
"""Who takes fewer bytes of an answer in _STUCK_SECONDS is cut off."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one process allows."""

    connections: int
    header_seconds: float
    """For the head of a request to arrive."""


class _GivenUpError(Exception):
    """Raised in a callback of the parser: it stops, and the request is refused."""


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    scope: Any
    bounds: ClassVar[Bounds] = Bounds(8192, 10.0)
    _waiting: ClassVar[dict[HttpProtocol, None]] = {}
    """Connections without a request, those that have waited longest first."""

    def __init__(self, *args: Any, **arguments: Any) -> None:
        super().__init__(*args, **arguments)
        self._connection = Connection()
        self._head_timer: asyncio.TimerHandle | None = None
        self._stuck_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._in_body = False
        self._has_begun = False
        """A part of the head is there, perhaps of no slice of its own."""
        self._head_bytes = 0
        self._chunks = self._body_bytes = self._trailers = 0
        self._refusal: tuple[Kind, str] | None = None
        self._refused_later: tuple[Kind, str] | None = None
        """What is answered when the requests before it are."""
        self._unread = b""
        """What came behind as many requests as may wait."""
        self._host = b""
        """Of the request before, which was a good one."""
        self._is_chunked = False
        self._body_length = 0
        self._has_offer = False
        """The request offers another protocol and has a body, which the parser takes for that protocol."""
        self._is_replaying = False
        """The parser reads the head of such a request once more."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()
        self._start_head_timer()
        while len(self.connections) > self.bounds.connections and self._waiting:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            oldest.connections.discard(oldest)
            oldest.transport.close()
        if len(self.connections) > self.bounds.connections:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.pop(self, None)
        self._end_timers()
        super().connection_lost(exc)
        self._connection.end()

    def data_received(self, data: bytes) -> None:
        if len(data) <= _SLICE_BYTES and not self._unread and not self.pipeline and self._refused_later is None:
            if not self.transport.is_closing():
                self._parse(data)  # most requests are one such slice
            return
        if self._unread:
            self._unread += data
            self.flow.pause_reading()  # whoever reads a body has resumed it
            return
        view = memoryview(data)
        while view and self._refused_later is None and not self.transport.is_closing():
            if len(self.pipeline) >= _MAX_PIPELINED:
                self._unread = bytes(view)
                return
            size = self._slice_bytes()
            self._parse(bytes(view[:size]))
            view = view[size:]

    def _slice_bytes(self) -> int:
        """How much may be parsed at a time: there may be a request in every twenty bytes of it."""
        if not self._in_body:
            return _SLICE_BYTES
        return _CHUNKED_SLICE_BYTES if self._is_chunked else max(self._body_length - self._body_bytes, _SLICE_BYTES)

    def _parse(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self.send_400_response("")
            return
        if not self._in_head:
            return
        if self._head_bytes > MOST_HEAD_BYTES:
            self._refuse(errors.HEADERS_TOO_LARGE, f"The head of a request may have {MOST_HEAD_BYTES} bytes.")
        elif self._head_timer is None and (self._head_bytes or self._has_begun):  # more of it is to come
            self._start_head_timer()

    def _feed(self, data: bytes) -> None:
        """Offers to go on in another protocol are passed over (RFC 9110, 7.8): clients that know HTTP/2 offer it with
        any request."""
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                if self._has_offer:
                    self._has_offer = False
                    self._replay_head()

    def _replay_head(self) -> None:
        """Another parser goes on with the body."""
        framing = b"Transfer-Encoding: chunked" if self._is_chunked else b"Content-Length: %d" % self._body_length
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        self._is_replaying = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
        self._is_replaying = False

    def on_message_begin(self) -> None:
        if self._is_replaying:
            return
        # As uvicorn does it.
        self.url, self.expect_100_continue, self.headers = b"", False, []
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }
        self._in_head, self._in_body, self._has_begun = True, False, True
        self._chunks = self._body_bytes = self._trailers = 0

    def on_url(self, url: bytes) -> None:
        if not self._is_replaying:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_replaying:
            return
        if not self._in_head:
            self._trailers += 1
            if self._trailers > _MAX_TRAILERS:
                self._give_up(errors.MALFORMED_REQUEST, f"A body may have {_MAX_TRAILERS} trailers.")
            return  # nobody asks for them
        if len(self.headers) >= MOST_HEADERS:
            self._give_up(errors.HEADERS_TOO_LARGE, f"A request may have {MOST_HEADERS} headers.")
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_body(self, body: bytes) -> None:
        self._chunks += 1
        self._body_bytes += len(body)
        if self._chunks > _CHUNKS + self._body_bytes // _CHUNK_BYTES:
            self._give_up(errors.MALFORMED_REQUEST, "The chunks of the body are too small.")
        super().on_body(body)

    def on_headers_complete(self) -> None:
        if self._is_replaying:
            return
        query = self.url.partition(b"?")[2]
        if query.count(b"&") >= MOST_PARAMETERS or query.count(b"%") > _MAX_ESCAPES:
            detail = f"An address may have {MOST_PARAMETERS} parameters, and {_MAX_ESCAPES} escapes (%) in them."
            self._give_up(errors.MALFORMED_REQUEST, detail)
        self._look_at_host()
        self._begin_cycle()  # may find that they are not valid
        self._in_head, self._in_body, self._has_begun = False, True, False
        fields = fields_of(self.scope)
        self._is_chunked = "transfer-encoding" in fields
        self._body_length = 0 if self._is_chunked else int(fields.get("content-length", "0"))
        self._has_offer = self.parser.should_upgrade() and (self._is_chunked or self._body_length > 0)
        self._head_bytes = 0
        if self._head_timer is not None:
            self._end_head_timer()
        self._waiting.pop(self, None)

    def _begin_cycle(self) -> None:
        """Has the request answered, in its turn. As uvicorn does, whose cycle would be another one."""
        scope = self.scope
        scope[CONNECTION], scope[TOGETHER] = self._connection, True
        scope["method"] = self.parser.get_method().decode("ascii")
        version = scope["http_version"] = self.parser.get_http_version()
        url = httptools.parse_url(self.url)
        path = url.path.decode("ascii")
        scope["path"] = unquote(path) if "%" in path else path
        scope["raw_path"], scope["query_string"] = url.path, url.query or b""
        before = self.cycle
        self.cycle = Cycle(self, keep_alive=version != "1.0" and self.parser.should_keep_alive())
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _look_at_host(self) -> None:
        """Requests of HTTP/1.1 have one, none has two: a proxy might go by the other one (RFC 9112, 3.2)."""
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) == 1 and hosts[0] == self._host:
            return
        if len(hosts) > 1 or (not hosts and self.parser.get_http_version() != "1.0"):
            self._give_up(errors.MALFORMED_REQUEST, f"A request has one Host header; this one has {len(hosts)}.")
        if hosts:
            if not _HOST.match(hosts[0]):
                self._give_up(errors.MALFORMED_REQUEST, "The Host header is not a name or address with a port.")
            self._host = hosts[0]

    def on_message_complete(self) -> None:
        if self._has_offer:  # says the parser, but its body comes
            return
        self._in_body = False
        self.scope[WHOLE] = True
        super().on_message_complete()
        if self.cycle.response_complete:  # before its body had come, which ended the time that it is kept open
            self._wait_for_head()
            self._start_head_timer()

    def on_response_complete(self) -> None:
        goes_on = bool(self.pipeline)
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._unread:
            unread, self._unread = self._unread, b""
            self.data_received(unread)
        if goes_on:
            return
        if self._refused_later is not None:
            self._refuse(*self._refused_later)
            return
        if self._in_body:
            self._start_head_timer()  # for the rest of the body, which nobody reads
        elif self._in_head:  # the next one has begun
            self._waiting[self] = None
        else:
            self._wait_for_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_stuck_timer()

    def _watch(self, left: int) -> None:
        self._end_stuck_timer()
        self._stuck_timer = self.loop.call_later(_STUCK_SECONDS, self._look_whether_stuck, left)

    def _look_whether_stuck(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if before - left >= _STUCK_BYTES:
            self._watch(left)
        else:
            event(logger, logging.INFO, "reader_stuck", left=left)
            self.transport.abort()

    def _wait_for_head(self) -> None:
        """Any time may pass until it begins, that is, as long as a connection is kept open."""
        self._in_head, self._in_body = True, False
        self._head_bytes = 0
        self._waiting[self] = None
        self._end_head_timer()

    def _start_head_timer(self) -> None:
        self._end_head_timer()
        self._head_timer = self.loop.call_later(self.bounds.header_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        seconds = self.bounds.header_seconds
        self._refuse(
            errors.REQUEST_TIMEOUT, f"The head of a request is waited for {seconds:g} s (HYPERTASK_HEADER_SECONDS)."
        )

    def _end_timers(self) -> None:
        self._end_head_timer()
        self._end_stuck_timer()

    def _end_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_stuck_timer(self) -> None:
        if self._stuck_timer is not None:
            self._stuck_timer.cancel()
            self._stuck_timer = None

    def send_400_response(self, msg: str) -> None:
        """The parser gave up, or we did in one of its callbacks."""
        kind, detail = self._refusal or (errors.MALFORMED_REQUEST, _MALFORMED)
        self._refuse(kind, detail)

    def _give_up(self, kind: Kind, detail: str) -> NoReturn:
        self._refusal = (kind, detail)
        raise _GivenUpError(detail)

    def _refuse(self, kind: Kind, detail: str) -> None:
        """Answers what is wrong, after what came before it. Nothing can be said in the middle of another answer: then
        the connection only ends."""
        self._end_head_timer()
        if self.transport.is_closing():
            return
        under_way = self.cycle is not None and not self.cycle.response_complete
        if under_way and (self.pipeline or not self._in_body):
            if self._in_body:  # nothing was done yet for the one whose body is wrong
                self.pipeline.popleft()[0].response_complete = True
                self._in_body = False
            self._refused_later = (kind, detail)
            self.flow.pause_reading()
            return
        if under_way and (self.cycle.response_started or kind is not errors.MALFORMED_REQUEST):
            self.transport.close()
            return
        if not under_way and (self._in_body or (kind is errors.REQUEST_TIMEOUT and not self._head_bytes)):
            self.transport.close()  # it was answered, or never asked anything
            return
        identity = secrets.token_hex(8)
        problem = errors.members(errors.ProblemError(kind, detail)) | {"request_id": identity}
        body = codec.dumps(problem)
        headers = {
            **errors.PROBLEM_HEADERS,
            "content-length": str(len(body)),
            "connection": "close",
            "x-request-id": identity,
        }
        head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        self.transport.write(f"HTTP/1.1 {kind.status} {_PHRASES[kind.status]}\r\n{head}\r\n".encode("ascii") + body)
        self.transport.close()
        event(logger, logging.INFO, "request_refused", code=kind.code, request_id=identity)


_PHRASES: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
}
