"""The laws of shared.core.index.plan, on examples and on the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.documents import ContentHash, DocumentId, HashMap
from shared.core.index.plan import Action, Differs, Fetch, Push, compare

A, B, C = DocumentId("a"), DocumentId("b"), DocumentId("c")
ONE, TWO = ContentHash("1" * 32), ContentHash("2" * 32)

# Few ids and hashes, so that the maps often meet.
MAPS = st.dictionaries(
    st.sampled_from("abcdefg").map(DocumentId), st.sampled_from(["1" * 32, "2" * 32]).map(ContentHash)
)


def test_each_kind_of_difference_has_its_action() -> None:
    assert compare({A: ONE, B: ONE}, {B: TWO, C: ONE}) == (Push(A), Differs(B), Fetch(C))


@pytest.mark.parametrize(
    ("ours", "theirs", "actions"),
    [
        ({}, {}, ()),
        ({A: ONE}, {A: ONE}, ()),
        ({A: ONE}, {}, (Push(A),)),
        ({}, {A: ONE}, (Fetch(A),)),
        ({A: ONE}, {A: TWO}, (Differs(A),)),
        ({B: ONE, A: ONE}, {}, (Push(A), Push(B))),
    ],
)
def test_examples(ours: HashMap, theirs: HashMap, actions: tuple[Action, ...]) -> None:
    assert compare(ours, theirs) == actions


@settings(deadline=None)
@given(MAPS, MAPS)
def test_nothing_to_do_exactly_when_equal(ours: HashMap, theirs: HashMap) -> None:
    assert (compare(ours, theirs) == ()) == (ours == theirs)


@settings(deadline=None)
@given(MAPS, MAPS)
def test_the_other_side_sees_the_mirror_image(ours: HashMap, theirs: HashMap) -> None:
    mirror: dict[type, type] = {Push: Fetch, Fetch: Push, Differs: Differs}
    assert compare(theirs, ours) == tuple(mirror[type(a)](a.id) for a in compare(ours, theirs))


@settings(deadline=None)
@given(MAPS, MAPS)
def test_every_disagreement_is_named_once_and_nothing_else(ours: HashMap, theirs: HashMap) -> None:
    named = [action.id for action in compare(ours, theirs)]
    assert named == sorted(d for d in {*ours, *theirs} if ours.get(d) != theirs.get(d))
