"""Versions in a sync: which documents the folder is ahead with, what is sent with a state, what an answer tells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from client.sync.engine.answer import NextState
from client.sync.engine.records import Ancestor, Outline, Pending, Record, UpstreamAnswer
from client.sync.engine.versions import Agreed, FileVersion, ancestors, arrived, contained, is_edited, numbered
from client.sync.state_store import SyncStateStore
from shared.codec import content_hash
from shared.core.identifiers import Body, ContentHash, DocumentId
from shared.core.version_vectors import Version, includes


class TakenState(NamedTuple):
    """An answer, and what is made of it. `before`: the record as it was when the state was sent."""

    answer: UpstreamAnswer
    next_state: NextState
    before: Record


class Arrival(Enum):
    """What becomes of an answer."""

    TAKEN = "taken"
    """It contains the file."""
    KEPT = "kept"
    """The file contains it."""
    APART = "apart"
    """Each contains what the other lacks: the file is sent as it is now, and merged there."""


class Versioning:
    """Of one folder and one of its upstreams."""

    def __init__(self, store: SyncStateStore, upstream: str) -> None:
        self._store = store
        self._upstream = upstream

    def ahead(
        self, local: Mapping[DocumentId, ContentHash], outlines: Mapping[DocumentId, Outline]
    ) -> frozenset[DocumentId]:
        """Documents that would be fetched by what was agreed on with this upstream, though the file contains more."""
        asked = [
            document
            for document, outline in outlines.items()
            if local.get(document) == outline.shadow_hash
            and outline.remote_hash != outline.shadow_hash
            and not outline.is_pending
        ]
        known, records = self._known(asked)
        documents: set[DocumentId] = set()
        for document in asked:
            here, agreed = local.get(document), _agreed(records.get(document, {}))
            if document not in known and not agreed:
                continue
            _, mine = records.get(document, {}).get(self._upstream, (None, None))
            holds = contained(known.get(document), agreed)
            if is_edited(known.get(document), here, agreed) or not includes(mine or {}, holds):
                documents.add(document)
        return frozenset(documents)

    def assign_numbers(self, states: Mapping[DocumentId, ContentHash | None]) -> dict[DocumentId, Version]:
        """What each of these contains, which the files hold now. An edit that has no number so far gets one; inside
        a transaction."""
        self._store.replica()  # first: it may be another one than it was
        known, records = self._known(states)
        versions: dict[DocumentId, FileVersion] = {}
        removed: dict[DocumentId, Version] = {}
        for document, here in states.items():
            agreed = _agreed(records.get(document, {}))
            version = contained(known.get(document), agreed)
            if is_edited(known.get(document), here, agreed):
                if here is None:
                    removed[document] = version
                version = numbered(version, *self._store.next_number())
            versions[document] = FileVersion(here, version)
        self._store.set_file_versions({d: one for d, one in versions.items() if known.get(d) != one})
        self._keep_removed(removed, known)
        return {document: one.version for document, one in versions.items()}

    def _keep_removed(self, removed: Mapping[DocumentId, Version], known: Mapping[DocumentId, FileVersion]) -> None:
        """What the files held that were deleted, for the upstreams that are told later."""
        earlier = self._store.earlier(removed)
        kept: dict[DocumentId, Ancestor] = {}
        for document, version in removed.items():
            held = known[document].hash if document in known else None
            states = (one for one in earlier.get(document, ()) if one.state is not None and one.hash == held)
            last = next(states, None)
            if last is not None and last.version != version:
                kept[document] = Ancestor(version, last.state, last.hash)
        self._store.keep_earlier(kept)

    def removed(self, document: DocumentId, version: Version | None) -> Body | None:
        """What the file held before the deletion that has this version: all that it has seen, wherever that came
        from. None: not known."""
        if version is None:
            return None
        replica, _ = self._store.replica()
        others = {source: number for source, number in version.items() if source != replica}
        states = [
            one
            for one in self._store.earlier([document]).get(document, ())
            if one.state is not None and {s: n for s, n in one.version.items() if s != replica} == others
        ]
        newest = max(states, key=lambda one: one.version.get(replica, 0), default=None)
        return newest.state if newest is not None else None

    def ancestors(
        self, document: DocumentId, version: Version, content: ContentHash
    ) -> Callable[[], tuple[Ancestor, ...]]:
        """Of a state that is sent; read when they are asked for."""
        return lambda: ancestors(version, content, self._store.earlier([document]).get(document, ()))

    def against(
        self, document: DocumentId, here: ContentHash | None, pending: Pending, answer: UpstreamAnswer
    ) -> Arrival | None:
        """What an answer means for a file that does not hold any more what was sent, because something arrived from
        another upstream meanwhile. None: what it holds was made of what was sent."""
        known = self._store.file_versions([document]).get(document)
        if known is None or answer.version is None:
            return None
        sent = None if pending.deletes else pending.hash
        if known.hash == sent and includes(pending.version or {}, known.version):
            return None
        if known.hash == here and includes(answer.version, known.version):
            return Arrival.TAKEN
        return Arrival.KEPT if includes(known.version, answer.version) else Arrival.APART

    def is_behind(self, document: DocumentId, answer: UpstreamAnswer) -> bool:
        """Whether a state that was asked for lacks something that the file contains."""
        known = self._store.file_versions([document]).get(document)
        return known is not None and answer.version is not None and not includes(answer.version, known.version)

    def set_apart(self, pending: Mapping[DocumentId, Pending]) -> None:
        """What was sent is contained in the file and in the answer: what is merged next counts from it."""
        sent = {document: _sent(one) for document, one in pending.items()}
        self._store.keep_earlier({document: one for document, one in sent.items() if one is not None})

    def is_copy(self, answer: UpstreamAnswer) -> bool:
        """Whether the upstream knows an edit of this folder that the folder does not: it was put back from a copy."""
        replica, number = self._store.replica()
        return answer.version is not None and answer.version.get(replica, 0) > number

    def record_taken(self, taken: Mapping[DocumentId, TakenState]) -> None:
        """Remembers what the files contain now; inside the transaction that stores the records."""
        with_versions = {document: one for document, one in taken.items() if one.answer.version is not None}
        known, records = self._known(with_versions)
        versions: dict[DocumentId, FileVersion] = {}
        earlier: dict[DocumentId, Ancestor] = {}
        merged: dict[DocumentId, Ancestor] = {}
        for document, one in with_versions.items():
            answer, next_state, before = one.answer, one.next_state, one.before
            sent = _sent(before.pending) if before.pending is not None else None
            if sent is not None and sent.hash != answer.hash:
                merged[document] = sent  # it tells what of the answer is of others
            kept = _agreed_hash(before)
            if before.version and kept != answer.hash:
                earlier[document] = Ancestor(before.version, before.shadow if kept else None, kept)
            if answer.state is None and next_state.doc is not None and _is_unedited(before):
                continue  # the next plan removes it
            then = answer.hash
            if next_state.doc is not None and next_state.doc is not answer.state:
                then = content_hash(next_state.doc)
            elif next_state.doc is None:
                then = None
            had = known.get(document)
            if had is None:
                had = FileVersion(ContentHash("unknown"), contained(None, _agreed(records.get(document, {}))))
            version = FileVersion(answer.hash, answer.version or {})
            versions[document] = arrived(had, version, then)
        self._store.set_file_versions(versions)
        self._store.keep_earlier(earlier)
        self._store.keep_earlier(merged)

    def _known(
        self, documents: Iterable[DocumentId]
    ) -> tuple[dict[DocumentId, FileVersion], dict[DocumentId, dict[str, tuple[ContentHash | None, Version | None]]]]:
        ids = list(documents)
        return self._store.file_versions(ids), self._store.record_versions(ids)


def _agreed(records: Mapping[str, tuple[ContentHash | None, Version | None]]) -> list[Agreed]:
    return [Agreed(content, version or {}) for content, version in records.values()]


def _agreed_hash(record: Record) -> ContentHash | None:
    return None if record.outline.gone else record.outline.shadow_hash


def _sent(pending: Pending) -> Ancestor | None:
    """What was sent, as an earlier state; None: it has no version."""
    if pending.version is None:
        return None
    return Ancestor(
        pending.version, None if pending.deletes else pending.body, None if pending.deletes else pending.hash
    )


def _is_unedited(record: Record) -> bool:
    return record.pending is not None and record.pending.hash == record.outline.shadow_hash
