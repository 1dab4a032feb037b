"""Syncing a folder with all of its upstreams: until an arrival from one has reached the others."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from functools import reduce
from operator import or_
from typing import Final

from client.config.config_file import UpstreamConfig
from client.folder.locks import waited_for
from client.folder.task_folder import FolderGoneError
from client.sync.arrivals import BeforeAndAfter
from client.sync.change_scope import EVERYTHING, NOTHING, ChangeScope, Unsynced
from client.sync.engine.planned import Plan
from client.sync.files import Files, FolderContents
from client.sync.report import Progress, Result, SyncReport, status_of
from client.sync.sync_run import Announced, Sync
from client.sync.upstream import Upstream, UpstreamError
from client.tasks.journal import ARRIVALS, Journal, Step, deleted_by_commands
from client.workspace.workspace import LOCK_SECONDS, Workspace
from shared.core.identifiers import DocumentId
from shared.observability import event

logger = logging.getLogger(__name__)

MAX_PASSES: Final = 4
"""An edit reaches all upstreams in two."""


Drivers = dict[str, Upstream]
Arrived = Callable[[list[BeforeAndAfter]], None]
"""Told of the files that syncs changed."""


class MultiSync:
    """A folder and its upstreams, for one command or one daemon. Drivers stay open between syncs."""

    def __init__(
        self,
        workspace: Workspace,
        upstreams: Sequence[UpstreamConfig],
        arrived: Arrived = lambda changes: None,
        *,
        resident: bool = False,
    ) -> None:
        """`resident`: it is a daemon's, which proves at its start that it agrees with its upstreams."""
        self.workspace = workspace
        self.upstreams = {config.name: config for config in upstreams}
        self._arrived = arrived
        self._drivers: Drivers = {}
        self._files = Files(workspace.folder, workspace.store)
        self._several = len({upstream.name for upstream in (*workspace.profile.upstreams, *upstreams)}) > 1
        self._unproved = set(self.upstreams) if resident else set[str]()
        """Upstreams that are asked to prove that they have what is remembered of them, when they agree next."""
        self._unsynced = Unsynced(self.upstreams)

    async def close(self) -> None:
        for driver in self._drivers.values():
            await driver.close()
        self._drivers.clear()

    def driver(self, name: str) -> Upstream:
        """Raises UpstreamError."""
        if name not in self._drivers:
            self._drivers[name] = self.workspace.upstream(self.upstreams[name])
        return self._drivers[name]

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """No other process syncs the folder meanwhile. Raises FolderGoneError, LockedError."""
        if not self.workspace.folder.state.is_dir():
            raise FolderGoneError(self.workspace.folder.root)
        async with waited_for(self.workspace.sync_lock, LOCK_SECONDS):
            yield

    async def survey(self, name: str, *, confirmed: bool = False) -> tuple[Plan, FolderContents]:
        """What a sync would do. Raises UpstreamError, FolderError."""
        async with self._alone():
            sync = self._sync(name)
            try:
                return await sync.survey(confirmed=confirmed)
            finally:
                self._announce(sync.report.arrived)

    async def sync(
        self,
        names: Sequence[str] | None = None,
        *,
        confirmed: bool = False,
        progress: Callable[[str], Progress | None] = lambda name: None,
        touched: ChangeScope = EVERYTHING,
        announced: Mapping[str, Announced] | None = None,
    ) -> Result:
        """One that fails does not stop the others. Raises FolderError, LockedError, OSError.

        `touched`: what may have changed in the folder since the sync before. `announced`: what upstreams said."""
        result = Result()
        due = list(names if names is not None else self.upstreams)
        async with self._alone():
            self._add_touched(touched)
            for _ in range(MAX_PASSES):
                moved: set[str] = set()
                for name in due:
                    mine = (announced or {}).get(name)
                    if await self._one(name, result, confirmed=confirmed, progress=progress(name), announced=mine):
                        moved.update(other for other in self.upstreams if other != name)
                due = [name for name in self.upstreams if name in moved and name not in result.errors]
                if not due:
                    break
        return result

    async def due(self, touched: ChangeScope) -> set[str]:
        """The upstreams with which a sync would have something to do, by what is in the folder. `touched`: what may
        have changed there since this was asked, or synced, last. Raises FolderError, LockedError, OSError."""
        async with self._alone():
            self._add_touched(touched)
            scopes = {name: self._unsynced.of(name) for name in self.upstreams}
            contents = self._files.refresh(reduce(or_, scopes.values(), NOTHING))
            return {name for name, scope in scopes.items() if self._is_due(name, contents, scope)}

    def _is_due(self, name: str, contents: FolderContents, scope: ChangeScope) -> bool:
        try:
            return self._sync(name).is_due(contents, scope, self.workspace.store.upstream(name).status)
        except UpstreamError:
            return True  # the sync says what is wrong

    def _add_touched(self, touched: ChangeScope) -> None:
        """What another process did may be anything."""
        self._unsynced.add(EVERYTHING if self.workspace.store.written_elsewhere() else touched)

    def _announce(self, arrived: list[BeforeAndAfter]) -> None:
        """Of changes of files: to the journal, to people, and to the other upstreams."""
        if not arrived:
            return
        self._record(arrived)
        self._arrived(arrived)
        self._unsynced.add(ChangeScope.of(_changed_document(change) for change in arrived))

    def _record(self, arrived: Iterable[BeforeAndAfter]) -> None:
        """So that it can be taken back. What arrived stands, whether or not there is room for this."""
        steps = [Step(_changed_document(change), *change) for change in arrived]
        try:
            Journal(self.workspace.folder.state, ARRIVALS).record("sync", steps)
        except OSError as error:
            event(logger, logging.WARNING, "arrivals_not_recorded", cause=error)

    def _meant(self) -> AbstractSet[DocumentId]:
        return deleted_by_commands(self.workspace.folder.state)

    def _sync(self, name: str) -> Sync:
        """Raises UpstreamError."""
        workspace = self.workspace
        return Sync(
            workspace.folder,
            workspace.store,
            name,
            self.driver(name),
            files=self._files,
            several=self._several,
            meant=self._meant,
        )

    async def _one(
        self, name: str, result: Result, *, confirmed: bool, progress: Progress | None, announced: Announced | None
    ) -> bool:
        """Whether files were changed, also if the sync failed."""
        store = self.workspace.store
        scope = self._unsynced.start(name)
        arrived: list[BeforeAndAfter] = []
        try:
            sync, prove = self._sync(name), name in self._unproved
            arrived = sync.report.arrived
            report = await sync.run(
                confirmed=confirmed, progress=progress, scope=scope, announced=announced, prove=prove
            )
            if report.agreed:
                self._unproved.discard(name)
            if report.agreed and not report.plan.waits:
                self._unsynced.end(name)
        except UpstreamError as error:
            result.errors[name] = error
            before = dict(store.upstream(name).status)
            since = (before.get("error") or {}).get("since", time.time())
            error_status = {"code": error.code, "message": str(error), "since": since, "passing": error.passing}
            store.set_status(name, {**before, "error": error_status})
            return bool(arrived)
        finally:
            self._announce(arrived)
        result.errors.pop(name, None)
        earlier = result.reports.get(name)
        result.reports[name] = report if earlier is None else _together(earlier, report)
        store.set_status(name, status_of(report))
        return bool(arrived)


def _changed_document(change: BeforeAndAfter) -> DocumentId:
    before, now = change
    return DocumentId((before or now or {})["id"])


def _together(first: SyncReport, then: SyncReport) -> SyncReport:
    """Two syncs with one upstream as one."""
    for name in ("rounds", "sent", "deleted", "fetched", "removed", "merged", "conflicts", "adopted", "files_read"):
        setattr(then, name, getattr(first, name) + getattr(then, name))
    then.arrived = [*first.arrived, *then.arrived]
    then.decided = [*first.decided, *then.decided]
    return then
