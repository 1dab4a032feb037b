"""What a transaction makes of a decision: rows, and what these are to the rules, as if they had been read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.mongodb.rows import head_of, pairs_of, stored_of, superseded_row
from shared.adapters.mongodb.written import new_head, new_received, superseded_past
from shared.codec import content_hash
from shared.core.documents import Body, ContentHash, DeviceId, DocumentId, Epoch, SequenceNumber, SpaceId
from shared.core.json.values import weigh
from shared.core.resolution.batch import Item, Write
from shared.core.resolution.context import (
    Allotted,
    Decision,
    Outcome,
    Pair,
    Received,
    Revision,
    Submission,
    ValueKey,
)
from shared.core.resolution.revs import Rev
from shared.core.version_vectors import Source, Version
from shared.testing import strategies

SPACE, HASH = SpaceId("s"), ContentHash("a" * 32)
PAIR = Pair(DeviceId("d"), "1-x", HASH, SequenceNumber(1), 5.0)
SUBMISSION = Submission(DocumentId("a"), {"id": "a"}, HASH, 7.0, "1-x")

bodies = st.dictionaries(st.text("$refid~a", max_size=4), strategies.json_values(), max_size=4)


def written(decision: Decision) -> Write:
    return Write(Item(SUBMISSION, DeviceId("d")), decision, Rev("2-x"), ())


def decided(revision: Revision | None, received: Received | None = None) -> Decision:
    return Decision(Outcome.MERGED, "rule", None, None, None, revision=revision, received=received)


@pytest.mark.parametrize("history", [None, Epoch("e")])
@pytest.mark.parametrize("version", [None, {Source("s"): 3}])
@given(body=st.none() | bodies, pairs=st.sampled_from([(), (PAIR,)]), gone=st.frozensets(st.just(ValueKey(1))))
def test_a_head_and_what_it_leaves_are_what_their_rows_say(
    body: Body | None, pairs: tuple[Pair, ...], gone: frozenset[ValueKey], version: Version | None, history: Any
) -> None:
    revision = Revision(body, HASH, (), pairs, gone, version)
    write = written(decided(revision))
    new = new_head(SPACE, write, revision, Allotted(SequenceNumber(4), history))
    head, as_read = new.head(), head_of(new.row)
    assert as_read == head and as_read.size == head.size
    assert head.weight == as_read.weight
    assert body is None or (head.weight is not None and head.weight >= weigh([body]))

    old = superseded_row(new.row, SUBMISSION.document, list(gone), SequenceNumber(5), 9.0)
    past = superseded_past(head, old)
    assert past.stored == stored_of(old) and past.pairs == pairs_of(old)
    assert past.gone == tuple(old.get("gone", ())) and past.size == old.get("size", 0)
    assert past.weight == (0 if body is None else head.weight)


@pytest.mark.parametrize("version", [None, {Source("s"): 3}])
@given(body=bodies, gone=st.frozensets(st.just(ValueKey(1))))
def test_a_received_state_is_what_its_row_says(
    body: Body, gone: frozenset[ValueKey], version: Version | None
) -> None:
    received = Received(content_hash(body), body, gone, version)
    new = new_received(SPACE, written(decided(None, received)), received, {"seq": 3})
    row, past = new.row, new.past()
    assert past.stored == stored_of(row) and past.pairs == pairs_of(row) == ()
    assert past.gone == tuple(row.get("gone", ())) and past.size == row["size"] and past.weight >= weigh([body])
