"""Many submissions of one space, decided one after another as if each had come alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from shared.core.documents import Body, ContentHash, DocumentId, Head
from shared.core.documents import Sequence as SequenceNumber
from shared.core.resolve import Outcome, Submission, resolve

Known = tuple[DocumentId, ContentHash]
"""A document and the hash of one of its revisions."""


@dataclass(frozen=True, slots=True)
class Write:
    """What is to be stored for one submission."""

    document: DocumentId
    submission: Submission
    supersedes: Head | None
    head: Head | None
    """The new head; its sequence counts from 0 within the batch until numbers are allotted. None: the head
    stands, only the received state is kept."""
    received: bool
    """Keep the client state beside the revisions."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one client is told. `body` is left out (`same` True) when it equals what the client sent."""

    outcome: Outcome
    hash: ContentHash | None
    body: Body | None
    same: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """`answers` stand in the order of the submissions; an answer is None where the decision failed."""

    answers: tuple[Answer | None, ...]
    writes: tuple[Write, ...]
    failures: tuple[Exception, ...]

    @property
    def heads(self) -> int:
        """How many sequence numbers the batch needs."""
        return sum(write.head is not None for write in self.writes)

    def numbered(self, first: SequenceNumber) -> list[Write]:
        """The writes with the sequence numbers from `first` on."""
        latest: dict[DocumentId, Head] = {}
        numbered = []
        for write in self.writes:
            head = write.head
            # A head that this batch made itself has got its number by now.
            supersedes = latest.get(write.document, write.supersedes)
            if head is not None:
                head = replace(head, sequence=SequenceNumber(first + head.sequence))
                latest[write.document] = head
            numbered.append(replace(write, head=head, supersedes=supersedes))
        return numbered


def questions(heads: Mapping[DocumentId, Head], submissions: Iterable[Submission]) -> set[Known]:
    """Which hashes `decide` must be told whether they are known. Those of the usual cases are not among
    them: a document that is new, or equal to the head."""
    return {
        (s.document, s.hash)
        for s in submissions
        if s.hash is not None and (head := heads.get(s.document)) is not None and head.hash != s.hash
    }


def decide(
    heads: Mapping[DocumentId, Head], known: AbstractSet[Known], submissions: Sequence[Submission]
) -> Batch:
    """Law: the answers and the final heads are those of the submissions decided one by one."""
    current = dict(heads)
    known_now = set(known)
    answers: list[Answer | None] = []
    writes: list[Write] = []
    failures: list[Exception] = []
    next_sequence = 0
    for submission in submissions:
        document = submission.document
        head = current.get(document)
        try:
            decision = resolve(head, (document, submission.hash) in known_now, submission)
        except Exception as error:  # noqa: BLE001  a faulty document fails alone
            answers.append(None)
            failures.append(error)
            continue
        if decision.new_head and decision.hash is not None:
            new = Head(
                sequence=SequenceNumber(next_sequence),
                hash=decision.hash,
                body=decision.body,
                device=submission.device,
                written_at=submission.arrived_at,
                outcome=decision.outcome,
            )
            next_sequence += 1
            writes.append(Write(document, submission, head, new, decision.keep_received))
            current[document] = new
            if head is not None:
                known_now.add((document, head.hash))
        elif decision.keep_received:
            writes.append(Write(document, submission, head, None, True))
        if decision.keep_received and submission.hash is not None:
            known_now.add((document, submission.hash))
        same = decision.hash == submission.hash
        answers.append(Answer(decision.outcome, decision.hash, None if same else decision.body, same))
    return Batch(tuple(answers), tuple(writes), tuple(failures))
