"""Upstream on a server. What the server offers beyond v1.0 is used; v1.0 is enough.

`GET /` says what it offers. That is remembered, and asked for again once a day.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final
from urllib.parse import quote

import httpx
from httpx_sse import EventSource

from client.sync.engine.records import NotNow, Refused, Reply, UpstreamAnswer
from client.sync.upstream import Abilities, CursorGoneError, Outgoing, UpstreamChanges, UpstreamUnavailableError
from client.upstreams.coding import coding_for, value_of
from client.upstreams.http_channel import CONNECTIONS, Channel, refusal, refused
from shared.codec import content_hash, dumps, loads_answer
from shared.core.documents import Body, ContentHash, DocumentId, is_document_id
from shared.core.index.reconciliation import Fingerprint
from shared.core.merge.policies import NO_POLICIES, InvalidPolicies, Policies
from shared.core.merge.policies import parse as parse_policies
from shared.core.protocol import CONFIRM_DELETIONS, CONFIRM_HEADER, WRITES_REFUSED
from shared.core.resolution.revs import CREATED

CURSOR_HEADER: Final = "hypertask-cursor"
ASK_AGAIN_SECONDS: Final = 86_400.0
Batch = list[tuple[Outgoing, dict[str, Any]]]
"""What is submitted, and what is said of it."""
PORTION: Final = 2_000
"""Several batches, so that one is on its way while another is applied."""
PAGE_DOCUMENTS: Final = 1_000
BATCH_DOCUMENTS: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024
MAX_ANCESTORS: Final = 4
MAX_BROUGHT: Final = 64 * 1024
"""Bytes of earlier states that go along with a state without being asked for."""
"""That a state may bring along."""
POLL_SECONDS: Final = 5.0
"""How often a server is asked that can neither tell nor hold an answer back."""
HOLD_SECONDS: Final = 25
HEARTBEATS_MISSED: Final = 40.0
"""Seconds without a sign of life in an event stream, which has one every 15."""
OF_THE_DOCUMENT: Final = frozenset({400, 404, 409, 413, 422})
"""Will not be taken the next time either."""


class HttpUpstream:
    """See the port."""

    def __init__(self, channel: Channel, facts: Mapping[str, Any]) -> None:
        self.channel = channel
        self._facts = dict(facts)
        self._understand()

    @property
    def abilities(self) -> Abilities:
        bases = self._offers("base")
        portion = PORTION if self._offers("batch") else 4 * CONNECTIONS
        return Abilities(
            bases=bases,
            history=self._offers("revisions"),
            versions=self._offers("versions"),
            portion=portion,
            facts=self._facts,
        )

    def _offers(self, what: str) -> bool:
        return what in self._facts.get("supports", ())

    async def ask(self) -> Mapping[str, Any]:
        """What `GET /` says; {} of a server that has nothing there. Raises UpstreamError."""
        answer = await self.channel.request("GET", "/")
        found: Any = None
        if answer.status_code == 200:
            with suppress(ValueError):
                found = value_of(answer)
        about: dict[str, Any] = found if isinstance(found, dict) and found.get("protocol_versions") else {}
        limits = about.get("limits")
        self._facts = {
            "asked_at": time.time(),
            "version": str(about.get("version", "")),
            "supports": [str(word) for word in about.get("supports") or ()],
            "limits": limits if isinstance(limits, dict) else {},
        }
        self._understand()
        return about

    def _understand(self) -> None:
        self.channel.coding = coding_for(frozenset(self._facts.get("supports", ())))

    async def _ask_sometimes(self) -> None:
        if time.time() - float(self._facts.get("asked_at", 0)) > ASK_AGAIN_SECONDS:
            await self.ask()

    async def changes(self, cursor: str | None) -> UpstreamChanges:
        await self._ask_sometimes()
        kind, _, position = (cursor or "").partition(":")
        if self._offers("since"):
            return await self._since(position if kind == "since" else None)
        return await self._map(position if kind == "etag" else None)

    async def _map(self, etag: str | None) -> UpstreamChanges:
        headers = {"if-none-match": etag} if etag else {}
        answer = await self.channel.request("GET", "/hashes", headers=headers)
        if answer.status_code == 304:
            return UpstreamChanges({}, f"etag:{etag}", whole=False)
        hashes = self._hashes(answer, self.channel.value_of(answer), live=True)
        found = answer.headers.get("etag")
        return UpstreamChanges(hashes, f"etag:{found}" if found else None, whole=True)

    async def _since(self, position: str | None) -> UpstreamChanges:
        if position is None:
            answer = await self.channel.request("GET", "/hashes")
            hashes = self._hashes(answer, self.channel.value_of(answer), live=True)
            found = answer.headers.get(CURSOR_HEADER)
            return UpstreamChanges(hashes, f"since:{found}" if found else None, whole=True)
        changed: dict[DocumentId, ContentHash | None] = {}
        more = True
        while more:
            answer = await self.channel.request("GET", f"/hashes?since={quote(position, safe='')}")
            if answer.status_code == 410:
                raise CursorGoneError
            value = self.channel.value_of(answer)
            if not isinstance(value, dict) or not isinstance(value.get("cursor"), str):
                raise self.channel.unexpected(answer, "there is no cursor in its answer")
            changed.update(self._hashes(answer, value.get("hashes"), live=False))
            position, more = value["cursor"], bool(value.get("more"))
        return UpstreamChanges(changed, f"since:{position}", whole=False)

    def _hashes(self, answer: httpx.Response, value: Any, *, live: bool) -> dict[DocumentId, ContentHash | None]:
        kinds = (str,) if live else (str, type(None))
        if not isinstance(value, dict) or not all(isinstance(content, kinds) for content in value.values()):
            raise self.channel.unexpected(answer, "its answer is not a valid hash map")
        return {DocumentId(document): content for document, content in value.items() if is_document_id(document)}

    # All of it

    async def copy(self) -> AsyncIterator[UpstreamChanges]:
        """While a page is written, the next one is on its way."""
        await self._ask_sometimes()
        if not (self._offers("pages") and self._offers("base") and self._offers("since")):
            return
        coming: asyncio.Task[httpx.Response] | None = await self._page("")
        try:
            while coming is not None:
                answer = await coming
                value = self.channel.value_of(answer)
                tasks, cursor = (value.get("tasks"), value.get("cursor")) if isinstance(value, dict) else (None, None)
                if not isinstance(tasks, dict) or not isinstance(cursor, str):
                    raise self.channel.unexpected(answer, "there are no tasks in its answer")
                after = value.get("after")
                coming = await self._page(str(after)) if after else None
                states = self._states(answer, tasks)
                hashes = {document: state.hash for document, state in states.items()}
                yield UpstreamChanges(hashes, f"since:{cursor}", whole=False, states=states)
        finally:
            if coming is not None:
                coming.cancel()

    async def _page(self, after: str) -> asyncio.Task[httpx.Response]:
        return await self.channel.begun(
            "GET", f"/tasks?limit={self._most(PAGE_DOCUMENTS)}&after={quote(after, safe='')}"
        )

    def _states(self, answer: httpx.Response, tasks: Mapping[str, Any]) -> dict[DocumentId, UpstreamAnswer]:
        """As `GET /tasks` and events show documents."""
        states: dict[DocumentId, UpstreamAnswer] = {}
        for document, row in tasks.items():
            if not is_document_id(document):
                continue
            reply = self._reply(answer, Outgoing(DocumentId(document)), row) if isinstance(row, dict) else None
            if not isinstance(reply, UpstreamAnswer) or not isinstance(reply.rev, str):
                raise self.channel.unexpected(answer, f"what it says of {document} is no state of a document")
            states[DocumentId(document)] = reply
        return states

    def _most(self, wanted: int) -> int:
        """Documents in a request or an answer."""
        return min(wanted, int(self._facts.get("limits", {}).get("batch_documents", BATCH_DOCUMENTS)))

    # Submitting

    async def submit(
        self, outgoing: Sequence[Outgoing], *, confirmed: bool = False
    ) -> AsyncIterator[dict[DocumentId, Reply]]:
        headers = {CONFIRM_HEADER: CONFIRM_DELETIONS} if confirmed else {}
        if not self._offers("batch"):
            async for replies in self._one_by_one(outgoing, headers):
                yield replies
            return
        async for batch, answer in self._posted(self._batches(outgoing), headers):
            replies = self._replies(answer, batch)
            again = [
                (one, self._state(one, with_base=True))
                for one, _ in batch
                if isinstance(reply := replies.get(one.id), Refused) and reply.code == "base-unknown" and one.pending
            ]
            yield {d: r for d, r in replies.items() if d not in {one.id for one, _ in again}}
            if again:
                yield self._replies(await (await self._post(again, headers)), again)

    async def _posted(
        self, batches: Iterator[Batch], headers: Mapping[str, str]
    ) -> AsyncIterator[tuple[Batch, httpx.Response]]:
        """While an answer is applied, the server has the next batch."""
        coming: asyncio.Task[httpx.Response] | None = None
        try:
            batch = next(batches, None)
            coming = await self._post(batch, headers) if batch else None
            while batch and coming is not None:
                answer, following = await coming, next(batches, None)
                coming = await self._post(following, headers) if following else None
                yield batch, answer
                batch = following
        finally:
            if coming is not None:
                coming.cancel()

    def _batches(self, outgoing: Sequence[Outgoing]) -> Iterator[Batch]:
        limits = self._facts.get("limits", {})
        most = self._most(BATCH_DOCUMENTS)
        max_bytes = min(BATCH_BYTES, int(limits.get("batch_bytes", BATCH_BYTES)))
        batch: Batch = []
        size = 0
        for one in outgoing:
            state = self._state(one)
            weight = len(dumps(state)) + len(one.id) + 8
            if batch and (len(batch) >= most or size + weight > max_bytes):
                yield batch
                batch, size = [], 0
            batch.append((one, state))
            size += weight
        if batch:
            yield batch

    async def _post(self, batch: Batch, headers: Mapping[str, str]) -> asyncio.Task[httpx.Response]:
        value = {"tasks": {one.id: state for one, state in batch}}
        return await self.channel.begun("POST", "/tasks", value, headers=headers)

    def _replies(self, answer: httpx.Response, batch: Batch) -> dict[DocumentId, Reply]:
        value = self.channel.value_of(answer)
        tasks = value.get("tasks") if isinstance(value, dict) else None
        if not isinstance(tasks, dict):
            raise self.channel.unexpected(answer, "there are no tasks in its answer")
        replies: dict[DocumentId, Reply] = {}
        for one, _ in batch:
            row = tasks.get(one.id)
            replies[one.id] = self._reply(answer, one, row) if isinstance(row, dict) else NotNow("no answer")
        return replies

    async def _one_by_one(
        self, outgoing: Sequence[Outgoing], headers: Mapping[str, str]
    ) -> AsyncIterator[dict[DocumentId, Reply]]:
        """CONNECTIONS at a time; answered in portions, so that what was answered is applied while others wait."""
        for start in range(0, len(outgoing), 4 * CONNECTIONS):
            left = iter(outgoing[start : start + 4 * CONNECTIONS])
            replies: dict[DocumentId, Reply] = {}

            async def work(left: Iterator[Outgoing] = left, replies: dict[DocumentId, Reply] = replies) -> None:
                for one in left:
                    replies[one.id] = await self._single(one, headers)

            tasks = [asyncio.create_task(work()) for _ in range(min(CONNECTIONS, len(outgoing)))]
            try:
                await asyncio.gather(*tasks)
            except BaseException:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                if replies:
                    yield replies
                raise
            yield replies

    async def _single(self, one: Outgoing, headers: Mapping[str, str]) -> Reply:
        path = f"/task/{quote(one.id, safe='')}"
        answer = await self.channel.request("POST", path, self._state(one), headers=headers)
        found = refusal(answer) if answer.status_code != 200 else None
        if found is not None and found.code == "base-unknown" and one.pending is not None:
            answer = await self.channel.request("POST", path, self._state(one, with_base=True), headers=headers)
            found = refusal(answer) if answer.status_code != 200 else None
        if found is not None:
            return self._refused(found, answer.status_code)
        return self._reply(answer, one, self.channel.value_of(answer))

    def _state(self, one: Outgoing, *, with_base: bool = False) -> dict[str, Any]:
        """What is said of one document. To say that one has nothing needs a base, too: without it the server would
        write down what it answered."""
        pending = one.pending
        if not self.abilities.bases:
            return {"client_state": None if pending is None else pending.body}
        if pending is None:
            asked: dict[str, Any] = {"version": {}} if one.says_versions else {}
            return {"client_state": None, "base": CREATED, **asked}
        state: dict[str, Any] = {"client_state": pending.body}
        if pending.base is not None:
            state["base"] = pending.base
        if with_base or pending.attach:
            state["base_state"] = pending.shadow
        if pending.version is not None:
            state["version"] = dict(pending.version)
            if with_base or one.brings:
                earlier = one.ancestors()[:MAX_ANCESTORS]
                if with_base or sum(len(dumps(a.state)) for a in earlier) <= MAX_BROUGHT:
                    state["ancestors"] = [{"version": dict(a.version), "state": a.state} for a in earlier]
        return state

    def _reply(self, answer: httpx.Response, one: Outgoing, row: Mapping[str, Any]) -> Reply:
        problem = row.get("error")
        if isinstance(problem, dict):
            return self._refused(refused(problem, int(problem.get("status", 400))), int(problem.get("status", 400)))
        # Left out: it is what was sent.
        sent = None if one.pending is None or one.pending.deletes else one.pending
        state: Body | None = row.get("server_state", sent.body if sent is not None else None)
        if state is not None and (not isinstance(state, dict) or state.get("id") != one.id):
            raise self.channel.unexpected(answer, f"its answer for {one.id} is no state of that document")
        content: ContentHash | None = None
        if state is not None:
            content = sent.hash if sent is not None and state is sent.body else content_hash(state)
        conflicts = tuple(row.get("conflicts") or ())
        version = row.get("version")
        return UpstreamAnswer(
            state,
            content,
            row.get("rev"),
            str(row.get("outcome", "")),
            str(row.get("rule", "")),
            conflicts,
            version if isinstance(version, dict) else None,
        )

    @staticmethod
    def _refused(found: Refused, status: int) -> Reply:
        if status in OF_THE_DOCUMENT or found.code in WRITES_REFUSED:
            return found
        return NotNow(found.reason)

    # The rest

    async def agrees(self, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
        position = (cursor or "").partition(":")[2]
        if not self._offers("diff") or not position:
            return None
        answer = await self.channel.request("POST", "/hashes/diff", {"ranges": {"": fingerprint}})
        value = self.channel.value_of(answer)
        if not isinstance(value, dict) or not isinstance(value.get("cursor"), str):
            raise self.channel.unexpected(answer, "there is no cursor in its answer")
        if not value.get("ranges") and not value.get("documents"):
            return True
        return False if value["cursor"] == position else None

    async def policies(self) -> Policies:
        if not self._offers("policies"):
            return NO_POLICIES
        try:
            return parse_policies(self.channel.value_of(await self.channel.request("GET", "/policies")))
        except InvalidPolicies:
            return NO_POLICIES  # of a newer server; the server itself knows them

    async def wait(self, cursor: str | None) -> UpstreamChanges | None:
        position = (cursor or "").partition(":")[2]
        if self._offers("events"):
            headers = {"accept": "text/event-stream", **({"last-event-id": position} if position else {})}
            async with self.channel.stream("/events", headers, HEARTBEATS_MISSED) as answer:
                if answer.status_code == 410:
                    return None
                if answer.status_code != 200:
                    raise UpstreamUnavailableError(
                        f"{self.channel.url} has no events now: status {answer.status_code}"
                    )
                async with aclosing(EventSource(answer).aiter_sse()) as events:
                    async for told in events:
                        if told.event == "changed":
                            # Without a position the stream began in the middle.
                            return self._told(answer, told.data) if position else None
            return None
        if self._offers("wait") and self._offers("since") and position:
            path = f"/hashes?since={quote(position, safe='')}&wait={HOLD_SECONDS}"
            await self.channel.request("GET", path, seconds=HOLD_SECONDS + 15)
            return None
        await asyncio.sleep(POLL_SECONDS)
        return None

    def _told(self, answer: httpx.Response, data: str) -> UpstreamChanges:
        """What a `changed` event says: all that happened since the event before it."""
        try:
            value = loads_answer(data.encode())
            hashes = self._hashes(answer, value["hashes"], live=False)
            return UpstreamChanges(
                hashes, f"since:{value['cursor']}", False, self._states(answer, value.get("tasks") or {})
            )
        except (ValueError, KeyError, TypeError) as error:
            raise self.channel.unexpected(answer, "its events are none") from error

    async def story(self, document: DocumentId) -> list[dict[str, Any]]:
        answer = await self.channel.request("GET", f"/task/{quote(document, safe='')}/revisions")
        if answer.status_code == 404:
            return []
        rows = self.channel.value_of(answer).get("revisions")
        return rows if isinstance(rows, list) else []

    async def state(self, document: DocumentId, content: str) -> dict[str, Any] | None:
        path = f"/task/{quote(document, safe='')}/revisions/{quote(content, safe='')}"
        answer = await self.channel.request("GET", path)
        if answer.status_code == 404:
            return None
        body = self.channel.value_of(answer)
        return body if isinstance(body, dict) else None

    async def close(self) -> None:
        await self.channel.close()
