"""The clients of a run. What is durable is in `Disk`; everything else is gone after a crash.

A client sends one request at a time and gives up on it at any moment; the answer to a request that it gave up
on is dropped. It never loses an edit by itself: an edit is on the disk when it is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from shared.core.documents import Body
from shared.core.merge.objects import ABSENT, Conflict, Side, Value, merge
from shared.core.resolution.revs import CREATED
from shared.core.resolution.states import is_tombstone, same_content
from tests.convergence.ledger import Seen
from tests.convergence.servers import Answer, Request, fast_hash

NOTHING: Final[Seen] = frozenset()


@dataclass(frozen=True, slots=True)
class Pending:
    """The request in flight of a client with a base: exactly this is sent until it is answered."""

    state: Body | None
    base: str
    shadow: Body | None
    over_tombstone: bool
    seen: Seen
    edits: int

    def request(self) -> Request:
        """As it is sent."""
        request: Request = {"client_state": self.state, "base": self.base, "_edits": self.edits}
        return {**request, "base_state": self.shadow} if self.over_tombstone else request


@dataclass(frozen=True, slots=True)
class Disk:
    """One record: replaced in one transaction, copied by a backup."""

    doc: Body | None = None
    """Live, a tombstone of its own, or nothing."""
    seen: Seen = NOTHING
    edits: int = 0
    base: str = CREATED
    shadow: Body | None = None
    over_tombstone: bool = False
    """The base is a tombstone, and `doc` outlived it; `shadow` is what was sent when it was answered."""
    pending: Pending | None = None
    agreed: Body | None = None
    """The last state that was sent or answered, for the judge alone."""
    agreed_seen: Seen = NOTHING
    answered: Body | None = None
    """The last state that was answered, likewise."""
    answered_seen: Seen = NOTHING


def live(doc: Body | None) -> Body | None:
    """What the user sees."""
    return None if doc is None or is_tombstone(doc) else doc


def mine(pointer: str, ours: Value, theirs: Value) -> tuple[Side, str]:
    """The edits that the user of this client made last win."""
    return Side.THEIRS, "own edit"


class Client:
    """A v1.0 client."""

    sends_base = False
    drops_empty_lists = False
    """The user's edits leave nothing where they leave a list empty."""

    def __init__(self, number: int, device: str | None, document: str, skew: float, has_clock: bool) -> None:
        self.number = number
        self.device = device
        self.document = document
        self.skew = skew
        self.has_clock = has_clock
        self.disk = Disk()
        self.online = True
        self.backup: Disk | None = None
        self.undoable: list[tuple[tuple[str, ...], Any]] = []
        self.sent: Pending | None = None
        self.conflicts: list[Conflict] = []
        """Recorded by merging answers, until the run takes them."""

    def stamp(self, body: Body, now: float) -> Body:
        """The body with the clock of this client."""
        if not self.has_clock:
            return body
        at = datetime.fromtimestamp(now + self.skew, UTC).isoformat(timespec="milliseconds")
        return {**body, "updated_at": at}

    def save(self, doc: Body | None, serials: frozenset[int]) -> None:
        """An edit by the user."""
        disk = self.disk
        self.disk = replace(disk, doc=doc, seen=disk.seen | serials, edits=disk.edits + 1)

    def crash(self) -> None:
        """Only the disk is left."""
        self.sent = None

    def restore(self) -> None:
        """The disk becomes that of the backup."""
        if self.backup is not None:
            self.disk = self.backup
            self.crash()

    def prepare(self) -> None:
        """Before sending; a step of its own, as a crash may follow."""

    def request(self) -> tuple[Pending, Request]:
        """What to send now."""
        disk = self.disk
        self.sent = Pending(disk.doc, CREATED, None, False, disk.seen, disk.edits)
        self.disk = replace(disk, agreed=live(disk.doc), agreed_seen=disk.seen)
        return self.sent, {"client_state": disk.doc, "_edits": disk.edits}

    def differs(self, server: str | None) -> bool:
        """Whether there is something to send, given the hash in the server's map."""
        doc = live(self.disk.doc)
        return (None if doc is None else fast_hash(doc)) != server or self.disk.doc is not doc

    def answered(self, sent: Pending, answer: Answer, seen: Seen) -> Request | None:
        """Apply an answer; returns what to send at once, if the server asked for it."""
        if self.sent is not sent:
            return None
        self.sent = None
        disk = self.disk
        doc, _ = self.merged(sent.state, answer["server_state"])
        edits = max(disk.edits, answer.get("_edits", 0))
        server = answer["server_state"]
        self.disk = replace(
            disk,
            doc=doc,
            seen=disk.seen | seen,
            edits=edits,
            agreed=server,
            agreed_seen=seen,
            answered=server,
            answered_seen=seen,
        )
        return None

    def merged(self, sent: Body | None, server: Body | None) -> tuple[Body | None, bool]:
        """The document after an answer, and whether it keeps something that the server has not seen."""
        doc = self.disk.doc
        if doc == sent and type(doc) is type(sent):
            return server, False
        if doc is None:
            return server, False
        if is_tombstone(doc):
            keeps = server is not None and live(sent) is not None and same_content(server, sent or {})
            return (doc, True) if keeps else (server, False)
        if server is None:
            return doc, True
        found = merge([live(sent) or {}], server, doc, decide=mine)
        assert isinstance(found.value, dict)
        self.conflicts.extend(found.conflicts)
        return found.value, True


