"""What several submissions of one document ask of the store is asked together, and each is decided once with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from shared.adapters.memory import MemorySpace
from shared.codec import content_hash
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, SequenceNumber
from shared.core.merge.policies import Policies
from shared.core.resolution.batch import Answer, Item
from shared.core.resolution.context import DocumentContext, Head, NeedsData, Outcome, Submission, ValueKey
from shared.core.resolution.revs import CREATED
from shared.large import ContextAndSubmission
from shared.ports import Reply
from shared.read_ahead import _asked_later, both
from shared.transaction import CachedResolver, Resolved, decide

DEVICES = [DeviceId(f"d{number}") for number in range(8)]


class Counting(CachedResolver):
    """Counts how often each submission is resolved, and what is missing then."""

    def __init__(self) -> None:
        super().__init__(10**6)
        self.resolved: Counter[DeviceId | None] = Counter()

    def resolve_all(self, cases: Sequence[ContextAndSubmission], policies: Policies) -> list[Resolved | NeedsData]:
        self.resolved.update(submission.device for _, submission in cases)
        return super().resolve_all(cases, policies)


def submission(body: Body, base: str = CREATED, device: DeviceId = DEVICES[0]) -> Submission:
    return Submission(DocumentId(body["id"]), body, content_hash(body), 1.0, base, device=device, single_device=True)


def sent(space: MemorySpace, *submissions: Submission, resolver: CachedResolver | None = None) -> list[Reply]:
    items = [Item(one, one.device or DEVICES[0]) for one in submissions]
    resolver = resolver or CachedResolver(10**6)
    replies, _ = space.transact(lambda found: decide(found, resolver, items))
    return replies


def test_each_of_eight_edits_of_one_document_is_decided_once() -> None:
    space, fields = MemorySpace(), dict.fromkeys(map(str, DEVICES), 0)
    (made,) = sent(space, submission({"id": "a", **fields}))
    assert isinstance(made, Answer) and made.rev is not None
    edits = [submission({"id": "a", **fields, device: 1}, made.rev, device) for device in DEVICES]
    resolver = Counting()
    last = sent(space, *edits, resolver=resolver)[-1]
    assert isinstance(last, Answer) and last.outcome is Outcome.MERGED
    assert last.body == {"id": "a", **dict.fromkeys(fields, 1)}
    # The first edits the head; the others ask twice, ahead, and then nothing is missing.
    assert resolver.resolved == Counter({DEVICES[0]: 1, **dict.fromkeys(DEVICES[1:], 3)})


HEAD = Head(SequenceNumber(7), ContentHash("a" * 32), {"id": "a"}, 1.0)
ASKED = NeedsData(frozenset({ContentHash("b" * 32)}), SequenceNumber(5), recent=True)


@pytest.mark.parametrize(
    ("base", "since", "kept"),
    [
        (f"5-{'b' * 32}", 5, True),
        (f"5-{'b' * 32}", 0, False),  # they were asked since the beginning: the base was lost, perhaps
        (f"8-{'b' * 32}", 8, False),  # beyond the head: at its turn it may be lost
        ("b" * 32, 5, False),  # a state may be stored again, with another sequence
        (None, 0, False),
    ],
)
def test_pairs_are_kept_only_if_they_are_asked_again_since_the_same_sequence(
    base: str | None, since: int, kept: bool
) -> None:
    needs = NeedsData(ASKED.states, SequenceNumber(since), recent=True)
    later = _asked_later(needs, DocumentContext(HEAD), Submission(DocumentId("a"), {}, None, 1.0, base))
    assert later.pairs_since == (since if kept else None)
    assert (later.states, later.recent) == (needs.states, True)


def test_what_was_asked_first_and_then() -> None:
    later = NeedsData(
        frozenset(), SequenceNumber(9), frozenset({ValueKey(1)}), lineage=True, ancestors=SequenceNumber(2)
    )
    assert both(ASKED, later) == NeedsData(
        ASKED.states, SequenceNumber(5), frozenset({ValueKey(1)}), True, True, SequenceNumber(2)
    )
    assert both(NeedsData(), ASKED) == ASKED
