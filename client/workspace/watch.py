"""The daemon: what happens in the folder, or at an upstream, is in sync within a second.

Three things wake it: a file that changed, an upstream that says so, and time (after a failure). Syncs follow one
another.

What woke it is all that a sync looks at: the files that were touched, the changes that the upstream told. Everything
is looked at when the daemon starts, when the watch has begun, after a failure, when another process synced, and every
few minutes. An edit that is not heard of at once is not in danger: no file is replaced that is not as it was seen.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Final

from watchfiles import Change, awatch

from client.folder.disk import DISK_ERRORS, sentence
from client.folder.file_names import document_of
from client.folder.locks import LockedError
from client.folder.task_folder import FolderError
from client.sync.change_scope import EVERYTHING, NOTHING, ChangeScope
from client.sync.report import Result
from client.sync.sync_run import Announced
from client.sync.upstream import UpstreamError
from client.workspace.multi_sync import MultiSync
from shared.observability import event
from shared.retry import Backoff

logger = logging.getLogger(__name__)

DEBOUNCE_MS: Final = 60
STEP_MS: Final = 20
"""An editor's save is several events: it is over when there is none for STEP_MS."""
WATCH_READY_MS: Final = 1_000
"""A watch that has told nothing for so long has begun."""
RETRY_FIRST: Final = Backoff(attempts=40, base=0.5, cap=8.0)
RETRY_LATER: Final = Backoff(attempts=sys.maxsize, base=60.0, cap=60.0)
"""Of an upstream that has not been there for some minutes."""
MOUNTED_AGAIN_SECONDS: Final = 8.0
"""So often a folder is looked for that cannot be watched."""
LOOK_SECONDS: Final = 300.0
"""So often the folder is looked at in any case: some drives tell nothing."""
MAX_TOUCHED: Final = 1_000
"""Of so many files that were touched at once some may have been lost on the way: all are looked at."""


class Watch:
    """`on_result` is called with every sync, `on_unusable` with the reason why there can be none, once for each.
    It goes on by itself."""

    def __init__(
        self,
        multi_sync: MultiSync,
        on_result: Callable[[Result], None] = lambda result: None,
        on_unusable: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self._multi_sync = multi_sync
        self._on_result = on_result
        self._on_unusable = on_unusable
        self._unusable = ""
        """Why nothing can be synced at the moment; empty: it can."""
        self._due: set[str] = set(multi_sync.upstreams)
        self._touched = EVERYTHING
        """What may have changed in the folder, as far as it was not handed on."""
        self._announced: dict[str, Announced] = {}
        self._wake = asyncio.Event()
        self._listen = {name: asyncio.Event() for name in multi_sync.upstreams}
        self._failures: dict[str, int] = dict.fromkeys(multi_sync.upstreams, 0)

    async def run(self) -> None:
        """Until it is cancelled. What is cut off goes on the next time."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_folder())
            for name in self._multi_sync.upstreams:
                group.create_task(self._watch_upstream(name))
            await self._sync_for_ever()

    async def _sync_for_ever(self) -> None:
        self._wake.set()
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                self._touched = EVERYTHING
            self._wake.clear()
            touched, self._touched = self._touched, NOTHING
            announced, self._announced = self._announced, {}
            if touched and self._due != self._multi_sync.upstreams.keys():
                self._due |= await self._due_by_folder(touched)
            names = [name for name in self._multi_sync.upstreams if name in self._due]
            self._due.clear()
            if names:
                await self._sync(names, touched, announced)

    async def _due_by_folder(self, touched: ChangeScope) -> set[str]:
        """The upstreams that lack something of the folder."""
        try:
            return await self._multi_sync.due(touched)
        except (FolderError, LockedError, *DISK_ERRORS):
            return set(self._multi_sync.upstreams)  # the sync says what is wrong

    async def _sync(self, names: list[str], touched: ChangeScope, announced: dict[str, Announced]) -> None:
        try:
            result = await self._multi_sync.sync(names, touched=touched, announced=announced)
        except (FolderError, LockedError, *DISK_ERRORS) as error:
            # A disk that is full, or was taken away, may have room again, or be back: it is tried again.
            if (reason := sentence(error) if isinstance(error, DISK_ERRORS) else str(error)) != self._unusable:
                event(logger, logging.WARNING, "folder_unusable", cause=error)
                self._on_unusable(reason)
            self._unusable = reason
            self._touched = EVERYTHING
            self._later(names)
            return
        self._unusable = ""
        for name, report in result.reports.items():
            self._failures[name] = 0
            self._listen[name].set()
            if not report.agreed:
                self._later([name])
        if result.errors:
            for name in result.errors:
                self._listen[name].clear()
            self._later(list(result.errors))
        self._on_result(result)

    def _later(self, names: list[str]) -> None:
        for name in names:
            self._failures[name] += 1
            delay = _delay(self._failures[name])
            asyncio.get_running_loop().call_later(delay, self._now_due, name)

    def _now_due(self, name: str) -> None:
        self._due.add(name)
        self._wake.set()

    async def _watch_folder(self) -> None:
        root = self._multi_sync.workspace.folder.root
        failed = ""
        while True:
            try:
                watching = awatch(
                    root, watch_filter=_is_task, recursive=False, debounce=DEBOUNCE_MS, step=STEP_MS,
                    rust_timeout=WATCH_READY_MS, yield_on_timeout=True,
                )  # fmt: skip
                begun = False
                async for changes in watching:
                    # What happened before the watch had begun was not told to it.
                    self._touch(changes if begun else None)
                    begun, failed = True, ""
            except (FileNotFoundError, OSError, RuntimeError) as error:
                if str(error) != failed:  # said once, however long it lasts
                    event(logger, logging.WARNING, "folder_not_watched", cause=error)
                failed = str(error)
            await asyncio.sleep(MOUNTED_AGAIN_SECONDS)
            self._touch(None)

    def _touch(self, changes: Iterable[tuple[Change, str]] | None) -> None:
        """None: any files may have changed."""
        names = None if changes is None else {path.rpartition("/")[2] for _, path in changes}
        if names is not None and not names:
            return
        documents = set() if names is None else {document_of(name) for name in names}
        if names is None or len(names) > MAX_TOUCHED or None in documents:
            self._touched = EVERYTHING
        else:
            self._touched |= ChangeScope.of(document for document in documents if document is not None)
        self._wake.set()

    async def _watch_upstream(self, name: str) -> None:
        failures = 0
        while True:
            await self._listen[name].wait()
            try:
                cursor = self._multi_sync.workspace.store.upstream(name).cursor
                changes = await self._multi_sync.driver(name).wait(cursor)
                failures = 0
                if changes is not None:
                    if self._multi_sync.workspace.store.upstream(name).cursor != cursor:
                        continue  # a sync has been there since then; this may be what it sent
                    self._announced[name] = Announced(cursor, changes)
            except (UpstreamError, *DISK_ERRORS):
                # The next sync says whether it is gone. If it is not, it does not let us listen; then it is asked.
                failures += 1
                await asyncio.sleep(_delay(failures))
            self._listen[name].clear()  # again when this was synced, from its cursor
            self._now_due(name)


def _delay(failures: int) -> float:
    """Seconds."""
    delay = RETRY_FIRST.delay(failures)
    return delay if delay is not None else RETRY_LATER.delay(1) or 0.0


def _is_task(change: Change, path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.endswith(".json") and not name.startswith(".")
