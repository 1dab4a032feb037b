"""What is sent to the upstream: states of files, each written down as pending before it leaves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from client.sync.engine.plan import Action, Delete, Resend, Send, pending_for
from client.sync.engine.records import Pending, Record, Refused
from client.sync.files import FileContent, UnreadableError
from client.sync.pair import SyncPair
from client.sync.upstream import Outgoing
from shared.core.identifiers import ContentHash, DocumentId
from shared.core.protocol import TOO_LARGE, Limits
from shared.core.version_vectors import Version, unseen

NO_RECORD: Final = Record()
TOO_LARGE_HERE: Final = Refused(TOO_LARGE, f"it is larger than {Limits().max_document_bytes} bytes")


class Outbox:
    """Of one sync."""

    def __init__(self, pair: SyncPair) -> None:
        self._pair = pair
        self._records: dict[DocumentId, Record] = {}
        """Of what is on its way, as they are in the store."""

    def take_records(self, documents: Iterable[DocumentId]) -> dict[DocumentId, Record]:
        """The records of documents that were answered, with what was sent as `pending`."""
        ids = set(documents)
        records = self._pair.store.records(self._pair.name, ids - self._records.keys())
        records.update((document, self._records.pop(document)) for document in ids & self._records.keys())
        return records

    def outgoing(self, actions: Sequence[Action]) -> list[Outgoing]:
        """What to submit for these actions; every state that is to be sent is stored as pending first."""
        pair = self._pair
        outgoing: list[Outgoing] = []
        stored: dict[DocumentId, Pending] = {}
        agreed_once = pair.store.upstream(pair.name).agreed_once
        states = self._states(actions)
        with pair.store.transaction():
            versions = pair.versioning.assign_numbers(_hashes(states)) if pair.sends_versions else {}
            records = pair.store.records(pair.name, [action.id for action in actions])
            for action in actions:
                record = records.get(action.id, NO_RECORD)
                pending = record.pending if isinstance(action, Resend) else None
                if isinstance(action, Send | Delete):
                    if action.id not in states:
                        continue
                    held = states[action.id]
                    if held is not None and held.too_large:
                        if not self._may_shrink(record):
                            refused = TOO_LARGE_HERE._replace(hash=held.hash, remote=record.outline.remote_hash)
                            pair.store.refuse(pair.name, action.id, refused)
                            continue
                    else:
                        pending = self._pending(
                            action, record, held, versions.get(action.id), agreed_once=agreed_once
                        )
                        if pending is None:
                            continue
                        stored[action.id] = pending
                self._records[action.id] = record._replace(pending=pending)
                outgoing.append(self._outgoing(action.id, pending, record))
            pair.store.set_pending(pair.name, stored)
        return outgoing

    def _pending(
        self,
        action: Send | Delete,
        record: Record,
        held: FileContent | None,
        version: Version | None,
        *,
        agreed_once: bool,
    ) -> Pending | None:
        """None: nothing is to be sent after all."""
        return pending_for(
            action,
            record,
            held.body if held is not None else None,
            agreed_once=agreed_once,
            content=held.hash if held is not None else None,
            by_content=not self._pair.upstream.abilities.versions,
            version=version,
            removed=self._pair.versioning.removed(action.id, version) if held is None else None,
        )

    @staticmethod
    def _may_shrink(record: Record) -> bool:
        """Whether what the upstream has now may make a document smaller that is too large to be sent."""
        outline = record.outline
        return (
            outline.base is not None
            and outline.remote_hash not in (None, outline.shadow_hash)
            and not outline.unverified
        )

    def _states(self, actions: Sequence[Action]) -> dict[DocumentId, FileContent | None]:
        """What is to be sent: what the files hold now, if that is what the plan was made for."""
        states: dict[DocumentId, FileContent | None] = {}
        for action in actions:
            if not isinstance(action, Send | Delete):
                continue
            self._pair.recheck.include([action.id])
            with suppress(UnreadableError):
                held = self._pair.files.now(action.id)
                if (held is not None) == isinstance(action, Send):
                    states[action.id] = held
        return states

    def _outgoing(self, document: DocumentId, pending: Pending | None, record: Record) -> Outgoing:
        if pending is None or pending.version is None:
            return Outgoing(document, pending, says_versions=self._pair.sends_versions)
        earlier = self._pair.versioning.ancestors(document, pending.version, pending.hash)
        brings = record.outline.unverified or unseen(pending.version, record.version or {}) > 1
        return Outgoing(document, pending, says_versions=True, ancestors=earlier, brings=brings)


def _hashes(states: Mapping[DocumentId, FileContent | None]) -> dict[DocumentId, ContentHash | None]:
    return {document: None if held is None else held.hash for document, held in states.items()}
