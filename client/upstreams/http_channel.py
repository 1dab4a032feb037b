"""Requests to one server: repeated when it says "not now", counted, and with every failure as one of the port's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlencode

import httpx
import orjson

from client.sync.engine.records import Refused
from client.sync.upstream import (
    NotAnUpstreamError,
    RefusedAccessError,
    UpstreamError,
    UpstreamUnavailableError,
    UpstreamUnreachableError,
)
from client.upstreams.changes_question import headers_of
from client.upstreams.coding import ACCEPTED, COMPRESS_FROM, compressed, value_of
from shared.core.protocol import WRITES_REFUSED
from shared.retry import Backoff, retry_after_seconds

if TYPE_CHECKING:
    import ssl

T = TypeVar("T")

CONNECTIONS: Final = 16
"""Most requests under way at a time, to a server that takes no batches."""
TURNED_AWAY: Final = frozenset({429, 502, 503, 504})
FIRST_CONTACT: Final = 4
"""Attempts until the server has answered once: a wrong address should be told soon."""
BACKOFF: Final = Backoff(attempts=4, base=0.1, cap=2.0, patience=5.0)
"""A daemon comes again by itself, and a person should be told soon."""


class Channel:
    """`token` None: for what needs none."""

    def __init__(
        self,
        url: str,
        token: str | None,
        *,
        space: str | None = None,
        another_token: str | None = None,
        backoff: Backoff = BACKOFF,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        headers = headers_of(token, space, accept_encoding=ACCEPTED)
        self.url = url.rstrip("/")
        self._another_token = another_token or (
            f"Sign in again: hypertask login {self.url}, or give another one: hypertask connect {self.url}"
        )
        """What to do for another token."""
        self.requests = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        """Of bodies, as they travelled."""
        self.coding = ""
        """Of compressed bodies that the server takes; "": of none."""
        self._backoff = backoff
        self._reached = False
        self._sleep = sleep
        self._client = httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(60, connect=5, pool=None),
            verify=_verification(self.url),
            limits=httpx.Limits(max_connections=CONNECTIONS + 1, max_keepalive_connections=CONNECTIONS),
            transport=transport,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def request(
        self,
        method: str,
        path: str,
        value: Any = None,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float | None = None,
        sent: asyncio.Event | None = None,
    ) -> httpx.Response:
        """The first answer that is not "not now". `form`: a body of fields in place of JSON. `seconds`: how long it
        may take, for one that is held back. `sent` is set when the request has left. Raises UpstreamError."""
        content, fields = self._body(value) if form is None else _form(form)
        fields.update(headers or {})
        extensions = {"trace": _setting(sent)} if sent is not None else {}
        failures = 0
        while True:
            wait: float | None = None
            failure: UpstreamError
            try:
                self.requests += 1
                self.bytes_sent += len(content or b"")
                timeout = (
                    httpx.USE_CLIENT_DEFAULT if seconds is None else httpx.Timeout(seconds, connect=5, pool=None)
                )
                answer = await self._client.request(
                    method, path, content=content, headers=fields, timeout=timeout, extensions=extensions
                )
                self.bytes_received += answer.num_bytes_downloaded
            except httpx.TransportError as error:
                failure = UpstreamUnreachableError(
                    f"no answer from {self.url}: {_sentence(error)}. Is the server running, and this device online?"
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise NotAnUpstreamError(f"{self.url} cannot be used: {_sentence(error)}") from error
            else:
                self._reached = True
                if answer.status_code not in TURNED_AWAY:
                    return self._let_in(answer)
                wait = retry_after_seconds(answer.headers.get("retry-after"), datetime.now(UTC))
                failure = UpstreamUnavailableError(f"{self.url} is busy or not ready: {refusal(answer).reason}")
            failures += 1
            delay = self._backoff.delay(failures, wait)
            if delay is None or (not self._reached and failures >= FIRST_CONTACT):
                raise failure
            await self._sleep(delay)

    async def begun(self, method: str, path: str, value: Any = None, **options: Any) -> asyncio.Task[httpx.Response]:
        """As `request`, and returns when the request has left: the server works on it while the caller does
        something else. Whoever does not await the task cancels it."""
        return await started(lambda sent: self.request(method, path, value, sent=sent, **options))

    @asynccontextmanager
    async def stream(self, path: str, headers: Mapping[str, str], silence: float) -> AsyncIterator[httpx.Response]:
        """An answer that goes on and on; it is given up after so many seconds of silence. Raises UpstreamError."""
        try:
            timeout = httpx.Timeout(silence, connect=5, pool=None)
            self.requests += 1
            async with self._client.stream("GET", path, headers=dict(headers), timeout=timeout) as answer:
                if answer.status_code in TURNED_AWAY:
                    raise UpstreamUnavailableError(f"{self.url} is busy or not ready: status {answer.status_code}")
                if answer.status_code != 200:
                    await answer.aread()
                yield self._let_in(answer)
        except httpx.TransportError as error:
            raise UpstreamUnreachableError(f"no answer from {self.url}: {_sentence(error)}") from error

    def value_of(self, answer: httpx.Response, status: int = 200) -> Any:
        """The JSON of an answer with that status. Raises NotAnUpstreamError."""
        if answer.status_code != status:
            raise self.unexpected(answer, f"status {answer.status_code}: {refusal(answer).reason}")
        try:
            return value_of(answer)
        except ValueError as error:
            raise self.unexpected(answer, "its answer is not JSON") from error

    def unexpected(self, answer: httpx.Response, detail: str) -> NotAnUpstreamError:
        request = f"{answer.request.method} {answer.request.url.path}"
        return NotAnUpstreamError(
            f"{self.url} does not answer as a Hypertask server ({request}: {detail}). Is the address right? "
            "hypertask config show"
        )

    def _let_in(self, answer: httpx.Response) -> httpx.Response:
        if answer.status_code == 401:
            raise RefusedAccessError(
                f"{self.url} does not accept the token: was the device revoked? {self._another_token}"
            )
        if answer.status_code == 403 and refusal(answer).code not in WRITES_REFUSED:
            raise RefusedAccessError(f"{self.url} does not permit this: {refusal(answer).reason}")
        return answer

    def _body(self, value: Any) -> tuple[bytes | None, dict[str, str]]:
        if value is None:
            return None, {}
        content, headers = orjson.dumps(value), {"content-type": "application/json"}
        if self.coding and len(content) >= COMPRESS_FROM:
            content, headers["content-encoding"] = compressed(content, self.coding), self.coding
        return content, headers


async def started(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
    """A task that does the work; returns when that has set what it is given, or is done."""
    sent = asyncio.Event()
    task = asyncio.create_task(work(sent))
    leaving = asyncio.create_task(sent.wait())
    try:
        await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        leaving.cancel()
    return task


def _verification(url: str) -> ssl.SSLContext:
    if not url.lower().startswith("https:"):
        # Without a context httpcore would make one that verifies, if it needed it.
        return cast("ssl.SSLContext", None)
    from client.upstreams.trust import trusted  # noqa: PLC0415  only https needs it

    return trusted()


def _form(fields: Mapping[str, str]) -> tuple[bytes, dict[str, str]]:
    return urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded"}


def _setting(sent: asyncio.Event) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
    """A trace for httpcore."""

    async def trace(name: str, info: Mapping[str, Any]) -> None:
        if name.endswith("send_request_body.complete"):
            sent.set()

    return trace


def refusal(answer: httpx.Response) -> Refused:
    """From `application/problem+json`, or from the status alone."""
    try:
        value = value_of(answer)
    except ValueError:
        value = None
    problem: dict[str, Any] = value if isinstance(value, dict) else {}
    return refused(problem, answer.status_code, answer.reason_phrase)


def refused(problem: Mapping[str, Any], status: int, phrase: str = "") -> Refused:
    """What a problem's members say."""
    text = problem.get("detail") or problem.get("title") or phrase or "no reason given"
    reason = f"{str(text).rstrip('.')}."
    if pointer := problem.get("pointer"):
        reason += f" At {pointer}."
    if status >= 500 and (request_id := problem.get("request_id")):
        reason += f" Request {request_id}."
    return Refused(str(problem.get("code") or status), reason)


def _sentence(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
