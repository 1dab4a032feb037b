"""One sync: look, plan, act, until both sides agree. The only writer of memory and files, one at a time a folder."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from client.folder.task_folder import TaskFolder
from client.sync.arrivals import Arrivals, Step
from client.sync.engine.answer import Settled, agreed, is_forgotten, may_be_lost, on_answer, on_fetched
from client.sync.engine.emptied import held_if_emptied
from client.sync.engine.plan import Action, Adopt, Delete, Fetch, Plan, Resend, Send, pending_for, plan
from client.sync.engine.records import NotNow, Outline, Pending, Record, Refused, Reply, UpstreamAnswer
from client.sync.files import Files, Found, Held, UnreadableError
from client.sync.report import Progress, SyncReport, count
from client.sync.state_store import Arriving, SeenFile, SyncStateStore, UpstreamRow
from client.sync.upstream import (
    Copyable,
    CursorGoneError,
    Outgoing,
    Upstream,
    UpstreamChanges,
    UpstreamUnavailableError,
)
from client.sync.versioning import Arrival, TakenState, Versioning
from shared.codec import content_hash
from shared.core.documents import Body, ContentHash, DocumentId
from shared.core.index.reconciliation import sum_of
from shared.core.json.canonical import equal
from shared.core.merge.conflict_rows import conflict_rows
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.protocol import WRITES_REFUSED, Limits
from shared.core.resolution.size_limit import TOO_LARGE
from shared.core.version_vectors import unseen

MAX_ROUNDS: Final = 8
"""Two are enough while nobody else writes."""
PROVE_SECONDS: Final = 3600.0
PROVE_SYNCS: Final = 16
"""After so long, or so many agreed syncs, agreement is proved by the content and not by the cursor alone."""

NOTHING: Final = Record()
TOO_LARGE_HERE: Final = Refused(TOO_LARGE, f"it is larger than {Limits().max_document_bytes} bytes")


@dataclass(frozen=True, slots=True)
class Announced:
    """What an upstream told without being asked: all that changed since a cursor."""

    since: str | None
    changes: UpstreamChanges


class Sync:
    """A folder and one upstream. Whoever runs it holds the folder's sync lock."""

    def __init__(
        self,
        folder: TaskFolder,
        store: SyncStateStore,
        name: str,
        upstream: Upstream,
        step: Step = lambda name: None,
        *,
        files: Files | None = None,
        arrivals: Arrivals | None = None,
        several: bool = False,
        meant: Callable[[], AbstractSet[DocumentId]] | None = None,
    ) -> None:
        """`files`: what is known of them from the syncs before. `several`: the folder has other upstreams, too.
        `meant`: which documents commands have deleted; with it a folder that was emptied otherwise is asked about,
        however little was in it."""
        self._meant = meant
        self._emptied: set[DocumentId] = store.held_as_emptied()
        """Held because the folder was emptied, now or before, from this upstream or another: what one of them brings
        into an emptied folder says nothing of the rest."""
        self._store = store
        self._name = name
        self._upstream = upstream
        self._step = step
        self._files = files or Files(folder, store)
        self._arrivals = arrivals or Arrivals(folder, store, step)
        self._versioning = Versioning(store, name)
        self._several = several or store.is_replica()
        self._policies: Policies | None = None
        self._out: dict[DocumentId, Record] = {}
        """The records of what is on its way, as they are in the memory."""
        self._came: dict[DocumentId, UpstreamAnswer] = {}
        """States that were heard and not applied so far."""
        self._apart: dict[DocumentId, Pending] = {}
        """What was answered with a state that is to be merged with the file there, once more."""
        self._problems: dict[DocumentId, str] = {}
        """Of the upstream's own files, as they were heard of last."""
        self._doubtful: set[DocumentId] = set()
        """Whose files may hold something else than was seen or written."""
        self._acted: set[DocumentId] = set()
        """What was not settled at some time of this run."""
        self._asks = True
        """The upstream is to be asked before the next plan."""
        self._stuck = False
        """Something that arrived could not be placed."""
        self._forgot = False
        """An answer showed that the upstream does not know any more what was agreed on."""

    async def survey(self, *, confirmed: bool = False) -> tuple[Plan, Found]:
        """What is to be done. The upstream is asked; nothing is sent, and no file changed."""
        stuck = self._arrivals.recover()
        await self._listen()
        return self._planned(self._files.look(), stuck, confirmed=confirmed)

    async def _again(self, *, confirmed: bool) -> tuple[Plan, Found]:
        """The same after something was done: that alone is looked at, in the folder and in the memory."""
        stuck: tuple[DocumentId, ...] = ()
        if self._stuck:
            self._doubtful.update(self._store.arriving())
            stuck = self._arrivals.recover()
        if self._asks:
            await self._listen()
        self._asks = False
        self._acted |= self._doubtful
        self._acted.update(stuck)
        found = self._files.look_again(self._doubtful)
        self._doubtful.clear()
        return self._planned(found, stuck, confirmed=confirmed, among=self._acted)

    def _planned(
        self,
        found: Found,
        stuck: Sequence[DocumentId],
        *,
        confirmed: bool,
        among: AbstractSet[DocumentId] | None = None,
    ) -> tuple[Plan, Found]:
        """`among`: only these, and what the upstream has otherwise, may be unsettled."""
        if among is None:
            outlines, settled = self._store.unsettled(self._name, found.hashes)
        else:
            outlines = self._store.open_outlines(self._name, among)
            settled = len(found.hashes) - sum(document in found.hashes for document in outlines)
        self._acted.update(outlines)
        local = {document: content for document in outlines if (content := found.hashes.get(document)) is not None}
        made = plan(
            local,
            {*found.unreadable, *stuck},
            outlines,
            can_delete=self._upstream.abilities.bases,
            confirmed=confirmed,
            settled=settled,
            ahead=self._versioning.ahead(local, outlines) if self._says_versions else frozenset(),
        )
        if self._meant is not None and not confirmed and any(isinstance(action, Delete) for action in made.actions):
            there, before = {*found.hashes, *found.unreadable}, {*made.held_here}
            emptied = self._emptied
            left = settled or int(self._store.any_agreed(there))
            made = held_if_emptied(made, there, outlines, self._meant(), settled=left, before=emptied)
            self._emptied = emptied | ({*made.held_here} - before)
        return made, found

    @property
    def _says_versions(self) -> bool:
        """Whether states go with their versions."""
        abilities = self._upstream.abilities
        return abilities.versions and (self._several or abilities.local)

    async def run(
        self,
        *,
        confirmed: bool = False,
        progress: Progress | None = None,
        touched: AbstractSet[DocumentId] | None = None,
        heard: Announced | None = None,
        prove: bool = False,
    ) -> SyncReport:
        """Raises UpstreamError; what was done until then is done, and the next run goes on from there.

        `touched`: since all was in step, no other files changed than those of these documents. None: who knows.
        `heard`: what the upstream told of itself. `prove`: agreement is to be proved, whenever it was before."""
        report = SyncReport(self._name)
        self._asks = True
        if touched is None:
            self._store.retry_refused(self._name, WRITES_REFUSED)  # the role in the space may be another one by now
        known = touched is not None or await self._copy(report, progress)
        if touched is not None:
            self._stuck = True  # what another process may have left is found in the memory
            self._doubtful |= touched
        row = self._store.upstream(self._name)
        if heard is not None and heard.since == row.cursor and not self._may_have_lost(row, heard.changes):
            self._heard(row, heard.changes)
            self._asks = False
        for number in range(MAX_ROUNDS):
            survey = self._again if known or number else self.survey
            report.plan, report.found = await survey(confirmed=confirmed)
            report.rounds += 1
            report.files_read += report.found.read
            self._adopt([action for action in report.plan.actions if isinstance(action, Adopt)], report)
            if report.plan.agreed:
                if await self._is_proved(prove=prove):
                    report.agreed = True
                    break
                prove = False
                known = False
                continue
            await self._act(report, confirmed=confirmed, progress=progress)
            if self._forgot:
                self._doubt()
        row = self._store.upstream(self._name)
        if report.agreed and not row.whole:
            self._store.set_cursor(self._name, row.cursor, whole=True)
        report.problems_there = self._problems
        report.alternating = self._store.alternating(time.time())
        report.emptied = tuple(sorted(self._emptied & {*report.plan.held_here}))
        waiting = self._store.records(self._name, report.plan.refused)
        report.refused = {d: refused for d, record in waiting.items() if (refused := record.outline.refused)}
        return report

    async def _copy(self, report: SyncReport, progress: Progress | None) -> bool:
        """Into an empty folder everything comes as it is, without a list of it before. False: the folder is not
        empty, or the upstream does not show what it has in pages."""
        if not isinstance(self._upstream, Copyable) or not self._store.is_new(self._name):
            return False
        if self._store.arriving() or not self._files.is_empty():
            return False
        cursor: str | None = None
        done = 0
        async for page in self._upstream.copy():
            cursor = cursor or page.cursor
            self._step("copied")
            await self._take(page.states, {}, report)
            done += len(page.states)
            if progress is not None:
                progress(done, done)
        if cursor is None:
            return False
        # Of before the first page: what changed meanwhile is heard of next.
        with self._store.transaction():
            self._store.set_cursor(self._name, cursor, whole=False)
            self._store.set_proof(self._name, proved=time.time())
        self._step("copied all")
        return True

    async def _listen(self) -> None:
        """Takes down what the upstream has now."""
        row = self._store.upstream(self._name)
        try:
            changes = await self._upstream.changes(row.cursor)
            refused = self._may_have_lost(row, changes)
        except CursorGoneError:
            refused = True
        if refused:
            self._doubt()
            changes = await self._upstream.changes(None)
        self._heard(row, changes)
        self._step("listened")

    def _may_have_lost(self, row: UpstreamRow, changes: UpstreamChanges) -> bool:
        """Whether something that was agreed on after the last cursor may be lost though the cursor is taken."""
        return not changes.whole and may_be_lost(self._store.bases(self._name), row.cursor, changes.cursor)

    def _doubt(self) -> None:
        """The upstream may have forgotten what was agreed on: it is asked what it has, and sent what differs."""
        self._store.doubt(self._name, drop_pending=not self._upstream.abilities.versions)
        self._step("doubted")
        self._came, self._forgot, self._asks = {}, False, True

    async def _is_proved(self, *, prove: bool) -> bool:
        """Whether the upstream has what is remembered of it, by the content. It is asked now and then: a cursor says
        nothing of an upstream that was put back, and written to since, unless it tells its histories apart."""
        row = self._store.upstream(self._name)
        now = time.time()
        if not prove and row.unproved < PROVE_SYNCS and abs(now - row.proved) < PROVE_SECONDS:
            self._store.set_proof(self._name)
            return True
        fingerprint = sum_of(self._store.remote_hashes(self._name)).fingerprint
        agrees = await self._upstream.agrees(row.cursor, fingerprint)
        if agrees is False:
            self._doubt()
            return False
        if agrees:
            self._store.set_proof(self._name, proved=now)
        return True

    def _heard(self, row: UpstreamRow, changes: UpstreamChanges) -> None:
        if changes.hashes or changes.whole or changes.cursor != row.cursor:
            with self._store.transaction():
                self._store.heard(self._name, changes.hashes, whole=changes.whole)
                self._store.set_cursor(self._name, changes.cursor, whole=row.whole)
                if changes.whole:
                    self._store.set_proof(self._name, proved=time.time())
        with self._store.transaction():
            self._store.forgive(self._name, changes.problems)
        self._problems = dict(changes.problems)
        self._came = dict(changes.states)
        if self._upstream.abilities.facts != row.facts:
            self._store.set_facts(self._name, self._upstream.abilities.facts)

    # Acting

    def _adopt(self, actions: Sequence[Adopt], report: SyncReport) -> None:
        if not actions:
            return
        with self._store.transaction():
            records = self._store.records(self._name, [action.id for action in actions])
            adopted: dict[DocumentId, Record] = {}
            for action in actions:
                try:
                    held = self._files.now(action.id)
                except UnreadableError:
                    continue
                remote = records.get(action.id, NOTHING).outline.remote
                # Only if the file still is what was compared.
                if held is not None and held.hash == remote:
                    adopted[action.id] = Record(Outline(remote, shadow=remote, remote=remote), held.body)
            self._store.set_records(self._name, adopted)
        report.adopted += len(adopted)
        self._doubtful.update(action.id for action in actions if action.id not in adopted)
        self._step("adopted")

    async def _act(self, report: SyncReport, *, confirmed: bool, progress: Progress | None) -> None:
        actions = [action for action in report.plan.actions if not isinstance(action, Adopt)]
        kinds = {action.id: action for action in actions}
        done = 0
        told: list[str] = []
        async for replies in self._answers(actions, confirmed=confirmed):
            self._step("answered")
            await self._take(replies, kinds, report)
            done += len(replies)
            told.extend(reply.reason for reply in replies.values() if isinstance(reply, NotNow))
            if progress is not None:
                progress(done, len(actions))
        if told and len(told) == done:
            raise UpstreamUnavailableError(f"nothing is taken now: {told[0]}")

    async def _answers(
        self, actions: Sequence[Action], *, confirmed: bool
    ) -> AsyncIterator[Mapping[DocumentId, Reply]]:
        """The replies to what is to be done. What was heard along with the changes need not be asked for."""
        came, self._came = self._came, {}
        here = {
            action.id: answer
            for action in actions
            if isinstance(action, Fetch) and (answer := came.get(action.id)) is not None
        }
        if here:
            yield here
        left = [action for action in actions if action.id not in here]
        # After an answer the upstream is asked again whether that is all. What it told by itself is.
        self._asks = bool(left)
        for portion in _portions(left, self._upstream.abilities.portion):
            outgoing = self._outgoing(portion)
            self._step("pending")
            async for replies in self._upstream.submit(outgoing, confirmed=confirmed):
                yield replies

    def _outgoing(self, actions: Sequence[Action]) -> list[Outgoing]:
        """With every state that is to be sent written down as pending."""
        found: list[Outgoing] = []
        written: dict[DocumentId, Pending] = {}
        whole = self._store.upstream(self._name).whole
        by_content = not self._upstream.abilities.versions
        states = self._states(actions)
        with self._store.transaction():
            versions = self._versioning.numbered(_hashes(states)) if self._says_versions else {}
            records = self._store.records(self._name, [action.id for action in actions])
            for action in actions:
                record = records.get(action.id, NOTHING)
                pending: Pending | None = None
                match action:
                    case Resend():
                        pending = record.pending
                    case Send() | Delete():
                        if action.id not in states:
                            continue
                        held, version = states[action.id], versions.get(action.id)
                        if held is not None and held.too_large:
                            if self._may_shrink(record):
                                found.append(Outgoing(action.id, says_versions=self._says_versions))
                                self._out[action.id] = replace(record, pending=None)
                            else:
                                refused = replace(TOO_LARGE_HERE, hash=held.hash, remote=record.outline.remote)
                                self._store.refuse(self._name, action.id, refused)
                            continue
                        body, content = (held.body, held.hash) if held is not None else (None, None)
                        pending = pending_for(
                            action,
                            record,
                            body,
                            whole=whole,
                            content=content,
                            by_content=by_content,
                            version=version,
                            last=self._versioning.removed(action.id, version) if body is None else None,
                        )
                        if pending is None:
                            continue
                        written[action.id] = pending
                    case _:
                        pass
                self._out[action.id] = replace(record, pending=pending)
                found.append(self._outgoing_of(action.id, pending, record))
            self._store.set_pending(self._name, written)
        return found

    @staticmethod
    def _may_shrink(record: Record) -> bool:
        """Whether what the upstream has now may make a document smaller that is too large to be sent."""
        outline = record.outline
        return outline.base is not None and outline.remote not in (None, outline.shadow) and not outline.unverified

    def _states(self, actions: Sequence[Action]) -> dict[DocumentId, Held | None]:
        """What is to be sent: what the files hold now, if that is what the plan was made for."""
        states: dict[DocumentId, Held | None] = {}
        for action in actions:
            if not isinstance(action, Send | Delete):
                continue
            self._doubtful.add(action.id)
            with suppress(UnreadableError):
                held = self._files.now(action.id)
                if (held is not None) == isinstance(action, Send):
                    states[action.id] = held
        return states

    def _outgoing_of(self, document: DocumentId, pending: Pending | None, record: Record) -> Outgoing:
        if pending is None or pending.version is None:
            return Outgoing(document, pending, says_versions=self._says_versions)
        earlier = self._versioning.ancestors(document, pending.version, pending.hash)
        brings = record.outline.unverified or unseen(pending.version, record.version or {}) > 1
        return Outgoing(document, pending, says_versions=True, ancestors=earlier, brings=brings)

    async def _take(
        self, replies: Mapping[DocumentId, Reply], kinds: Mapping[DocumentId, Action], report: SyncReport
    ) -> None:
        """Applies answers, as docs/sync.md says."""
        records = self._store.records(self._name, replies.keys() - self._out.keys())
        records.update((document, self._out.pop(document)) for document in replies.keys() & self._out.keys())
        settled: dict[DocumentId, Record] = {}
        decided: dict[DocumentId, list[dict[str, Any]]] = {}
        wanted: dict[DocumentId, Arriving] = {}
        unsettled: dict[DocumentId, ContentHash | None] = {}
        refused: dict[DocumentId, Refused] = {}
        taken: dict[DocumentId, TakenState] = {}
        for document, reply in replies.items():
            record = records.get(document, NOTHING)
            match reply:
                case UpstreamAnswer():
                    found = await self._settled(document, record, reply)
                    if found is None:
                        self._doubtful.add(document)
                        if record.pending is None:
                            unsettled[document] = reply.hash
                        continue
                    result, now = found
                    settled[document] = result.record
                    if document in self._apart:
                        self._doubtful.add(document)
                        continue
                    taken[document] = TakenState(reply, result, record)
                    count(report, kinds.get(document), record, reply)
                    if reply.conflicts or result.conflicts:
                        mine = conflict_rows(result.conflicts, self._policies or NO_POLICIES)
                        decided[document] = [*reply.conflicts, *(dict(row) for row in mine)]
                    if not equal(result.doc, now.body if now is not None else None):
                        wanted[document] = _arriving(result.doc, now, reply)
                case Refused():
                    if record.pending is not None:
                        content = None if record.pending.deletes else record.pending.hash
                        refused[document] = replace(reply, hash=content, remote=record.outline.remote)
                case NotNow():
                    self._doubtful.add(document)
        rows = self._arrivals.stage(wanted)
        with self._store.transaction():
            if self._says_versions:
                self._versioning.took(taken)
                self._versioning.set_apart(self._apart)
            self._store.set_records(self._name, settled)
            self._store.heard(self._name, unsettled, whole=False)
            self._store.held({d: (_hash(row.expected), row.hash) for d, row in rows.items()}, time.time())
            for document, conflicts in decided.items():
                self._store.decided(self._name, document, conflicts)
            for document, refusal in refused.items():
                self._store.refuse(self._name, document, refusal)
            self._store.set_arriving(rows)
        self._apart = {}
        report.conflicts += sum(map(len, decided.values()))
        self._step("remembered")
        placed = self._arrivals.place(rows)
        self._files.wrote(placed)
        self._stuck = self._stuck or len(placed) < len(rows)
        self._doubtful.update(d for d, row in rows.items() if d not in placed or not _is_as_meant(row, placed[d]))
        report.arrived.extend((row.expected, row.body) for row in rows.values())

    async def _settled(
        self, document: DocumentId, record: Record, answer: UpstreamAnswer
    ) -> tuple[Settled, Held | None] | None:
        """None: the answer cannot be used now, so it is asked for again."""
        pending = record.pending
        likely: list[tuple[ContentHash | None, Body | None]] = [(record.outline.shadow, record.shadow)]
        if pending is not None:
            likely.append((pending.hash, pending.body))
        try:
            now = self._files.now(document, likely)
        except UnreadableError:
            return None
        body, here = (now.body, now.hash) if now is not None else (None, None)
        if (pending is None or not self._upstream.abilities.versions) and is_forgotten(record.outline.base, answer):
            self._forgot = True
            return None
        if self._says_versions and self._versioning.is_copy(answer):
            with self._store.transaction():
                self._store.new_replica()
            return None
        merges_here = pending is None and now is not None and now.too_large and not equal(body, record.shadow)
        if pending is None and not merges_here:
            if self._says_versions and self._versioning.is_behind(document, answer):
                self._forgot = True
                return None
            fetched = on_fetched(record, body, answer)
            return (fetched, now) if fetched is not None else None
        if pending is not None and self._says_versions:
            arrival = self._versioning.against(document, here, pending, answer)
            if arrival is Arrival.APART:
                self._apart[document] = pending
                left = replace(record.outline, pending=False, remote=answer.hash)
                return Settled(body, replace(record, outline=left, pending=None)), now
            if arrival is not None:
                return Settled(answer.state if arrival is Arrival.TAKEN else body, agreed(answer)), now
        sent = pending.body if pending is not None else record.shadow
        if now is not None and answer.state is not None and self._policies is None and not equal(body, sent):
            self._policies = await self._upstream.policies()
            return await self._settled(document, record, answer)  # asking took a while
        if pending is None:
            # Too large to be sent, so the edit is merged here: as if the base had been sent.
            pending = Pending(record.shadow or {}, record.outline.shadow or ContentHash(""), "", record.shadow)
            return on_answer(pending, body, answer, self._policies or NO_POLICIES), now
        unedited = pending.hash == record.outline.shadow
        return on_answer(pending, body, answer, self._policies or NO_POLICIES, unedited=unedited), now


def _arriving(doc: Body | None, now: Held | None, answer: UpstreamAnswer) -> Arriving:
    """`doc` in the place of what the file holds now."""
    content: ContentHash | None = None
    if doc is not None:
        content = answer.hash if doc is answer.state else content_hash(doc)
    if now is None:
        return Arriving(doc, None, hash=content)
    return Arriving(doc, now.body, hash=content, at=now.stamp)


def _hash(body: Body | None) -> ContentHash | None:
    return None if body is None else content_hash(body)


def _hashes(states: Mapping[DocumentId, Held | None]) -> dict[DocumentId, ContentHash | None]:
    return {document: None if held is None else held.hash for document, held in states.items()}


def _is_as_meant(row: Arriving, placed: SeenFile | None) -> bool:
    """Whether the file holds what was to come, and its stamp proves it."""
    return placed is None or (bool(placed.stamp) and placed.hash == row.hash)


def _portions(actions: Sequence[Action], size: int) -> Iterator[Sequence[Action]]:
    for start in range(0, len(actions), size):
        yield actions[start : start + size]
