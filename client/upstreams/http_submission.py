"""Submitting documents to a server: in batches, or one by one to a server that takes no batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import httpx

from client.sync.engine.records import NotNow, Refused, UpstreamAnswer, UpstreamReply
from client.sync.upstream import Outgoing
from client.upstreams.http_channel import CONNECTIONS, Channel, refusal, refused
from client.upstreams.server_facts import ServerFacts
from shared.codec import content_hash, dumps
from shared.core.identifiers import Body, ContentHash, DocumentId
from shared.core.protocol import CONFIRM_DELETIONS, CONFIRM_HEADER, CREATED, REFUSED_FOR_NOW

Batch = list[tuple[Outgoing, dict[str, Any]]]
"""What is submitted, and what is said of it."""
MAX_ANCESTORS: Final = 4
"""Earlier states that may go along with a state."""
MAX_ANCESTOR_BYTES: Final = 64 * 1024
"""Of earlier states that go along without being asked for."""
OF_THE_DOCUMENT: Final = frozenset({400, 404, 409, 413, 422})
"""Will not be taken the next time either."""


class HttpSubmission:
    """To one server. `confirmed`: many deletions are meant."""

    def __init__(self, channel: Channel, facts: ServerFacts, *, confirmed: bool) -> None:
        self._channel = channel
        self._facts = facts
        self._headers = {CONFIRM_HEADER: CONFIRM_DELETIONS} if confirmed else {}

    async def submit(self, outgoing: Sequence[Outgoing]) -> AsyncIterator[dict[DocumentId, UpstreamReply]]:
        """See the port."""
        if not self._facts.offers("batch"):
            async for replies in self._one_by_one(outgoing):
                yield replies
            return
        async for posted in self._posted(self._batches(outgoing)):
            if posted is None:
                yield {}
                continue
            batch, answer = posted
            replies = self._replies(answer, batch)
            again = [
                (one, self._state(one, with_base=True))
                for one, _ in batch
                if isinstance(reply := replies.get(one.id), Refused) and reply.code == "base-unknown" and one.pending
            ]
            yield {d: r for d, r in replies.items() if d not in {one.id for one, _ in again}}
            if again:
                yield self._replies(await (await self._post(again)), again)

    async def _posted(self, batches: Iterator[Batch]) -> AsyncIterator[tuple[Batch, httpx.Response] | None]:
        """None when the first batch has left. While an answer is applied, the server has the next batch."""
        coming: asyncio.Task[httpx.Response] | None = None
        try:
            batch = next(batches, None)
            coming = await self._post(batch) if batch else None
            yield None
            while batch and coming is not None:
                answer, following = await coming, next(batches, None)
                coming = await self._post(following) if following else None
                yield batch, answer
                batch = following
        finally:
            if coming is not None:
                coming.cancel()

    def _batches(self, outgoing: Sequence[Outgoing]) -> Iterator[Batch]:
        max_documents, max_bytes = self._facts.max_documents(), self._facts.max_bytes
        batch: Batch = []
        size = 0
        for one in outgoing:
            state = self._state(one)
            weight = len(dumps(state)) + len(one.id) + 8
            if batch and (len(batch) >= max_documents or size + weight > max_bytes):
                yield batch
                batch, size = [], 0
            batch.append((one, state))
            size += weight
        if batch:
            yield batch

    async def _post(self, batch: Batch) -> asyncio.Task[httpx.Response]:
        value = {"tasks": {one.id: state for one, state in batch}}
        return await self._channel.begun("POST", "/tasks", value, headers=self._headers)

    def _replies(self, answer: httpx.Response, batch: Batch) -> dict[DocumentId, UpstreamReply]:
        value = self._channel.value_of(answer)
        tasks = value.get("tasks") if isinstance(value, dict) else None
        if not isinstance(tasks, dict):
            raise self._channel.unexpected(answer, "there are no tasks in its answer")
        replies: dict[DocumentId, UpstreamReply] = {}
        for one, _ in batch:
            row = tasks.get(one.id)
            if isinstance(row, dict):
                replies[one.id] = reply_of(self._channel, answer, one, row)
            else:
                replies[one.id] = NotNow("no answer")
        return replies

    async def _one_by_one(self, outgoing: Sequence[Outgoing]) -> AsyncIterator[dict[DocumentId, UpstreamReply]]:
        """CONNECTIONS at a time; answered in portions, so that what was answered is applied while others wait."""
        for start in range(0, len(outgoing), 4 * CONNECTIONS):
            left = iter(outgoing[start : start + 4 * CONNECTIONS])
            replies: dict[DocumentId, UpstreamReply] = {}

            async def work(
                left: Iterator[Outgoing] = left, replies: dict[DocumentId, UpstreamReply] = replies
            ) -> None:
                for one in left:
                    replies[one.id] = await self._single(one)

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

    async def _single(self, one: Outgoing) -> UpstreamReply:
        answer = await self._post_one(one, self._state(one))
        problem = refusal(answer) if answer.status_code != 200 else None
        if problem is not None and problem.code == "base-unknown" and one.pending is not None:
            answer = await self._post_one(one, self._state(one, with_base=True))
            problem = refusal(answer) if answer.status_code != 200 else None
        if problem is not None:
            return _refused(problem, answer.status_code)
        return reply_of(self._channel, answer, one, self._channel.value_of(answer))

    async def _post_one(self, one: Outgoing, state: dict[str, Any]) -> httpx.Response:
        return await self._channel.request("POST", f"/task/{quote(one.id, safe='')}", state, headers=self._headers)

    def _state(self, one: Outgoing, *, with_base: bool = False) -> dict[str, Any]:
        return state_of(one, bases=self._facts.offers("base"), with_base=with_base)


def state_of(one: Outgoing, *, bases: bool, with_base: bool = False) -> dict[str, Any]:
    """What is said of one document. To say that one has nothing needs a base, too: without it the server would
    write down what it answered."""
    pending = one.pending
    if not bases:
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
            if with_base or sum(len(dumps(a.state)) for a in earlier) <= MAX_ANCESTOR_BYTES:
                state["ancestors"] = [{"version": dict(a.version), "state": a.state} for a in earlier]
    return state


def state_in(row: Any, document: str) -> UpstreamAnswer | None:
    """What a server shows of a document that it has or had; None: that is no state of it."""
    if not isinstance(row, dict) or "error" in row:
        return None
    state, rev, version = row.get("server_state"), row.get("rev"), row.get("version")
    if not isinstance(rev, str):
        return None
    version = version if isinstance(version, dict) else None
    if state is None:
        return UpstreamAnswer(None, None, rev, version=version)
    if not isinstance(state, dict) or state.get("id") != document:
        return None
    return UpstreamAnswer(state, content_hash(state), rev, version=version)


def reply_of(channel: Channel, answer: httpx.Response, one: Outgoing, row: Mapping[str, Any]) -> UpstreamReply:
    """What a server says of one document. Raises NotAnUpstreamError."""
    problem = row.get("error")
    if isinstance(problem, dict):
        return _refused(refused(problem, int(problem.get("status", 400))), int(problem.get("status", 400)))
    # Left out: it is what was sent.
    sent = None if one.pending is None or one.pending.deletes else one.pending
    state: Body | None = row.get("server_state", sent.body if sent is not None else None)
    if state is not None and (not isinstance(state, dict) or state.get("id") != one.id):
        raise channel.unexpected(answer, f"its answer for {one.id} is no state of that document")
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


def _refused(problem: Refused, status: int) -> UpstreamReply:
    return problem if status in OF_THE_DOCUMENT or problem.code in REFUSED_FOR_NOW else NotNow(problem.reason)
