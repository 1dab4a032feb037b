"""What the rules are given of what came before, unasked: not more than may be weighed at once."""

from __future__ import annotations

from shared.adapters.mongodb.histories import MOST_WEIGHT, within_weight
from shared.core.documents import ContentHash, SequenceNumber
from shared.core.resolution.context import Stored
from shared.core.resolution.document_history import DocumentHistory, Past

HALF = MOST_WEIGHT // 2


def of_weight(weight: int) -> DocumentHistory:
    stored = Stored(ContentHash("a" * 32), {"id": "d"}, SequenceNumber(1), SequenceNumber(2))
    return DocumentHistory().extended([Past(stored, weight=weight)])


def test_histories_are_given_up_to_their_weight() -> None:
    one, other, more, light = of_weight(HALF), of_weight(HALF), of_weight(1), of_weight(0)
    assert within_weight([one, other, more, light]) == [one, other, None, light]
    assert within_weight([of_weight(MOST_WEIGHT + 1), one]) == [None, one]


def test_what_is_given_twice_is_weighed_once() -> None:
    one, other = of_weight(HALF), of_weight(HALF)
    assert within_weight([one, one, None, one, other]) == [one, one, None, one, other]
