"""One transaction on MongoDB: what it reads and writes."""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

from shared.adapters.mongodb.client import Mongo
from shared.adapters.mongodb.commands import Commands, find_command
from shared.adapters.mongodb.heads import HeadRows
from shared.adapters.mongodb.histories import Histories, within_weight
from shared.adapters.mongodb.known_heads import KnownDocument, KnownHeads, KnownInSpace
from shared.adapters.mongodb.revisions import Revisions
from shared.adapters.mongodb.rows import device_memory_of, device_memory_row, remembers, superseded_row
from shared.adapters.mongodb.space_row import PoliciesOf, SpaceRow
from shared.adapters.mongodb.written import kept_head, new_head, new_received, received_by, superseded_past
from shared.core.documents import DeviceId, DocumentId, Position, SequenceNumber, SpaceId
from shared.core.index.lineage import Lineage
from shared.core.merge.policies import Policies
from shared.core.resolution.batch import Write
from shared.core.resolution.context import Allotted, DeviceMemory, DocumentContext, NeedsData, Submission
from shared.core.resolution.deletion_guard import Deletions
from shared.core.resolution.document_history import DocumentHistory
from shared.core.resolution.revs import CREATED
from shared.core.resolution.usage import Usage
from shared.ports import Fence, TooMuchError
from shared.ports.stores import NOTHING

_SENT_TOGETHER: Final = 100
"""Documents, of what a transaction writes last. Commands for fewer of them take longer than they save waiting."""


