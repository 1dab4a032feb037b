"""One sync: look, plan, act, until both sides agree. The only writer of memory and files, one at a time a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from client.arrivals import Arrivals, Step
from client.engine.answer import Settled, on_answer, on_fetched
from client.engine.plan import Action, Adopt, Delete, Plan, Resend, Send, pending_for, plan
from client.engine.records import Answer, NotNow, Outline, Pending, Record, Refused, Reply
from client.files import Files, Found, UnreadableError
from client.folder import TaskFolder
from client.memory import Memory
from client.upstreams.port import CursorGoneError, Outgoing, UnavailableError, Upstream
from shared.core.canonical import equal
from shared.core.conflict_rows import conflict_rows
from shared.core.documents import Body, ContentHash, DocumentId
from shared.core.policies import NO_POLICIES, Policies
from shared.wire import content_hash

MAX_ROUNDS: Final = 8
"""Two are enough while nobody else writes."""

Progress = Callable[[int, int], None]
"""(done, of how many that are known of)."""


@dataclass(slots=True)
class Report:
    """What a sync with one upstream did and found. Counts are of documents."""

    upstream: str
    agreed: bool = False
    """Both sides were seen to be equal, but for what waits."""
    rounds: int = 0
    sent: int = 0
    deleted: int = 0
    fetched: int = 0
    removed: int = 0
    merged: int = 0
    """The upstream answered something else than what was sent."""
    conflicts: int = 0
    adopted: int = 0
    files_read: int = 0
    arrived: list[tuple[Body | None, Body | None]] = field(default_factory=list)
    """(before, now) of the files that were changed."""
    plan: Plan = field(default_factory=Plan)
    """The last one; its waiting documents are those that wait still."""
    found: Found | None = None
    refused: dict[DocumentId, Refused] = field(default_factory=dict)


class Sync:
    """A folder and one upstream. Whoever runs it holds the folder's sync lock."""

    def __init__(
        self, folder: TaskFolder, memory: Memory, name: str, upstream: Upstream, step: Step = lambda name: None
    ) -> None:
        self._memory = memory
        self._name = name
        self._upstream = upstream
        self._step = step
        self._files = Files(folder, memory)
        self._arrivals = Arrivals(folder, memory, step)
        self._policies: Policies | None = None

    async def survey(self, *, confirmed: bool = False) -> tuple[Plan, Found]:
        """What is to be done. The upstream is asked; nothing is sent, and no file changed."""
        stuck = self._arrivals.recover()
        await self._listen()
        found = self._files.look()
        unreadable = {*found.unreadable, *stuck}
        outlines = self._memory.outlines(self._name)
        can_delete = self._upstream.abilities.bases
        return plan(found.hashes, unreadable, outlines, can_delete=can_delete, confirmed=confirmed), found

    async def run(self, *, confirmed: bool = False, progress: Progress | None = None) -> Report:
        """Raises UpstreamError; what was done until then is done, and the next run goes on from there."""
        report = Report(self._name)
        for _ in range(MAX_ROUNDS):
            report.plan, report.found = await self.survey(confirmed=confirmed)
            report.rounds += 1
            report.files_read += report.found.read
            self._adopt([action for action in report.plan.actions if isinstance(action, Adopt)], report)
            if report.plan.agreed:
                report.agreed = True
                break
            await self._act(report, confirmed=confirmed, progress=progress)
        if report.agreed:
            with self._memory.transaction():
                self._memory.set_cursor(self._name, self._memory.upstream(self._name).cursor, whole=True)
        outlines = self._memory.outlines(self._name)
        report.refused = {d: r for d in report.plan.refused if (r := outlines[d].refused) is not None}
        return report

    async def _listen(self) -> None:
        """Takes down what the upstream has now."""
        row = self._memory.upstream(self._name)
        try:
            changes = await self._upstream.changes(row.cursor)
        except CursorGoneError:
            changes = await self._upstream.changes(None)
        if changes.hashes or changes.whole or changes.cursor != row.cursor:
            with self._memory.transaction():
                self._memory.heard(self._name, changes.hashes, whole=changes.whole)
                self._memory.set_cursor(self._name, changes.cursor, whole=row.whole)
        if self._upstream.abilities.facts != row.facts:
            self._memory.set_facts(self._name, self._upstream.abilities.facts)
        self._step("listened")

    # Acting

    def _adopt(self, actions: Sequence[Adopt], report: Report) -> None:
        if not actions:
            return
        with self._memory.transaction():
            for action in actions:
                try:
                    body = self._files.now(action.id)
                except UnreadableError:
                    continue
                if body is None:
                    continue
                record = self._memory.record(self._name, action.id)
                outline = record.outline
                remote = outline.remote
                # Only if the file still is what was compared.
                if remote is not None and content_hash(body) == remote:
                    self._memory.set_record(
                        self._name, action.id, Record(Outline(remote, shadow=remote, remote=remote), body)
                    )
                    report.adopted += 1
        self._step("adopted")

    async def _act(self, report: Report, *, confirmed: bool, progress: Progress | None) -> None:
        actions = [action for action in report.plan.actions if not isinstance(action, Adopt)]
        kinds = {action.id: action for action in actions}
        done = 0
        told: list[str] = []
        for portion in _portions(actions, self._upstream.abilities.portion):
            outgoing = self._outgoing(portion)
            self._step("pending")
            async for replies in self._upstream.submit(outgoing, confirmed=confirmed):
                self._step("answered")
                await self._take(replies, kinds, report)
                done += len(replies)
                told.extend(reply.reason for reply in replies.values() if isinstance(reply, NotNow))
                if progress is not None:
                    progress(done, len(actions))
        if told and len(told) == done:
            raise UnavailableError(f"nothing is taken now: {told[0]}")

    def _outgoing(self, actions: Sequence[Action]) -> list[Outgoing]:
        """With every state that is to be sent written down as pending."""
        found: list[Outgoing] = []
        whole = self._memory.upstream(self._name).whole
        with self._memory.transaction():
            for action in actions:
                record = self._memory.record(self._name, action.id)
                pending: Pending | None = None
                match action:
                    case Resend():
                        pending = record.pending
                    case Send() | Delete():
                        try:
                            body = self._files.now(action.id)
                        except UnreadableError:
                            continue
                        if (body is None) == isinstance(action, Send):
                            continue  # deleted, or created again, since the plan was made
                        pending = pending_for(action, record, body, whole=whole)
                        if pending is None:
                            continue
                        self._memory.set_pending(self._name, action.id, pending)
                    case _:
                        pass
                found.append(Outgoing(action.id, pending))
        return found

    async def _take(
        self, replies: Mapping[DocumentId, Reply], kinds: Mapping[DocumentId, Action], report: Report
    ) -> None:
        """Applies answers, as docs/sync.md says."""
        settled: dict[DocumentId, tuple[Settled, Body | None, Answer]] = {}
        refused: dict[DocumentId, Refused] = {}
        for document, reply in replies.items():
            record = self._memory.record(self._name, document)
            match reply:
                case Answer():
                    found = await self._settled(document, record, reply)
                    if found is not None:
                        settled[document] = (*found, reply)
                        _count(report, kinds.get(document), record, reply)
                case Refused():
                    if record.pending is not None:
                        content = None if record.pending.deletes else record.pending.hash
                        refused[document] = Refused(reply.code, reply.reason, content)
                case NotNow():
                    pass
        wanted = {d: (s.doc, now) for d, (s, now, _) in settled.items() if not equal(s.doc, now)}
        rows = self._arrivals.stage(wanted)
        with self._memory.transaction():
            for document, (result, _, answer) in settled.items():
                self._memory.set_record(self._name, document, result.record)
                decided = [
                    *answer.conflicts,
                    *(dict(row) for row in conflict_rows(result.conflicts, self._policies or NO_POLICIES)),
                ]
                self._memory.decided(self._name, document, decided)
                report.conflicts += len(decided)
            for document, refusal in refused.items():
                self._memory.refuse(self._name, document, refusal)
            for document, row in rows.items():
                self._memory.set_arriving(document, row)
        self._step("remembered")
        self._arrivals.place(rows)
        report.arrived.extend((row.expected, row.body) for row in rows.values())

    async def _settled(
        self, document: DocumentId, record: Record, answer: Answer
    ) -> tuple[Settled, Body | None] | None:
        """None: the answer cannot be used now, so it is asked for again."""
        pending = record.pending
        likely: list[tuple[ContentHash | None, Body | None]] = [(record.outline.shadow, record.shadow)]
        if pending is not None:
            likely.append((pending.hash, pending.body))
        try:
            now = self._files.now(document, likely)
        except UnreadableError:
            return None
        if pending is None:
            fetched = on_fetched(record, now, answer)
            return (fetched, now) if fetched is not None else None
        if now is not None and answer.state is not None and self._policies is None and not equal(now, pending.body):
            self._policies = await self._upstream.policies()
            return await self._settled(document, record, answer)  # asking took a while
        return on_answer(pending, now, answer, self._policies or NO_POLICIES), now


def _portions(actions: Sequence[Action], size: int) -> Iterator[Sequence[Action]]:
    for start in range(0, len(actions), size):
        yield actions[start : start + size]


def _count(report: Report, action: Action | None, record: Record, answer: Answer) -> None:
    pending = record.pending
    if pending is None:
        if answer.state is None:
            report.removed += record.shadow is not None
        else:
            report.fetched += 1
        return
    if pending.deletes:
        report.deleted += answer.state is None
    else:
        report.sent += 1
    report.merged += answer.hash != (None if pending.deletes else pending.hash)


def status_of(report: Report, *, at: float | None = None) -> dict[str, Any]:
    """What is remembered of a sync for `hypertask status`."""
    return {
        "at": at if at is not None else time.time(),
        "agreed": report.agreed,
        "sent": report.sent,
        "deleted": report.deleted,
        "fetched": report.fetched,
        "removed": report.removed,
        "merged": report.merged,
        "refused": {d: {"code": r.code, "reason": r.reason} for d, r in report.refused.items()},
        "held_here": len(report.plan.held_here),
        "held_there": len(report.plan.held_there),
        "undeletable": list(report.plan.undeletable),
        "unreadable": list(report.plan.unreadable),
        "error": None,
    }
