"""What a sync finds that has nothing to do, without loading what a sync needs that has something to do.

The memory says whether anything is left from before, names and stamps say whether a file was changed, and the server
is asked once whether anything was changed there. If all of it says no, what a sync writes then is written. In every
other case nothing was done, and a whole sync begins from the beginning.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from client.config.tokens import TokenError
from client.folder.locks import LockedError, held
from client.folder.task_folder import TaskFolder
from client.sync.report import SyncReport, status_of
from client.sync.state_store import STAGED_IN, SyncStateStore, UpstreamRow
from client.upstreams.changes_question import ChangesQuestion, headers_of
from client.upstreams.server_facts import ServerFacts
from client.workspace.workspace import Workspace, place_of


def first_look(workspace: Workspace, variables: Mapping[str, str]) -> SyncReport | None:
    """The report of a sync that found nothing to do; None: only a whole sync can say. `variables`: of the
    environment. Raises FolderError."""
    if len(workspace.profile.upstreams) != 1 or not workspace.folder.state.is_dir():
        return None
    try:
        with held(workspace.sync_lock):
            return _looked(workspace, variables)
    except (LockedError, TokenError, OSError):  # a whole sync waits, or says what is wrong
        return None


def _looked(workspace: Workspace, variables: Mapping[str, str]) -> SyncReport | None:
    [config] = workspace.profile.upstreams
    store = workspace.store
    question = question_to(store.upstream(config.name), place_of(config), time.time())
    if question is None:
        return None
    from client.upstreams.plain_request import plain_answer, target_of  # noqa: PLC0415  only now it is needed

    target = target_of(config.url, variables)
    token = workspace.tokens.token_for(workspace.profile.name, config.name) if target is not None else None
    if target is None or token is None or not is_settled(store, config.name, workspace.folder):
        return None
    headers = {**headers_of(token, config.space, accept_encoding="identity"), **question.headers}
    answer = plain_answer(target, question.path, headers)
    if answer is None or not question.is_denied(*answer):
        return None
    report = SyncReport(config.name, agreed=True, rounds=1)
    store.set_proof(config.name)
    store.set_status(config.name, status_of(report))
    return report


def question_to(row: UpstreamRow, place: str, now: float) -> ChangesQuestion | None:
    """What to ask an upstream at that place; None: by what is remembered of it there is more to be done with it."""
    facts = ServerFacts.stored(row.facts)
    if row.place != place or not row.agreed_once or row.must_prove(now):
        return None
    if facts.is_old(now) or facts.as_stored() != row.facts:
        return None
    return ChangesQuestion.about(facts, row.cursor)


def is_settled(store: SyncStateStore, upstream: str, folder: TaskFolder) -> bool:
    """Whether the files are what was read last and agreed on, and nothing waits, is on its way, or is to be told.
    Raises FolderError."""
    if store.arriving() or _has_files(folder.state / STAGED_IN):
        return False
    scan = folder.scan()
    if scan.problems or any(stamp.size > folder.max_document_bytes for stamp in scan.files.values()):
        return False
    if store.file_stamps() != {document: stamp.key for document, stamp in scan.files.items()}:
        return False
    outlines, _ = store.unsettled(upstream, store.file_hashes())
    return not (outlines or store.has_refused(upstream) or store.replaced(upstream) or store.alternating(time.time()))


def _has_files(path: Path) -> bool:
    try:
        return bool(os.listdir(path))  # noqa: PTH208  nothing is asked about them
    except FileNotFoundError:
        return False
