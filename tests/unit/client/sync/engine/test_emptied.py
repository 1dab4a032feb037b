"""A folder from which every file has gone at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from client.sync.engine.emptied import hold_if_emptied
from client.sync.engine.plan import Adopt, Delete, plan
from client.sync.engine.records import Outline
from shared.core.documents import ContentHash, DocumentId
from shared.core.resolution.revs import Rev

HASH = ContentHash("a" * 64)
AGREED = Outline(base=Rev("1-a"), shadow_hash=HASH, remote_hash=HASH)
ids = st.sets(st.sampled_from("abcdefgh").map(DocumentId))


@given(ids, ids, ids, ids)
def test_the_laws(
    agreed: set[DocumentId], there: set[DocumentId], new: set[DocumentId], meant: set[DocumentId]
) -> None:
    outlines = dict.fromkeys(agreed, AGREED)
    local = dict.fromkeys(there | new, HASH)
    made = plan(local, frozenset(), outlines)
    held = hold_if_emptied(made, {*local}, outlines, meant)
    gone = {action.id for action in made.actions if isinstance(action, Delete)}
    if agreed & local.keys() or gone <= meant:
        assert held == made
        again = hold_if_emptied(made, {*local}, outlines, meant, before=gone)
        assert set(again.held_here) == gone - meant
    else:
        assert set(held.held_here) == gone
        assert [action for action in made.actions if not isinstance(action, Delete)] == list(held.actions)


def test_one_that_is_settled_is_one_that_is_there() -> None:
    outlines = {DocumentId("a"): AGREED}
    made = plan({}, frozenset(), outlines, settled=1)
    assert hold_if_emptied(made, set(), outlines, set(), settled=1) == made
    assert not any(isinstance(action, Adopt) for action in made.actions)
    assert hold_if_emptied(made, set(), outlines, set()).held_here == ("a",)
