"""How a folder and its upstreams are: what `hypertask status` and `hypertask doctor` find. Changes nothing."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from client.config.config_file import UpstreamConfig
from client.config.tokens import TokenError
from client.folder.locks import holder, is_held
from client.folder.replace import is_protected
from client.folder.task_folder import FolderError, Loaded
from client.screen import clip, tasks
from client.sync.engine.emptied import hold_if_emptied
from client.sync.engine.plan import Adopt, plan
from client.sync.engine.planned import Plan
from client.sync.files import Files, FolderContents
from client.sync.upstream import UpstreamError
from client.tasks.journal import deleted_by_commands
from client.tasks.recurrence import NoPeriodError, Series
from client.upstreams.http import HttpUpstream
from client.workspace.workspace import Workspace
from shared.core.identifiers import DocumentId

SKEW_SECONDS: Final = 60.0
NAMED: Final = 5
"""So many documents are named; --json has all of them."""


@dataclass(frozen=True, slots=True)
class UpstreamStatus:
    """One upstream, from the memory alone: nobody is asked."""

    name: str
    url: str
    last: dict[str, Any]
    plan: Plan
    """What would travel if the upstream were still as it was heard of."""
    protected: tuple[DocumentId, ...] = ()
    """Documents of which the last sync could not place a newer state, as far as their files are protected still."""
    no_token: bool = False
    """Nothing can be synced before somebody signs in."""
    alternating: tuple[DocumentId, ...] = ()
    """Documents that went back and forth in the last sync, as far as they are there still."""

    @property
    def refused(self) -> Mapping[str, Mapping[str, str]]:
        """Edits that the upstream did not take, by their documents, with `code` and `reason`: those that are still as
        they were then."""
        refused = self.last.get("refused") or {}
        return {document: refused[document] for document in refused if document in self.plan.refused}

    @property
    def waiting(self) -> int:
        return sum(not isinstance(action, Adopt) for action in self.plan.actions)


@dataclass(frozen=True, slots=True)
class Status:
    contents: FolderContents
    upstreams: tuple[UpstreamStatus, ...]
    daemon: str | None
    """The id of its process; None: it does not run."""


def status(workspace: Workspace) -> Status:
    """Raises FolderError."""
    folder = workspace.folder
    contents = Files(folder, workspace.store).refresh(remember=False)
    rows = []
    for config in workspace.profile.upstreams:
        row = workspace.store.upstream(config.name)
        outlines = workspace.store.outlines(config.name)
        can_delete = not row.facts.get("asked_at") or "base" in row.facts.get("supports", ())
        intent = plan(contents.hashes, contents.unreadable, outlines, can_delete=can_delete)
        there = {*contents.hashes, *contents.unreadable}
        before = workspace.store.held_as_emptied()
        left, meant = int(workspace.store.any_agreed(there)), deleted_by_commands(workspace.folder.state)
        intent = hold_if_emptied(intent, there, outlines, meant, settled=left, before=before)
        protected = tuple(d for d in row.status.get("protected") or () if is_protected(folder.text_path(d)))
        alternating = tuple(d for d in row.status.get("alternating") or () if d in there)
        no_token = _lacks_token(workspace, config)
        rows.append(
            UpstreamStatus(config.name, config.url, dict(row.status), intent, protected, no_token, alternating)
        )
    daemon = holder(workspace.daemon_lock) if is_held(workspace.daemon_lock) else None
    return Status(contents, tuple(rows), daemon)


def _lacks_token(workspace: Workspace, config: UpstreamConfig) -> bool:
    if not config.url.startswith(("http://", "https://")):
        return False
    try:
        return workspace.tokens.token_for(workspace.profile.name, config.name) is None
    except TokenError:  # there is one, with which something is wrong: the next sync says what
        return False


@dataclass(frozen=True, slots=True)
class Check:
    """`state`: ok, warning or bad. `fix`: what to do, "" if nothing."""

    what: str
    state: str
    sentence: str
    fix: str = ""


async def examine(workspace: Workspace) -> AsyncIterator[Check]:
    """Every check, as it is done. What fails is a result, not an error."""
    for check in _folder(workspace):
        yield check
    for config in workspace.profile.upstreams:
        async for check in _upstream(workspace, config):
            yield check
    if not workspace.profile.upstreams:
        yield Check("upstreams", "warning", "no server or folder to sync with yet", "hypertask connect URL")


def _folder(workspace: Workspace) -> Iterator[Check]:
    root = workspace.folder.root
    if not os.access(root, os.W_OK):
        yield Check("folder", "bad", f"{root} cannot be written", f"chmod u+w {root}")
        return
    free = shutil.disk_usage(root).free
    room = free > 64 * 1024 * 1024
    yield Check(
        "folder",
        "ok" if room else "bad",
        f"{root}, {free // (1024 * 1024)} MiB free",
        "" if room else "Make room on that disk.",
    )
    try:
        contents = Files(workspace.folder, workspace.store).refresh(remember=False)
    except FolderError as error:
        yield Check("files", "bad", str(error))
        return
    yield Check("files", "ok", f"{tasks(len(contents.hashes))} can be read")
    for problem in contents.problems:
        yield Check("files", "bad", f"{problem.name}: {problem.sentence}")
    yield from _patterns(workspace, contents)
    if workspace.store.rebuilt:
        yield Check("memory", "warning", workspace.store.rebuilt, "Nothing is lost. Next: hypertask sync")
    else:
        yield Check("memory", "ok", "intact")
    held = is_held(workspace.daemon_lock)
    yield Check(
        "daemon",
        "ok" if held else "warning",
        f"running (process {holder(workspace.daemon_lock)})" if held else "not running",
        "" if held else "hypertask daemon start",
    )


def _patterns(workspace: Workspace, contents: FolderContents) -> Iterator[Check]:
    """Tasks that are to repeat, and do not."""
    for document in sorted(contents.hashes):
        loaded = workspace.folder.read(document)
        if not isinstance(loaded, Loaded) or loaded.body.get("status") != "recurring":
            continue
        try:
            Series.of(loaded.body, None)
        except NoPeriodError as error:
            title = clip(str(loaded.body.get("description", document)))
            fix = f"hypertask modify {document} due:friday recur:weekly"
            yield Check("repeating", "bad", f"{document} ({title}) does not repeat: {error}", fix)


async def _upstream(workspace: Workspace, config: UpstreamConfig) -> AsyncIterator[Check]:
    name = config.name
    try:
        driver = workspace.upstream(config)
    except (UpstreamError, TokenError) as error:
        yield Check(name, "bad", str(error))
        return
    try:
        if isinstance(driver, HttpUpstream):
            yield Check(name, "ok", f"there is a token for {config.url}")
            yield await _clock(driver, name)
            capabilities = await driver.read_capabilities()
            if not capabilities:
                yield Check(name, "warning", "it speaks only version 1.0 of the protocol: deletions cannot be sent")
            else:
                yield Check(
                    name,
                    "ok",
                    f"Hypertask {capabilities.get('version', '?')}: {', '.join(capabilities.get('supports', ()))}",
                )
        started = time.monotonic()
        changes = await driver.changes(None)
        took = (time.monotonic() - started) * 1000
        yield Check(name, "ok", f"it answers, in {took:.0f} ms, and has {tasks(len(changes.hashes))}")
        yield _agreement(workspace, name, dict(changes.hashes))
    except UpstreamError as error:
        yield Check(name, "bad", str(error))
    finally:
        await driver.close()


async def _clock(driver: HttpUpstream, name: str) -> Check:
    answer = await driver.channel.request("GET", "/")
    now = datetime.now(UTC)
    try:
        there = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return Check(name, "ok", "it does not say what time it has")
    skew = (now - there).total_seconds()
    if abs(skew) > SKEW_SECONDS:
        word = "ahead of" if skew > 0 else "behind"
        warning = f"the clock here is {abs(skew):.0f} s {word} the server's; ties between edits go by it"
        return Check(name, "warning", warning, "Set the clock: timedatectl set-ntp true")
    return Check(name, "ok", f"the clocks agree within {max(1, abs(skew)):.0f} s")


def _agreement(workspace: Workspace, name: str, theirs: dict[Any, Any]) -> Check:
    mine = Files(workspace.folder, workspace.store).refresh(remember=False).hashes
    differing = sorted(document for document in {*mine, *theirs} if mine.get(document) != theirs.get(document))
    if not differing:
        return Check(name, "ok", f"all {tasks(len(mine))} have the same content on both sides")
    named = clip(", ".join(differing[:NAMED]), 90)
    return Check(name, "warning", f"{tasks(len(differing))} differ: {named}", "hypertask sync")
