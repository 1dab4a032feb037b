"""Remote over HTTP. The only module of the client that imports the HTTP library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import orjson

from client.push.remote import (
    Correct,
    ForbiddenError,
    NotHypertaskError,
    Refused,
    TokenNotAcceptedError,
    UnavailableError,
    UnreachableError,
)
from client.sync.retry import Backoff, retry_after_seconds
from shared import codec
from shared.core.documents import Body, ContentHash, DocumentId, HashMap, is_document_id

TURNED_AWAY: Final = frozenset({429, 502, 503, 504})
"""Says nothing about the request; 502 and 504 come from a load balancer whose server is restarting."""
OF_THE_DOCUMENT: Final = frozenset({400, 409, 413, 422, 500, 507})
"""Concerns the document that was sent; 500 too, which a repetition would meet again."""
FIRST_CONTACT: Final = 3
"""Attempts until the server has answered once: a wrong address should be told soon."""

Sleep = Callable[[float], Awaitable[None]]


@asynccontextmanager
async def connect(
    url: str,
    token: str,
    *,
    connections: int = 32,
    backoff: Backoff | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[HttpRemote]:
    """A Remote with at most `connections` connections, closed at the end. Nothing is sent yet."""
    async with AsyncExitStack() as stack:
        certificates = httpx.create_ssl_context()  # costly; one does for all
        # One pool of many connections looks at every one of them for every request.
        clients = [
            await stack.enter_async_context(
                httpx.AsyncClient(
                    base_url=url,
                    headers={"authorization": f"Bearer {token}", "user-agent": "hypertask"},
                    # A server answers 503 by its own deadline; only a lost connection lets a minute pass.
                    timeout=httpx.Timeout(60, connect=5, pool=None),
                    limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
                    transport=transport,
                    verify=certificates,
                )
            )
            for _ in range(connections)
        ]
        yield HttpRemote(str(clients[0].base_url).rstrip("/"), clients, backoff or Backoff())


class HttpRemote:
    """See the port."""

    def __init__(
        self, url: str, lanes: Iterable[httpx.AsyncClient], backoff: Backoff, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._where = url
        self._backoff = backoff
        self._sleep = sleep
        self._reached = False
        self._readable = True
        # Last in, first out: who sends one request at a time has one connection.
        self._free: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()
        for lane in lanes:
            self._free.put_nowait(lane)

    async def hashes(self) -> HashMap:
        answer = await self._request("GET", "/hashes")
        if answer.status_code != 200:
            raise self._unexpected(answer)
        value = self._json(answer)
        if not isinstance(value, dict) or not all(isinstance(hash_, str) for hash_ in value.values()):
            raise self._not_hypertask(answer, "its hash map is none")
        known = {key: hash_ for key, hash_ in value.items() if is_document_id(key)}
        return {DocumentId(document): ContentHash(hash_) for document, hash_ in known.items()}

    async def submit(self, document: DocumentId, state: Body | None) -> Correct | Refused:
        answer = await self._request("POST", f"/task/{document}", codec.dumps({"client_state": state}))
        if answer.status_code in OF_THE_DOCUMENT:
            return _refusal(answer)
        if answer.status_code != 200:
            raise self._unexpected(answer)
        value = self._json(answer)
        if isinstance(value, dict) and "server_state" in value:
            now = value["server_state"]
            if now is None or (isinstance(now, dict) and now.get("id") == document):
                return Correct(now)
        raise self._not_hypertask(answer, f"its answer for {document} is no state of that document")

    async def read(self, document: DocumentId) -> Body | None:
        if self._readable:
            answer = await self._request("GET", f"/task/{document}")
            if answer.status_code == 200:
                value = self._json(answer)
                return value if isinstance(value, dict) and value.get("id") == document else None
            if answer.status_code not in (405, 501):
                if answer.status_code == 404:
                    return None
                raise self._unexpected(answer)
            self._readable = False  # do not ask ten thousand times
        # v1.0 has one way to read: to say that one has nothing. It is the second choice, because a server
        # may take it as seen from then on, which it was not by those who made the state to be sent.
        stored = await self.submit(document, None)
        return stored.state if isinstance(stored, Correct) else None

    # --- one request, and what can become of it --------------------------------------------------------

    async def _request(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        """The first answer that is not "not now". Raises UnreachableError, UnavailableError."""
        headers = {"content-type": "application/json"} if content is not None else {}
        failures = 0
        while True:
            wait: float | None = None
            failure: UnreachableError | UnavailableError
            try:
                answer = await self._send(method, path, content, headers)
            except httpx.TransportError as error:
                failure = UnreachableError(
                    f"no answer from {self._where}: {_sentence(error)}. Is the server running, and is the "
                    "address right (--url or HYPERTASK_URL)?"
                )
            except (httpx.HTTPError, httpx.InvalidURL) as error:  # not a matter of trying again
                raise NotHypertaskError(f"{self._where} cannot be used: {_sentence(error)}") from error
            else:
                self._reached = True
                if answer.status_code not in TURNED_AWAY:
                    return answer
                wait = retry_after_seconds(answer.headers.get("retry-after"), datetime.now(UTC))
                failure = UnavailableError(f"{self._where} is too busy or not ready: {_refusal(answer).reason}")
            failures += 1
            delay = self._backoff.delay(failures, wait)
            if delay is None or (not self._reached and failures >= FIRST_CONTACT):
                raise failure
            await self._sleep(delay)

    async def _send(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> httpx.Response:
        lane = await self._free.get()
        try:
            return await lane.request(method, path, content=content, headers=headers)
        finally:
            self._free.put_nowait(lane)

    def _unexpected(self, answer: httpx.Response) -> Exception:
        reason = _refusal(answer).reason
        if answer.status_code == 401:
            return TokenNotAcceptedError(
                f"the token is not accepted: {reason} Give the token of a device that was not revoked "
                "(--token or HYPERTASK_TOKEN)."
            )
        if answer.status_code == 403:
            return ForbiddenError(f"the token does not allow this: {reason}")
        if answer.is_redirect:
            return self._not_hypertask(answer, f"it redirects to {answer.headers.get('location')!r}")
        return self._not_hypertask(answer, f"status {answer.status_code}: {reason}")

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return codec.loads_answer(answer.content)
        except ValueError as error:
            raise self._not_hypertask(answer, "its answer is not JSON") from error

    def _not_hypertask(self, answer: httpx.Response, detail: str) -> NotHypertaskError:
        request = f"{answer.request.method} {answer.request.url.path}"
        return NotHypertaskError(
            f"{self._where} does not answer as a Hypertask server ({request}: {detail}). "
            "Is the address right (--url or HYPERTASK_URL)?"
        )


def _refusal(answer: httpx.Response) -> Refused:
    """From `application/problem+json`, or from the status alone."""
    try:
        problem = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    text = problem.get("detail") or problem.get("title") or answer.reason_phrase or "no reason given"
    reason = f"{str(text).rstrip('.')}."
    if pointer := problem.get("pointer"):
        reason += f" At {pointer}."
    if answer.status_code >= 500 and (request_id := problem.get("request_id")):
        reason += f" Request {request_id}."
    return Refused(reason, str(problem.get("code") or answer.status_code))


def _sentence(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__