class BaseClient(Client):
    """A client that keeps doc, base, shadow and pending in one record, as the protocol's page says."""

    sends_base = True

    def prepare(self) -> None:
        disk = self.disk
        if disk.pending is None:
            pending = Pending(disk.doc, disk.base, disk.shadow, disk.over_tombstone, disk.seen, disk.edits)
            self.disk = replace(disk, pending=pending, agreed=live(disk.doc), agreed_seen=disk.seen)

    def request(self) -> tuple[Pending, Request]:
        self.prepare()
        pending = self.disk.pending
        assert pending is not None
        return pending, pending.request()

    def differs(self, server: str | None) -> bool:
        return self.disk.pending is not None or super().differs(server)

    def answered(self, sent: Pending, answer: Answer, seen: Seen) -> Request | None:
        disk = self.disk
        if disk.pending != sent:
            return None
        if "error" in answer:
            return {**sent.request(), "base_state": sent.shadow}
        server = answer["server_state"]
        doc, newer = self.merged(sent.state, server)
        kept = newer and server is None
        self.disk = Disk(
            doc=doc,
            seen=disk.seen | seen,
            edits=max(disk.edits, answer.get("_edits", 0)),
            base=answer["rev"],
            shadow=sent.state if kept else server,
            over_tombstone=kept,
            agreed=live(sent.state) if kept else server,
            agreed_seen=sent.seen if kept else seen,
            answered=live(sent.state) if kept else server,
            answered_seen=sent.seen if kept else seen,
        )
        return None


class PlainBaseClient(BaseClient):
    """Sends a base but keeps no pending request: after a lost answer it sends newer edits on the old base."""

    def prepare(self) -> None:
        return None

    def request(self) -> tuple[Pending, Request]:
        self.disk = replace(self.disk, pending=None)
        super().prepare()
        sent, request = super().request()
        self.disk = replace(self.disk, pending=None)
        self.sent = sent
        return sent, request

    def answered(self, sent: Pending, answer: Answer, seen: Seen) -> Request | None:
        if self.sent is not sent:
            return None
        if "error" not in answer:
            self.sent = None
        self.disk = replace(self.disk, pending=sent)
        again = super().answered(sent, answer, seen)
        self.disk = replace(self.disk, pending=None)
        return again


class SparseClient(BaseClient):
    """Writes nothing where others write an empty list."""

    drops_empty_lists = True


KINDS: dict[str, Callable[..., Client]] = {
    "unknown": Client,
    "token": Client,
    "base": BaseClient,
    "plain": PlainBaseClient,
    "sparse": SparseClient,
}
assert ABSENT is not None