class BytesRead:
    """How many bytes of states a transaction has read. Not in the transaction itself: its parts would know it, and
    what it has read would stay until the collector comes, which goes by how many objects there are."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._read = 0

    def count(self, size: int) -> None:
        """Raises TooMuchError."""
        self._read += size
        if self._most is not None and self._read > self._most:
            raise TooMuchError


class MongoTransaction:
    """Transaction on MongoDB. What it writes goes to the database at its end: reads of what it wrote
    before are answered from memory."""

    def __init__(
        self,
        mongo: Mongo,
        commands: Commands,
        space: SpaceId,
        fence: Fence | None,
        policies: PoliciesOf,
        *,
        max_bytes: int | None = None,
        known_position: Position | None,
        known: KnownInSpace | None = None,
        presumes: bool = False,
    ) -> None:
        """`known_position`: how far the space is known to have been. `known`: heads that need not be read.
        `presumes`: what a client says it has made is taken for a new document."""
        self._presumes = presumes
        count = BytesRead(max_bytes).count
        self._commands = commands
        self._space = space
        self._heads = HeadRows(commands, count, known)
        self._row = SpaceRow(
            commands,
            space,
            fence,
            policies,
            process=mongo.process,
            known_position=known_position,
            verify=self._heads.verify,
            presumed=None if known is None else known.row,
        )
        self._histories = Histories()
        self._revisions = Revisions(commands, space, count)
        self._device_memories: dict[str, DeviceMemory | None] = {}
        self._stored_memories: set[str] = set()
        self._new_memories: set[str] = set()
        self._shared_tokens: set[DeviceId] = set()
        self._new_deletions: dict[DeviceId, Deletions] = {}
        self._known_heads: dict[str, KnownDocument] | None = None

    @property
    def position(self) -> Position | None:
        """What was written last, if this is committed."""
        return self._row.position

    def prepare_heads(self) -> None:
        """Puts together what `note_heads` notes. May be called when all is sent, before it is committed."""
        self._known_heads = self._heads.documents(self._history_of)

    def note_heads(self, known: KnownHeads) -> None:
        """To be called when it is committed, and what it wrote is durable."""
        if self._known_heads is None:
            self.prepare_heads()
        if self._row.mark is not None:
            self._heads.note(known, self._space, self._row.mark, self._known_heads or {}, self._row.after)

    def policies(self) -> Policies:
        return self._row.policies()

    def finish(self) -> None:
        """The last step before the commit: sends what is to be written. Raises PoliciesChangedError if the space has
        other policies than those that were given out, HeadsChangedError if it has other heads."""
        self._row.send(verify=self._heads.is_unverified)
        self._send_documents()
        self._heads.prove()
        if self._new_memories:
            self._send_memories()
        if self._shared_tokens:
            shared = [{"q": {"_id": one}, "u": {"$set": {"shared": True}}} for one in sorted(self._shared_tokens)]
            self._commands.update("devices", shared)
        if self._new_deletions:
            counts = [
                {
                    "q": {"_id": self._deletions_key(device)},
                    "u": {"since": counted.since, "count": counted.count},
                    "upsert": True,
                }
                for device, counted in self._new_deletions.items()
            ]
            self._commands.update("deletions", counts)
        self._commands.settle()

    def _send_documents(self) -> None:
        self._heads.send()
        self._revisions.send()

    def _send_memories(self) -> None:
        rows = {
            key: device_memory_row(memory)
            for key, memory in self._device_memories.items()
            if key in self._new_memories and memory is not None
        }
        if self._stored_memories.isdisjoint(rows):  # as with most pushes; it takes a third of the time
            self._commands.insert("memory", [{"_id": key, **row} for key, row in rows.items()])
        else:
            changes = [{"q": {"_id": key}, "u": row, "upsert": True} for key, row in rows.items()]
            self._commands.update("memory", changes)

    def live(self) -> int:
        return self._row.usage().documents

    def usage(self) -> Usage:
        return self._row.usage()

    def first_contexts(self, submissions: Sequence[Submission]) -> list[DocumentContext]:
        keys = [self._key(s.document) for s in submissions]
        others = {key for key, s in zip(keys, submissions, strict=True) if not (self._presumes and _makes(s))}
        for key, history in self._heads.read(set(keys), presumed=set(keys) - others).items():
            self._histories.put(self._document_of(key), history)
        remembering = {self._memory_key(s) for s in submissions if remembers(s)}
        unknown = sorted(remembering - self._device_memories.keys())
        if unknown:
            self._device_memories.update(dict.fromkeys(unknown))
            query = {"_id": {"$in": unknown}}
            batches = self._commands.batches(find_command("memory", query, together=len(unknown) + 1))
            known = {row["_id"]: device_memory_of(row) for row in chain.from_iterable(batches)}
            self._device_memories.update(known)
            self._stored_memories.update(known)
        histories = within_weight(self._histories.of(s.document) for s in submissions)
        return [
            DocumentContext(
                self._heads.head(key),
                self._device_memories[self._memory_key(s)] if remembers(s) else None,
                history=history,
            )
            for key, s, history in zip(keys, submissions, histories, strict=True)
        ]

    def load(self, wanted: Sequence[tuple[DocumentContext, Submission, NeedsData]]) -> list[DocumentContext]:
        return self._histories.loaded(wanted, self._revisions.load)

    def deletions(self, devices: Several[DeviceId]) -> dict[DeviceId, Deletions]:
        # Not in the rows of devices: a client without a server counts as well, and is no device of a server.
        known = {device: self._new_deletions[device] for device in devices if device in self._new_deletions}
        keys = {self._deletions_key(device): device for device in devices if device not in known}
        if keys:
            find = find_command("deletions", {"_id": {"$in": list(keys)}}, together=len(keys) + 1)
            batches = self._commands.batches(find)
            for row in chain.from_iterable(batches):
                known[keys[row["_id"]]] = Deletions(row["since"], row["count"])
        return known

    def lineage(self) -> Lineage:
        return self._row.lineage()

    def begin_history(self) -> None:
        self._row.begin_history()

    def allot(self, count: int, live_change: int, growth: Usage = NOTHING) -> Allotted:
        return self._row.allot(count, live_change, growth)

    def write(
        self,
        first: Allotted,
        writes: Sequence[Write],
        deletions: Mapping[DeviceId, Deletions],
        *,
        last: bool = False,
    ) -> None:
        sequence = first.first
        for place, write in enumerate(writes):
            if last and place and not place % _SENT_TOGETHER:
                self._send_documents()  # the database writes them while the next ones are made
            decision, submission = write.decision, write.item.submission
            key = self._key(submission.document)
            old, old_head = self._heads.get(key), self._heads.head(key)
            beside = [new_received(self._space, write, received, old) for received in received_by(decision)]
            rows = [one.row for one in beside]
            goes_on = self._histories.knows(submission.document)
            if goes_on:
                self._histories.add(submission.document, [one.past() for one in beside])
            if decision.revision is not None:
                head = new_head(self._space, write, decision.revision, Allotted(sequence, first.history))
                if old is not None and old_head is not None:
                    gone = list(decision.revision.gone)
                    rows.append(superseded_row(old, submission.document, gone, sequence, submission.arrived_at))
                    if goes_on:
                        self._histories.add(submission.document, [superseded_past(old_head, rows[-1])])
                self._heads.put(head.row, head)
                sequence = SequenceNumber(sequence + 1)
            elif old is not None:
                row, updates = kept_head(old, write)
                if updates:
                    self._heads.change(row, *updates)
            self._revisions.add(rows)
            if decision.device_memory is not None:
                memory_key = self._memory_key(submission)
                self._device_memories[memory_key] = decision.device_memory
                self._new_memories.add(memory_key)
            if decision.token_shared and submission.device is not None:
                self._shared_tokens.add(submission.device)
        self._new_deletions.update(deletions)

    def _key(self, document: DocumentId) -> str:
        return f"{self._space}/{document}"

    def _document_of(self, key: str) -> DocumentId:
        return DocumentId(key[len(self._space) + 1 :])

    def _history_of(self, key: str) -> DocumentHistory | None:
        return self._histories.of(self._document_of(key))

    def _memory_key(self, submission: Submission) -> str:
        return f"{self._space}/{submission.device}/{submission.document}"

    def _deletions_key(self, device: DeviceId) -> str:
        return f"{self._space}/{device}"


def _makes(submission: Submission) -> bool:
    """Whether the client says that it has made the document."""
    return submission.base == CREATED and submission.client_state is not None
