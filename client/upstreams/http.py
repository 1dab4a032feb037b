"""Upstream on a server. What the server offers beyond v1.0 is used; v1.0 is enough.

`GET /` says what it offers. That is remembered, and asked for again once a day.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import httpx

from client.sync.engine.records import UpstreamAnswer, UpstreamReply
from client.sync.upstream import (
    Abilities,
    CursorGoneError,
    Outgoing,
    RefusedAccessError,
    UpstreamChanges,
    UpstreamUnavailableError,
)
from client.upstreams.changes_question import ETAG, SINCE, cursor_at, known_tag, position_in, since_path
from client.upstreams.coding import coding_for, value_of
from client.upstreams.http_channel import CONNECTIONS, Channel, started
from client.upstreams.http_submission import HttpSubmission, state_in
from client.upstreams.server_facts import ServerFacts
from shared.codec import loads_answer
from shared.core.identifiers import ContentHash, DocumentId, is_document_id
from shared.core.merge.policies import NO_POLICIES, InvalidPolicies, Policies
from shared.core.merge.policies import parse as parse_policies

if TYPE_CHECKING:
    from shared.core.index.reconciliation import Fingerprint

CURSOR_HEADER: Final = "hypertask-cursor"
AFTER_HEADER: Final = "hypertask-after"
"""Of a page: what the next one is asked for with. Older servers say it in the body alone."""
PORTION: Final = 2_000
"""Several batches, so that one is on its way while another is applied."""
PAGE_DOCUMENTS: Final = 1_000
POLL_SECONDS: Final = 5.0
"""How often a server is asked that can neither tell nor hold an answer back."""
HOLD_SECONDS: Final = 25
HEARTBEATS_MISSED: Final = 40.0
"""Seconds without a sign of life in an event stream, which has one every 15."""


class _Page(NamedTuple):
    """Of a copy. `after`: what the next one is asked for with; "" after the last."""

    changes: UpstreamChanges
    after: str


class HttpUpstream:
    """See the port."""

    def __init__(self, channel: Channel, facts: Mapping[str, Any]) -> None:
        """`facts`: what `abilities` gave an earlier driver of the same server."""
        self.channel = channel
        self._names: dict[str, str] | None = None
        self._has_sent = False
        """Documents, since it was asked what changed."""
        self._learn(ServerFacts.stored(facts))

    def _learn(self, facts: ServerFacts) -> None:
        self._facts = facts
        self.channel.coding = coding_for(frozenset(facts.supports))
        self.abilities = Abilities(  # asked for several times for each document
            bases=facts.offers("base"),
            history=facts.offers("revisions"),
            versions=facts.offers("versions"),
            portion=PORTION if facts.offers("batch") else 4 * CONNECTIONS,
            facts=facts.as_stored(),
        )

    async def read_capabilities(self) -> Mapping[str, Any]:
        """What `GET /` says; {} of a server that has nothing there. Raises UpstreamError."""
        answer = await self.channel.request("GET", "/")
        value: Any = None
        if answer.status_code == 200:
            with suppress(ValueError):
                value = value_of(answer)
        about: dict[str, Any] = value if isinstance(value, dict) and value.get("protocol_versions") else {}
        self._learn(ServerFacts.from_answer(about))
        return about

    async def _refresh_capabilities(self) -> None:
        if self._facts.is_old(time.time()):
            await self.read_capabilities()

    async def changes(self, cursor: str | None) -> UpstreamChanges:
        return await self._changes(cursor)

    async def asked(self, cursor: str | None) -> asyncio.Task[UpstreamChanges]:
        return await started(partial(self._changes, cursor))

    async def _changes(self, cursor: str | None, sent: asyncio.Event | None = None) -> UpstreamChanges:
        """`sent` is set when the question has left."""
        await self._refresh_capabilities()
        if self._facts.offers("since"):
            return await self._since(position_in(cursor, SINCE), sent)
        return await self._map(position_in(cursor, ETAG), sent)

    async def _map(self, etag: str | None, sent: asyncio.Event | None) -> UpstreamChanges:
        headers = known_tag(etag) if etag else {}
        answer = await self.channel.request("GET", "/hashes", headers=headers, sent=sent)
        if answer.status_code == 304:
            return UpstreamChanges({}, cursor_at(ETAG, etag), is_complete=False)
        hashes = self._hashes(answer, self.channel.value_of(answer), live=True)
        current = answer.headers.get("etag")
        return UpstreamChanges(hashes, cursor_at(ETAG, current), is_complete=True)

    async def _since(self, position: str | None, sent: asyncio.Event | None) -> UpstreamChanges:
        if position is None:
            answer = await self.channel.request("GET", "/hashes", sent=sent)
            hashes = self._hashes(answer, self.channel.value_of(answer), live=True)
            current = answer.headers.get(CURSOR_HEADER)
            return UpstreamChanges(hashes, cursor_at(SINCE, current), is_complete=True)
        changed: dict[DocumentId, ContentHash | None] = {}
        states: dict[DocumentId, UpstreamAnswer] = {}
        # What was sent is known, and comes again among the changes.
        wanted = "&states=1" if self._facts.offers("states") and not self._has_sent else ""
        self._has_sent = False
        more = True
        while more:
            answer = await self.channel.request("GET", since_path(position) + wanted, sent=sent)
            if answer.status_code == 410:
                raise CursorGoneError
            value = self.channel.value_of(answer)
            if not isinstance(value, dict) or not isinstance(value.get("cursor"), str):
                raise self.channel.unexpected(answer, "there is no cursor in its answer")
            changed.update(self._hashes(answer, value.get("hashes"), live=False))
            if isinstance(tasks := value.get("tasks"), dict):
                states.update(self._states(answer, tasks))
            position, more, wanted = value["cursor"], bool(value.get("more")), ""
        return UpstreamChanges(changed, cursor_at(SINCE, position), is_complete=False, states=states)

    def _hashes(self, answer: httpx.Response, value: Any, *, live: bool) -> dict[DocumentId, ContentHash | None]:
        kinds = (str,) if live else (str, type(None))
        if not isinstance(value, dict) or not all(isinstance(content, kinds) for content in value.values()):
            raise self.channel.unexpected(answer, "its answer is not a valid hash map")
        return {DocumentId(document): content for document, content in value.items() if is_document_id(document)}

    # All of it

    async def copy(self) -> AsyncIterator[UpstreamChanges]:
        """While the first page is read, and while a page is written, the next one is on its way; it is read while the
        disk is waited for."""
        await self._refresh_capabilities()
        if not (self._facts.offers("pages") and self._facts.offers("base") and self._facts.offers("since")):
            return
        answer = await self._ask_page("")
        after = answer.headers.get(AFTER_HEADER, "")
        coming = await self._page(after) if after else None
        try:
            page: _Page | None = self._page_in(answer)
            while page is not None:
                if coming is None and page.after:
                    coming = await self._page(page.after)
                yield page.changes
                page = await coming if coming is not None else None
                coming = None
        finally:
            if coming is not None:
                coming.cancel()

    async def _page(self, after: str) -> asyncio.Task[_Page]:
        async def read(sent: asyncio.Event) -> _Page:
            return self._page_in(await self._ask_page(after, sent))

        return await started(read)

    async def _ask_page(self, after: str, sent: asyncio.Event | None = None) -> httpx.Response:
        path = f"/tasks?limit={self._facts.max_documents(PAGE_DOCUMENTS)}&after={quote(after, safe='')}"
        return await self.channel.request("GET", path, sent=sent)

    def _page_in(self, answer: httpx.Response) -> _Page:
        value = self.channel.value_of(answer)
        tasks, cursor = (value.get("tasks"), value.get("cursor")) if isinstance(value, dict) else (None, None)
        if not isinstance(tasks, dict) or not isinstance(cursor, str):
            raise self.channel.unexpected(answer, "there are no tasks in its answer")
        states = self._states(answer, tasks)
        hashes = {document: state.hash for document, state in states.items()}
        changes = UpstreamChanges(hashes, cursor_at(SINCE, cursor), is_complete=False, states=states)
        return _Page(changes, str(value.get("after") or ""))

    def _states(self, answer: httpx.Response, tasks: Mapping[str, Any]) -> dict[DocumentId, UpstreamAnswer]:
        """As `GET /tasks` and events show documents."""
        states: dict[DocumentId, UpstreamAnswer] = {}
        for document, row in tasks.items():
            if not is_document_id(document):
                continue
            if (state := state_in(row, document)) is None:
                raise self.channel.unexpected(answer, f"what it says of {document} is no state of a document")
            states[DocumentId(document)] = state
        return states

    def submit(
        self, outgoing: Sequence[Outgoing], *, confirmed: bool = False
    ) -> AsyncIterator[dict[DocumentId, UpstreamReply]]:
        self._has_sent = True
        return HttpSubmission(self.channel, self._facts, confirmed=confirmed).submit(outgoing)

    async def agrees(self, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
        position = (cursor or "").partition(":")[2]
        if not self._facts.offers("diff") or not position:
            return None
        answer = await self.channel.request("POST", "/hashes/diff", {"ranges": {"": fingerprint}})
        value = self.channel.value_of(answer)
        if not isinstance(value, dict) or not isinstance(value.get("cursor"), str):
            raise self.channel.unexpected(answer, "there is no cursor in its answer")
        if not value.get("ranges") and not value.get("documents"):
            return True
        return False if value["cursor"] == position else None

    async def policies(self) -> Policies:
        if not self._facts.offers("policies"):
            return NO_POLICIES
        try:
            return parse_policies(self.channel.value_of(await self.channel.request("GET", "/policies")))
        except InvalidPolicies:
            return NO_POLICIES  # of a newer server; the server itself knows them

    async def wait(self, cursor: str | None) -> UpstreamChanges | None:
        position = (cursor or "").partition(":")[2]
        if self._facts.offers("events"):
            from httpx_sse import EventSource  # noqa: PLC0415  only who stays listens

            headers = {"accept": "text/event-stream", **({"last-event-id": position} if position else {})}
            async with self.channel.stream("/events", headers, HEARTBEATS_MISSED) as answer:
                if answer.status_code == 410:
                    return None
                if answer.status_code != 200:
                    raise UpstreamUnavailableError(
                        f"{self.channel.url} has no events now: status {answer.status_code}"
                    )
                async with aclosing(EventSource(answer).aiter_sse()) as events:
                    async for event in events:
                        if event.event == "changed":
                            # Without a position the stream began in the middle.
                            return self._announced(answer, event.data) if position else None
            return None
        if self._facts.offers("wait") and self._facts.offers("since") and position:
            path = f"{since_path(position)}&wait={HOLD_SECONDS}"
            await self.channel.request("GET", path, seconds=HOLD_SECONDS + 15)
            return None
        await asyncio.sleep(POLL_SECONDS)
        return None

    def _announced(self, answer: httpx.Response, data: str) -> UpstreamChanges:
        """What a `changed` event says: all that happened since the event before it."""
        try:
            value = loads_answer(data.encode())
            hashes = self._hashes(answer, value["hashes"], live=False)
            return UpstreamChanges(
                hashes, cursor_at(SINCE, value["cursor"]), False, self._states(answer, value.get("tasks") or {})
            )
        except (ValueError, KeyError, TypeError) as error:
            raise self.channel.unexpected(answer, "its events are not valid") from error

    async def history(self, document: DocumentId) -> list[dict[str, Any]]:
        answer = await self.channel.request("GET", f"/task/{quote(document, safe='')}/revisions")
        if answer.status_code == 404:
            return []
        rows = self.channel.value_of(answer).get("revisions")
        names = await self._device_names() if rows else {}
        return [{**row, "device": names.get(row.get("device"), row.get("device"))} for row in rows or ()]

    async def _device_names(self) -> dict[str, str]:
        """How people call the devices, by id; those of other users are not told."""
        if self._names is None:
            rows: Any = None
            with suppress(RefusedAccessError):  # then they are called by their ids
                answer = await self.channel.request("GET", "/devices")
                rows = self.channel.value_of(answer).get("devices") if answer.status_code == 200 else None
            self._names = {str(row.get("device")): str(row.get("name") or row.get("device")) for row in rows or ()}
        return self._names

    async def state(self, document: DocumentId, content: str) -> dict[str, Any] | None:
        path = f"/task/{quote(document, safe='')}/revisions/{quote(content, safe='')}"
        answer = await self.channel.request("GET", path)
        if answer.status_code == 404:
            return None
        body = self.channel.value_of(answer)
        return body if isinstance(body, dict) else None

    async def close(self) -> None:
        await self.channel.close()
