"""Syncing a folder with all of its upstreams: until an arrival from one has reached the others."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from client.config.config_file import UpstreamConfig
from client.folder.locks import waited_for
from client.folder.task_folder import FolderGoneError
from client.sync.engine.plan import Plan
from client.sync.files import Files, Found
from client.sync.report import Progress, SyncReport, status_of
from client.sync.sync_run import Announced, Sync
from client.sync.upstream import Upstream, UpstreamError
from client.tasks.journal import ARRIVALS, Journal, Step, deleted_by_commands
from client.workspace.workspace import LOCK_SECONDS, Workspace
from shared.core.identifiers import Body, DocumentId
from shared.observability import event

logger = logging.getLogger(__name__)

MAX_PASSES: Final = 4
"""An edit reaches all upstreams in two."""


@dataclass
class Result:
    """By the upstreams' names."""

    reports: dict[str, SyncReport] = field(default_factory=dict)
    errors: dict[str, UpstreamError] = field(default_factory=dict)

    @property
    def agreed(self) -> bool:
        return not self.errors and all(report.agreed for report in self.reports.values())

    @property
    def stopped(self) -> bool:
        """Something is held back until somebody says whether it is meant."""
        return any(report.plan.held_here or report.plan.held_there for report in self.reports.values())


Drivers = dict[str, Upstream]
Arrived = Callable[[list[tuple[Body | None, Body | None]]], None]
"""Told (before, now) of the files that syncs changed."""


class Exchange:
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
        self.here = workspace
        self.upstreams = {config.name: config for config in upstreams}
        self._arrived = arrived
        self._drivers: Drivers = {}
        self._files = Files(workspace.folder, workspace.store)
        self._several = len({upstream.name for upstream in (*workspace.profile.upstreams, *upstreams)}) > 1
        self._unproved = set(self.upstreams) if resident else set[str]()
        """Upstreams that are asked to prove that they have what is remembered of them, when they agree next."""
        self._touched: dict[str, set[DocumentId]] = {}
        """Of each upstream that was in sync: the documents whose files were touched since then."""

    async def close(self) -> None:
        for driver in self._drivers.values():
            await driver.close()
        self._drivers.clear()

    def driver(self, name: str) -> Upstream:
        """Raises UpstreamError."""
        if name not in self._drivers:
            self._drivers[name] = self.here.upstream(self.upstreams[name])
        return self._drivers[name]

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """No other process syncs the folder meanwhile. Raises FolderGoneError, LockedError."""
        if not self.here.folder.state.is_dir():
            raise FolderGoneError(self.here.folder.root)
        async with waited_for(self.here.sync_lock, LOCK_SECONDS):
            yield

    async def survey(self, name: str, *, confirmed: bool = False) -> tuple[Plan, Found]:
        """What a sync would do. Raises UpstreamError, FolderError."""
        async with self._alone():
            driver, meant = self.driver(name), self._meant
            sync = Sync(self.here.folder, self.here.store, name, driver, several=self._several, meant=meant)
            return await sync.survey(confirmed=confirmed)

    async def sync(
        self,
        names: Sequence[str] | None = None,
        *,
        confirmed: bool = False,
        progress: Callable[[str], Progress | None] = lambda name: None,
        touched: AbstractSet[DocumentId] | None = None,
        heard: Mapping[str, Announced] | None = None,
    ) -> Result:
        """One that fails does not stop the others. Raises FolderError, LockedError.

        `touched`: no other files changed since the sync before; None: who knows. `heard`: what upstreams told."""
        result = Result()
        due = list(names if names is not None else self.upstreams)
        async with self._alone():
            if self.here.store.written_elsewhere() or touched is None:
                self._touched.clear()
            self._touch(touched or ())
            for _ in range(MAX_PASSES):
                moved: set[str] = set()
                for name in due:
                    told = (heard or {}).get(name)
                    report = await self._one(name, result, confirmed=confirmed, progress=progress(name), heard=told)
                    if report is not None and report.arrived:
                        self._record(report.arrived)
                        self._arrived(report.arrived)
                        self._touch(DocumentId((before or now or {})["id"]) for before, now in report.arrived)
                        moved.update(other for other in self.upstreams if other != name)
                due = [name for name in self.upstreams if name in moved and name not in result.errors]
                if not due:
                    break
        return result

    async def folder_changed(self, touched: AbstractSet[DocumentId] | None) -> bool:
        """Whether a file, one of `touched` or any, holds something else than when it was seen, or written, last.
        Raises FolderError, LockedError."""
        async with self._alone():
            found = self._files.look() if touched is None else self._files.look_again(touched)
            return bool(found.changed)

    def _record(self, arrived: Iterable[tuple[Body | None, Body | None]]) -> None:
        """So that it can be taken back. What arrived stands, whether or not there is room for this."""
        steps = [Step(DocumentId((before or now or {})["id"]), before, now) for before, now in arrived]
        try:
            Journal(self.here.folder.state, ARRIVALS).record("sync", steps)
        except OSError as error:
            event(logger, logging.WARNING, "arrivals_not_recorded", cause=error)

    def _meant(self) -> AbstractSet[DocumentId]:
        return deleted_by_commands(self.here.folder.state)

    def _touch(self, documents: Iterable[DocumentId]) -> None:
        some = set(documents)
        for name in self._touched:
            self._touched[name] |= some

    async def _one(
        self, name: str, result: Result, *, confirmed: bool, progress: Progress | None, heard: Announced | None
    ) -> SyncReport | None:
        store = self.here.store
        touched = self._touched.pop(name, None)
        try:
            driver, prove = self.driver(name), name in self._unproved
            several, meant = self._several, self._meant
            sync = Sync(self.here.folder, store, name, driver, files=self._files, several=several, meant=meant)
            report = await sync.run(confirmed=confirmed, progress=progress, touched=touched, heard=heard, prove=prove)
            if report.agreed:
                self._unproved.discard(name)
            if report.agreed and not report.plan.waits:
                self._touched[name] = set()
        except UpstreamError as error:
            result.errors[name] = error
            before = dict(store.upstream(name).status)
            since = (before.get("error") or {}).get("since", time.time())
            told = {"code": error.code, "message": str(error), "since": since, "passing": error.passing}
            store.set_status(name, {**before, "error": told})
            return None
        result.errors.pop(name, None)
        earlier = result.reports.get(name)
        result.reports[name] = report if earlier is None else _together(earlier, report)
        store.set_status(name, status_of(report))
        return report


def _together(first: SyncReport, then: SyncReport) -> SyncReport:
    """Two syncs with one upstream as one."""
    for name in ("rounds", "sent", "deleted", "fetched", "removed", "merged", "conflicts", "adopted", "files_read"):
        setattr(then, name, getattr(first, name) + getattr(then, name))
    then.arrived = [*first.arrived, *then.arrived]
    then.decided = [*first.decided, *then.decided]
    return then
