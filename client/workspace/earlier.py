"""Earlier states of documents: from the journals of the folder, its memory, and the revisions of its upstreams.

What is asked for is found in this order, the first that has it:

    one document      the journals; what was last agreed on, if it is gone; the revisions of the upstreams
    since a moment    the revisions of the upstreams, which know of edits by editors and scripts; the journals
    all that is gone  the journals; what was last agreed on; the revisions
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from client.folder.task_folder import Loaded
from client.sync.upstream import Upstream, UpstreamError
from client.tasks.journal import ARRIVALS, COMMANDS, UNDONE, Journal, JournalEntry
from client.workspace.health import status
from client.workspace.workspace import Workspace
from shared.codec import content_hash
from shared.core.identifiers import Body, DocumentId
from shared.observability import event

logger = logging.getLogger(__name__)

RESTORED: Final = "restored"
"""The field of a document that was kept though it was deleted elsewhere: when, in milliseconds since 1970."""


@dataclass
class Earlier:
    """States to go back to. `unknown`: no state was found for these. `unreachable`: upstreams that were not asked
    with success, and why."""

    bodies: dict[DocumentId, Body] = field(default_factory=dict)
    unknown: list[DocumentId] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)


class States:
    """Finds earlier states for one command. Changes nothing."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        state = workspace.folder.state
        entries = [entry for name in (COMMANDS, ARRIVALS, UNDONE) for entry in Journal(state, name).entries()]
        self._entries: list[JournalEntry] = sorted(entries, key=lambda entry: entry.at, reverse=True)
        self._drivers: dict[str, Upstream] = {}
        self._earlier = Earlier()

    async def of(self, document: DocumentId, *, content: str | None = None) -> Earlier:
        """The state before the last change of a document, or before its deletion. `content`: the state of which the
        hash begins so."""
        try:
            now = self._now(document)
            body = self._by_hash(document, content) if content else self._before(document, now)
            if body is None:
                body = await self._revision(document, now, content=content)
            self._keep(document, body, now)
        finally:
            await self._close()
        return self._earlier

    async def gone(self) -> Earlier:
        """The last state of every document that was deleted, here or elsewhere."""
        present = self._workspace.folder.scan().files.keys()
        absent = {document for entry in self._entries for step in entry.steps if (document := step.document)}
        absent = (absent | self._workspace.store.known()) - present
        try:
            for document in sorted(absent):
                body = self._before(document, None) or await self._revision(document, None)
                if body is not None:
                    self._earlier.bodies[document] = body
        finally:
            await self._close()
        return self._earlier

    async def since(self, moment: float, *, only: DocumentId | None = None) -> Earlier:
        """What was changed or deleted since then, as it was at that moment (seconds since 1970). What was made since
        then stays as it is. `only`: this document."""
        folder, store = self._workspace.folder, self._workspace.store
        files = folder.scan().files
        touched = {document for document, stamp in files.items() if stamp.ctime_ns >= moment * 1_000_000_000}
        touched |= {step.document for entry in self._entries if entry.at >= moment for step in entry.steps}
        touched |= store.known() - files.keys()
        try:
            for document in sorted(touched) if only is None else [only]:
                now = self._now(document)
                body = await self._revision(document, now, moment=moment) or self._at(document, moment)
                if body is not None and (now is None or content_hash(body) != content_hash(now)):
                    self._earlier.bodies[document] = body
        finally:
            await self._close()
        return self._earlier

    def held(self) -> Earlier:
        """What is held back until somebody says whether its deletion is meant: the last state of each."""
        earlier = self._earlier
        for upstream in status(self._workspace).upstreams:
            for document in upstream.plan.held_here:
                if (body := self._now(document) or self._before(document, None)) is not None:
                    earlier.bodies[document] = body
                elif document not in earlier.unknown:
                    earlier.unknown.append(document)
            for document in upstream.plan.held_there:
                if (body := self._now(document)) is not None:
                    # A newer clock alone is no edit, and would not stand against a deletion.
                    earlier.bodies[document] = {**body, RESTORED: time.time_ns() // 1_000_000}
        return earlier

    def _keep(self, document: DocumentId, body: Body | None, now: Body | None) -> None:
        if body is None or (now is not None and content_hash(body) == content_hash(now)):
            self._earlier.unknown.append(document)
        else:
            self._earlier.bodies[document] = body

    def _now(self, document: DocumentId) -> Body | None:
        loaded = self._workspace.folder.read(document)
        return loaded.body if isinstance(loaded, Loaded) else None

    def _before(self, document: DocumentId, now: Body | None) -> Body | None:
        """What the document was before it became what it is `now`; None: nothing here says."""
        current = content_hash(now) if now is not None else None
        if current is None:
            for name in self._workspace.store.upstreams():
                record = self._workspace.store.record(name, document)
                if record.shadow is not None:
                    return record.shadow
        for entry in self._entries:
            for step in entry.steps:
                for body in (step.after, step.before) if step.document == document else ():
                    if body is not None and content_hash(body) != current:
                        return body
        return None

    def _by_hash(self, document: DocumentId, content: str) -> Body | None:
        bodies: Iterable[Body | None] = (
            body
            for entry in self._entries
            for step in entry.steps
            if step.document == document
            for body in (step.after, step.before)
        )
        return next((body for body in bodies if body is not None and content_hash(body).startswith(content)), None)

    def _at(self, document: DocumentId, moment: float) -> Body | None:
        """By the oldest change of the journals since then."""
        body: Body | None = None
        for entry in self._entries:
            if entry.at < moment:
                break
            for step in entry.steps:
                if step.document == document:
                    body = step.before
        return body

    async def _revision(
        self, document: DocumentId, now: Body | None, *, content: str | None = None, moment: float | None = None
    ) -> Body | None:
        current = content_hash(now) if now is not None else None
        for config in self._workspace.profile.upstreams:
            if config.name in self._earlier.unreachable:
                continue
            try:
                driver = self._driver(config.name)
                for row in await driver.history(document) if driver.abilities.history else ():
                    if not _fits(row, current, content, moment):
                        continue
                    if row.get("deleted"):  # so it was at that moment
                        return None
                    if (body := await driver.state(document, str(row["hash"]))) is not None:
                        return body
            except UpstreamError as error:
                event(logger, logging.DEBUG, "revisions_not_read", cause=error)
                self._earlier.unreachable[config.name] = str(error)
        return None

    def _driver(self, name: str) -> Upstream:
        if name not in self._drivers:
            config = next(one for one in self._workspace.profile.upstreams if one.name == name)
            self._drivers[name] = self._workspace.upstream(config)
        return self._drivers[name]

    async def _close(self) -> None:
        for driver in self._drivers.values():
            await driver.close()
        self._drivers.clear()


def _fits(row: Mapping[str, Any], current: str | None, content: str | None, moment: float | None) -> bool:
    """Whether the revision, of those that are told newest first, is the one that is looked for or decides that there
    is none."""
    if content is not None:
        return str(row.get("hash")).startswith(content) and not row.get("deleted")
    if row.get("received"):  # it was never current
        return False
    if moment is not None:
        return float(row.get("at") or 0) <= moment
    return not row.get("deleted") and row.get("hash") != current
