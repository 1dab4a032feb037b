"""What a sync with one upstream, or several, did and found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from client.sync.engine.planned import Plan

if TYPE_CHECKING:
    from client.sync.arrivals import BeforeAndAfter
    from client.sync.decided import Decided
    from client.sync.engine.records import Record, Refused, UpstreamAnswer
    from client.sync.files import FolderContents
    from client.sync.upstream import UpstreamError
    from shared.core.identifiers import DocumentId

Progress = Callable[[int, int], None]
"""(done, of how many that are known of)."""


class SyncReport:
    """What a sync with one upstream did and found. Counts are of documents.

    To make a data class of so many fields takes a tenth of a sync that finds nothing. Nor does its `repr` say what is
    in it, which may be very much: `asyncio.run` makes one of what it returns, because it asks which handler of SIGINT
    is set, and the error that is caught in there says that its own, with the task in it, is no number."""

    def __init__(self, upstream: str, *, agreed: bool = False, rounds: int = 0) -> None:
        self.upstream = upstream
        self.agreed = agreed
        """Both sides were seen to be equal, but for what waits."""
        self.rounds = rounds
        self.sent = 0
        self.deleted = 0
        self.fetched = 0
        self.removed = 0
        self.merged = 0
        """The upstream answered something else than what was sent."""
        self.conflicts = 0
        self.adopted = 0
        self.files_read = 0
        self.arrived: list[BeforeAndAfter] = []
        """Of the files that were changed."""
        self.plan = Plan()
        """The last one; its waiting documents are those that wait still."""
        self.contents: FolderContents | None = None
        self.emptied: tuple[DocumentId, ...] = ()
        """Documents whose deletion is held because the folder was emptied at once: until that is
        confirmed, or their files are back."""
        self.refused: dict[DocumentId, Refused] = {}
        self.problems_there: dict[DocumentId, str] = {}
        """Files that somebody put into the upstream and that cannot be taken in, and what to do."""
        self.protected: tuple[DocumentId, ...] = ()
        """Documents whose files may not be written, so that a newer state waits."""
        self.decided: list[Decided] = []
        """Conflicts that were decided, and those in which an edit that was sent earlier lost."""
        self.alternating: tuple[DocumentId, ...] = ()
        """Documents whose files went back to an earlier content again and again, as states arrived."""

    @property
    def waits(self) -> bool:
        """Something was not done, and somebody can do something about it: an edit that is not accepted, a file that
        cannot be read or written, deletions that must be confirmed."""
        plan = self.plan
        held = plan.held_here or plan.held_there
        return bool(held or plan.refused or plan.unreadable or self.refused or self.protected)


class Result:
    """What a sync with several upstreams did and found, by their names."""

    def __init__(self, *reports: SyncReport) -> None:
        self.reports = {report.upstream: report for report in reports}
        self.errors: dict[str, UpstreamError] = {}

    @property
    def agreed(self) -> bool:
        return not self.errors and all(report.agreed for report in self.reports.values())

    @property
    def waits(self) -> bool:
        """Something was not done, and is left for people."""
        return any(report.waits for report in self.reports.values())


def count(report: SyncReport, record: Record, answer: UpstreamAnswer) -> None:
    """Adds one applied answer. `record`: as it was when the state was sent, or asked for."""
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


def is_said(plan: Plan, status: Mapping[str, Any]) -> bool:
    """Whether the status of an earlier sync says already what waits because of the files, by this plan."""
    return (
        status.get("held_here", 0) == len(plan.held_here)
        and set(status.get("undeletable") or ()) == {*plan.undeletable}
        and set(status.get("refused") or ()) == {*plan.refused}
    )


def status_of(report: SyncReport, *, at: float | None = None) -> dict[str, Any]:
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
        "emptied": list(report.emptied),
        "undeletable": list(report.plan.undeletable),
        "unreadable": list(report.plan.unreadable),
        "problems_there": report.problems_there,
        "alternating": list(report.alternating),
        "protected": list(report.protected),
        "error": None,
    }
