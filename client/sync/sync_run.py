"""One sync: look, plan, act, until both sides agree. The only writer of memory and files, one at a time a folder."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NamedTuple

from client.folder.task_folder import TaskFolder
from client.sync.apply_answers import Answers
from client.sync.arrivals import Arrivals, Checkpoint
from client.sync.change_scope import EVERYTHING, NOTHING, ChangeScope
from client.sync.engine.answer import may_be_lost
from client.sync.engine.emptied import hold_if_emptied
from client.sync.engine.plan import Action, Adopt, Delete, Fetch, nothing_to_do, plan
from client.sync.engine.planned import Plan
from client.sync.engine.records import NotNow, Outline, Record, UpstreamAnswer, UpstreamReply
from client.sync.files import Files, FolderContents, UnreadableError
from client.sync.lost_edits import OwnEdits
from client.sync.outbox import NO_RECORD, Outbox
from client.sync.pair import FileReader, FileWriter, SyncPair
from client.sync.question import Question
from client.sync.report import Progress, SyncReport, is_said
from client.sync.state_store import SyncStateStore, UpstreamRow
from client.sync.upstream import (
    Copyable,
    CursorGoneError,
    Upstream,
    UpstreamChanges,
    UpstreamError,
    UpstreamUnavailableError,
)
from client.sync.versioning import Versioning
from shared.core.identifiers import DocumentId
from shared.core.protocol import REFUSED_FOR_NOW

MAX_ROUNDS: Final = 8
"""Two are enough while nobody else writes."""


class Announced(NamedTuple):
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
        step: Checkpoint = lambda name: None,
        *,
        files: FileReader | None = None,
        arrivals: FileWriter | None = None,
        several: bool = False,
        meant: Callable[[], AbstractSet[DocumentId]] | None = None,
    ) -> None:
        """`files`: what is known of them from the syncs before. `several`: the folder has other upstreams, too.
        `meant`: which documents commands have deleted; with it a folder that was emptied otherwise is asked about,
        however little was in it."""
        self._meant = meant
        self._emptied: set[DocumentId] = store.held_as_emptied()
        """Documents whose deletion is held until it is confirmed. Kept across syncs and upstreams, so that what
        arrives from one upstream does not release them."""
        arrivals = arrivals or Arrivals(folder, store, step)
        versioning, several = Versioning(store, name), several or store.is_replica()
        self._pair = SyncPair(
            store, name, upstream, files or Files(folder, store), arrivals, versioning, step, several
        )
        self._outbox = Outbox(self._pair)
        self._own = OwnEdits(store, name, upstream)
        self._answers = Answers(self._pair, self._outbox, self._own)
        self._unapplied: dict[DocumentId, UpstreamAnswer] = {}
        """States that were told along with the changes, and not applied so far."""
        self.report = SyncReport(name)
        """Of this sync; what arrived stands in it also if the sync failed."""
        self._question = Question(upstream)
        self._problems: dict[DocumentId, str] = {}
        """Of the upstream's own files, as they were told last."""

    async def survey(self, *, confirmed: bool = False) -> tuple[Plan, FolderContents]:
        """What is to be done. The upstream is asked and nothing is sent; what arrived before is brought into its
        files (`report`). Raises UpstreamError, FolderError."""
        self._recheck_files(EVERYTHING)
        try:
            return await self._next_plan(confirmed=confirmed)
        finally:
            self._question.take_back()

    def is_due(self, contents: FolderContents, scope: ChangeScope, status: Mapping[str, Any]) -> bool:
        """Whether a sync would have something to do, or to say that is not in the `status` of the last one, without
        asking the upstream. `contents`: refreshed for `scope` at least."""
        stuck = self._pair.store.arriving().keys()
        if stuck if scope.documents is None else stuck & scope.documents:
            return True
        next_plan = self._plan(contents, stuck, scope)
        return bool(next_plan.actions) or not is_said(next_plan, status)

    def _recheck_files(self, scope: ChangeScope) -> None:
        self._pair.recheck.files |= scope

    async def _next_plan(self, *, confirmed: bool) -> tuple[Plan, FolderContents]:
        """What is to be done now. Only what may have changed is looked at, in the folder and in the memory."""
        recheck = self._pair.recheck
        stuck: tuple[DocumentId, ...] = ()
        if recheck.arrivals:
            recheck.include(self._pair.store.arriving())
            recovered = self._pair.arrivals.recover()
            self.report.arrived.extend(recovered.changes)
            stuck = recovered.stuck
            recheck.arrivals = bool(stuck)
        contents = await self._observe()
        scope = recheck.documents | recheck.files | ChangeScope.of(stuck)
        recheck.files = NOTHING
        return self._plan(contents, stuck, scope, confirmed=confirmed), contents

    def _plan(
        self, contents: FolderContents, stuck: Iterable[DocumentId], scope: ChangeScope, *, confirmed: bool = False
    ) -> Plan:
        """`scope`: only these, and what the upstream has otherwise, may be unsettled."""
        if scope.documents is None:
            outlines, settled = self._pair.store.unsettled(self._pair.name, contents.hashes)
            self._pair.recheck.documents = ChangeScope.of(outlines)
        else:
            outlines = self._pair.store.open_outlines(self._pair.name, scope.documents)
            settled = len(contents.hashes) - sum(document in contents.hashes for document in outlines)
            self._pair.recheck.documents = scope | ChangeScope.of(outlines)
        local = {document: content for document in outlines if (content := contents.hashes.get(document)) is not None}
        planned = plan(
            local,
            {*contents.unreadable, *stuck},
            outlines,
            can_delete=self._pair.upstream.abilities.bases,
            confirmed=confirmed,
            settled=settled,
            ahead=self._pair.versioning.ahead(local, outlines) if self._pair.sends_versions else frozenset(),
        )
        if (
            self._meant is not None
            and not confirmed
            and any(isinstance(action, Delete) for action in planned.actions)
        ):
            there, before = {*contents.hashes, *contents.unreadable}, {*planned.held_here}
            emptied = self._emptied
            left = settled or int(self._pair.store.any_agreed(there))
            planned = hold_if_emptied(planned, there, outlines, self._meant(), settled=left, before=emptied)
            self._emptied = emptied | ({*planned.held_here} - before)
        return planned

    async def run(
        self,
        *,
        confirmed: bool = False,
        progress: Progress | None = None,
        scope: ChangeScope = EVERYTHING,
        announced: Announced | None = None,
        prove: bool = False,
    ) -> SyncReport:
        """Once. Raises UpstreamError, FolderError, LockedError, OSError; what was done until then is done, and stands
        in `report`, and the next sync goes on from there.

        `scope`: what may have changed in the folder since all was in sync. `announced`: what the upstream said of
        itself. `prove`: agreement is to be proved, whenever it was before."""
        report = self.report
        if scope.is_everything:
            self._pair.store.retry_refused(self._pair.name, REFUSED_FOR_NOW)  # the role or the quota may have changed
        was_copied = scope.is_everything and await self._copy(report, progress)
        if not was_copied:
            self._recheck_files(scope)
        row = self._pair.store.upstream(self._pair.name)
        if (
            announced is not None
            and announced.since == row.cursor
            and not self._may_have_lost(row, announced.changes)
        ):
            self._record_changes(row, announced.changes)
            self._pair.recheck.upstream = False
        try:
            await self._agree(report, confirmed=confirmed, progress=progress, prove=prove)
        finally:
            self._question.take_back()
        report.decided += (dropped := await self._own.dropped())
        report.conflicts += sum(len(one.conflicts) for one in dropped)
        row = self._pair.store.upstream(self._pair.name)
        if report.agreed and not row.agreed_once:
            self._pair.store.set_cursor(self._pair.name, row.cursor, agreed_once=True)
        report.problems_there = self._problems
        report.alternating = self._pair.store.alternating(time.time())
        report.protected = tuple(sorted(self._pair.arrivals.protected & {*report.plan.unreadable}))
        report.emptied = tuple(sorted(self._emptied & {*report.plan.held_here}))
        waiting = self._pair.store.records(self._pair.name, report.plan.refused)
        report.refused = {d: refused for d, record in waiting.items() if (refused := record.outline.refused)}
        return report

    async def _agree(self, report: SyncReport, *, confirmed: bool, progress: Progress | None, prove: bool) -> None:
        """Until both sides do, or so many rounds were not enough."""
        for _ in range(MAX_ROUNDS):
            report.plan, report.contents = await self._next_plan(confirmed=confirmed)
            report.rounds += 1
            report.files_read += report.contents.read
            self._adopt([action for action in report.plan.actions if isinstance(action, Adopt)], report)
            if nothing_to_do(report.plan):
                if await self._is_proved(prove=prove):
                    report.agreed = True
                    break
                prove = False
                continue
            await self._act(report, confirmed=confirmed, progress=progress)
            if self._pair.recheck.forgotten:
                self._mark_unverified()

    async def _copy(self, report: SyncReport, progress: Progress | None) -> bool:
        """Into an empty folder everything comes as it is, without a list of it before. False: the folder is not
        empty, or the upstream does not show what it has in pages."""
        if not isinstance(self._pair.upstream, Copyable) or not self._pair.store.is_new(self._pair.name):
            return False
        if self._pair.store.arriving() or not self._pair.files.is_empty():
            return False
        cursor: str | None = None
        done = 0
        try:
            async for page in self._pair.upstream.copy():
                cursor = cursor or page.cursor
                self._pair.step("copied")
                await self._answers.apply(page.states, report, into_empty=True)
                done += len(page.states)
                if progress is not None:
                    progress(done, done)
        except BaseException:
            # People are told what came until then: first all of it is durable.
            self._pair.store.set_facts(self._pair.name, self._pair.upstream.abilities.facts)
            raise
        if cursor is None:
            return False
        # Of before the first page: what changed meanwhile is heard of next.
        with self._pair.store.transaction():
            self._pair.store.set_cursor(self._pair.name, cursor, agreed_once=False)
            self._pair.store.set_proof(self._pair.name, proved=time.time())
        self._pair.step("copied all")
        return True

    async def _observe(self) -> FolderContents:
        """What the files hold now. What the upstream has, where it is to be asked, is taken down as well: it is asked
        first, and answers while the files are looked at."""
        recheck = self._pair.recheck
        if recheck.upstream:
            await self._question.ask(self._pair.store.upstream(self._pair.name).cursor)
        contents = self._pair.files.refresh(recheck.files)
        if recheck.upstream:
            await self._listen()
        recheck.upstream = False
        return contents

    async def _listen(self) -> None:
        """Takes down what the upstream has now."""
        row = self._pair.store.upstream(self._pair.name)
        try:
            changes = await self._question.answer(row.cursor)
            refused = self._may_have_lost(row, changes)
        except CursorGoneError:
            refused = True
        if refused:
            self._mark_unverified()
            changes = await self._pair.upstream.changes(None)
        self._record_changes(row, changes)
        self._pair.step("listened")

    def _may_have_lost(self, row: UpstreamRow, changes: UpstreamChanges) -> bool:
        """Whether something that was agreed on after the last cursor may be lost though the cursor is taken."""
        return not changes.is_complete and may_be_lost(
            self._pair.store.bases(self._pair.name), row.cursor, changes.cursor
        )

    def _mark_unverified(self) -> None:
        """The upstream may have forgotten what was agreed on: it is asked what it has, and sent what differs."""
        self._pair.store.mark_unverified(self._pair.name, drop_pending=not self._pair.upstream.abilities.versions)
        self._pair.step("doubted")
        self._unapplied, self._pair.recheck.forgotten, self._pair.recheck.upstream = {}, False, True

    async def _is_proved(self, *, prove: bool) -> bool:
        """Whether the upstream has what is remembered of it, by the content. It is asked now and then: a cursor says
        nothing of an upstream that was put back, and written to since, unless it tells its histories apart."""
        row = self._pair.store.upstream(self._pair.name)
        now = time.time()
        if not prove and not row.must_prove(now):
            self._pair.store.set_proof(self._pair.name)
            return True
        from shared.core.index.reconciliation import sum_of  # noqa: PLC0415  most syncs are not to prove it

        fingerprint = sum_of(self._pair.store.remote_hashes(self._pair.name)).fingerprint
        agrees = await self._pair.upstream.agrees(row.cursor, fingerprint)
        if agrees is False:
            self._mark_unverified()
            return False
        if agrees:
            self._pair.store.set_proof(self._pair.name, proved=now)
        return True

    def _record_changes(self, row: UpstreamRow, changes: UpstreamChanges) -> None:
        """What is lost of it is asked for again."""
        if changes.hashes or changes.is_complete or changes.cursor != row.cursor:
            with self._pair.store.transaction(durable=False):
                self._pair.store.record_remote(self._pair.name, changes.hashes, is_complete=changes.is_complete)
                self._pair.store.set_cursor(self._pair.name, changes.cursor, agreed_once=row.agreed_once)
                if changes.is_complete:
                    self._pair.store.set_proof(self._pair.name, proved=time.time())
        with self._pair.store.transaction(durable=False):
            self._pair.store.retry_problems(self._pair.name, changes.problems)
        self._problems = dict(changes.problems)
        self._unapplied = dict(changes.states)
        if self._pair.upstream.abilities.facts != row.facts:
            self._pair.store.set_facts(self._pair.name, self._pair.upstream.abilities.facts)

    # Acting

    def _adopt(self, actions: Sequence[Adopt], report: SyncReport) -> None:
        if not actions:
            return
        with self._pair.store.transaction():
            records = self._pair.store.records(self._pair.name, [action.id for action in actions])
            adopted: dict[DocumentId, Record] = {}
            for action in actions:
                try:
                    held = self._pair.files.now(action.id)
                except UnreadableError:
                    continue
                remote = records.get(action.id, NO_RECORD).outline.remote_hash
                # Only if the file still is what was compared.
                if held is not None and held.hash == remote:
                    adopted[action.id] = Record(Outline(remote, shadow_hash=remote, remote_hash=remote), held.body)
            self._pair.store.set_records(self._pair.name, adopted)
        report.adopted += len(adopted)
        self._pair.recheck.include(action.id for action in actions if action.id not in adopted)
        self._pair.step("adopted")

    async def _act(self, report: SyncReport, *, confirmed: bool, progress: Progress | None) -> None:
        actions = [action for action in report.plan.actions if not isinstance(action, Adopt)]
        done = 0
        reasons: list[str] = []
        async for replies in self._replies(actions, confirmed=confirmed):
            self._pair.step("answered")
            done += len(replies)
            if done == len(actions) and self._pair.recheck.upstream:
                # It answers while these are applied.
                await self._question.ask(self._pair.store.upstream(self._pair.name).cursor)
            await self._answers.apply(replies, report)
            reasons.extend(reply.reason for reply in replies.values() if isinstance(reply, NotNow))
            if progress is not None:
                progress(done, len(actions))
        if reasons and len(reasons) == done:
            raise UpstreamUnavailableError(f"nothing is accepted now: {reasons[0]}")

    async def _replies(
        self, actions: Sequence[Action], *, confirmed: bool
    ) -> AsyncIterator[Mapping[DocumentId, UpstreamReply]]:
        """The replies to what is to be done. What was heard along with the changes need not be asked for."""
        came, self._unapplied = self._unapplied, {}
        known = {
            action.id: answer
            for action in actions
            if isinstance(action, Fetch) and (answer := came.get(action.id)) is not None and self._is_enough(answer)
        }
        left = [action for action in actions if action.id not in known]
        # After an answer the upstream is asked again whether that is all. What it told by itself is.
        self._pair.recheck.upstream = bool(left)
        try:
            for portion in _portions(left, self._pair.upstream.abilities.portion):
                outgoing = self._outbox.outgoing(portion)
                self._pair.step("pending")
                async for replies in self._pair.upstream.submit(outgoing, confirmed=confirmed):
                    if known:  # while the upstream is at work
                        yield known
                        known = {}
                    if replies:
                        yield replies
        except UpstreamError:
            if known:
                yield known
            raise
        if known:
            yield known

    def _is_enough(self, answer: UpstreamAnswer) -> bool:
        """Whether nothing has to be asked: a folder with several upstreams must know what a state contains."""
        return answer.version is not None or not self._pair.sends_versions


def _portions(actions: Sequence[Action], size: int) -> Iterator[Sequence[Action]]:
    for start in range(0, len(actions), size):
        yield actions[start : start + size]
