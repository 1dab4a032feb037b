"""Rows of states with versions, and the law that any number of upstreams, in any shape, settle."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.core.documents import Body
from shared.core.merge.policies import parse
from shared.core.resolution.ancestors import Ancestor
from shared.core.resolution.batch import Answer
from shared.core.resolution.context import Refusal
from shared.core.resolution.revs import parse_rev
from shared.core.version_vectors import Source, Version, includes, join
from tests.unit.core.restored_space import ID, Upstream, dead, doc, hash_of


def v(**sources: int) -> Version:
    return {Source(name): number for name, number in sources.items()}


def ancestor(state: Body | None, version: Version) -> Ancestor:
    return Ancestor(version, state, hash_of(state))


def test_a_new_document_has_the_version_that_came_with_it() -> None:
    upstream = Upstream()
    answer = upstream.put(doc(a=1), version=v(me=1))
    assert (answer.outcome, answer.version) == ("applied", v(me=1))
    assert upstream.head is not None and upstream.head.version == v(me=1)


def test_a_state_that_the_head_contains_is_behind() -> None:
    upstream = Upstream()
    upstream.put(doc(a=2), version=v(me=2))
    answer = upstream.put(doc(a=1), version=v(me=1))
    assert (answer.outcome, answer.body, answer.version) == ("unchanged", doc(a=2), v(me=2))


@pytest.mark.parametrize("gone", [False, True], ids=["live", "deleted"])
def test_a_state_that_is_behind_can_be_read_if_it_never_was_here(gone: bool) -> None:
    """Another upstream wrote over what it has, and was put back to before that, with the record; or this one was."""
    upstream = Upstream()
    upstream.put(dead(a=2) if gone else doc(a=2), version=v(me=1, you=1))
    for _ in range(2):
        answer = upstream.put(doc(a=1), version=v(me=1))
        assert (answer.outcome, answer.body) == ("unchanged", None if gone else doc(a=2))
        assert [item.body for item in upstream.space.entries[ID].past].count(doc(a=1)) == 1


def test_a_state_that_contains_the_head_supersedes_it() -> None:
    upstream = Upstream()
    upstream.put(doc(a=1), version=v(me=1))
    answer = upstream.put(doc(a=2), version=v(me=1, you=1))
    assert (answer.outcome, answer.same, answer.version) == ("fast_forward", True, v(me=1, you=1))


def test_the_same_edits_with_another_content_are_joined_everywhere_alike() -> None:
    bodies = [doc(a=1, x=1), doc(a=2, y=1)]
    for order in (bodies, bodies[::-1]):
        upstream = Upstream()
        for body in order:
            upstream.put(body, version=v(me=1, you=1))
        assert upstream.body == doc(a=2, x=1, y=1)
        assert upstream.put(bodies[0], version=v(me=1, you=1)).outcome == "unchanged"
        assert upstream.put(dead(), version=v(me=1, you=1)).body == doc(a=2, x=1, y=1), "what lives stands"


@pytest.mark.parametrize("x", range(10))
def test_what_excludes_each_other_is_decided_alike_whatever_else_is_there(x: int) -> None:
    base = ancestor(doc(due="v0"), v(me=1))
    states = [(doc(due="v5", x=x), v(me=2)), (doc(due="v9", y=x), v(me=1, you=1))]
    for first, second in (states, states[::-1]):
        upstream = Upstream()
        upstream.put(first[0], version=first[1])
        answer = upstream.put(second[0], version=second[1], earlier=(base,))
        assert upstream.body == doc(due="v9", x=x, y=x)
        assert [(c["kept"], c["dropped"], c["rule"]) for c in answer.conflicts] == [("v9", "v5", "greater")]


def test_the_newer_by_the_clocks_stands() -> None:
    states = [
        (doc(due="v5", updated_at="2025-01-02T00:00:00Z"), v(me=2)),
        (doc(due="v9", updated_at="2025-01-01T00:00:00Z"), v(me=1, you=1)),
    ]
    for first, second in (states, states[::-1]):
        upstream = Upstream()
        upstream.put(first[0], version=first[1])
        upstream.put(second[0], version=second[1], earlier=(ancestor(doc(due="v0"), v(me=1)),))
        assert upstream.body == states[0][0]


def test_earlier_states_that_come_along_are_kept_for_others() -> None:
    """Who wrote over a value brings the state that had it; who has it still knows no other state of it."""
    upstream = Upstream()
    upstream.send(doc(due="v5"), version=v(me=2), ancestors=(ancestor(doc(due="v9"), v(me=1)),))
    upstream.put(doc(due="v9", x=1), version=v(me=1, you=1))
    assert upstream.body == doc(due="v5", x=1)


def test_a_value_that_the_head_had_seen_is_not_brought_back_by_who_shares_no_state_with_it() -> None:
    upstream = Upstream()
    upstream.put(doc(due="v9", y=1), version=v(me=1, third=1))
    upstream.put(doc(due="v5", y=1), version=v(me=2, third=1))
    answer = upstream.put(doc(due="v9", x=1), version=v(me=1, you=1))
    assert upstream.body == doc(due="v5", x=1, y=1)
    assert ("/due", "v5", "v9", "seen") in [
        (c["path"], c["kept"], c.get("dropped"), c["rule"]) for c in answer.conflicts
    ]


@pytest.mark.parametrize("late", [False, True])
def test_two_values_that_were_both_written_over_give_way_to_what_wrote_over_them(late: bool) -> None:
    """Each of two merges preferred one of them to what the other side had written, and those did not meet."""
    a = [(doc(due="v4", a=1), v(a=1)), (doc(due="v22", a=2), v(a=2))]
    b = [(doc(due="v7", b=1), v(b=1)), (doc(due="v24", b=2), v(b=2))]
    merged = [(doc(due="v7", a=2, b=1), v(a=2, b=1)), (doc(due="v4", a=1, b=2), v(a=1, b=2))]
    upstream = Upstream()
    for state, version in merged[::-1] if late else merged:
        earlier = tuple(ancestor(*one) for one in (*a, *b) if includes(version, one[1]))
        answer = upstream.put(state, version=version, ancestors=earlier)
    assert upstream.body == doc(due="v24", a=2, b=2)
    due = {(c["kept"], c["dropped"], c["rule"]) for c in answer.conflicts if c["path"] == "/due"}
    assert due == {("v24", "v4", "seen"), ("v24", "v7", "seen"), ("v24", "v22", "greater")}


def test_counters_count_on_whatever_numbers_they_have_been_at() -> None:
    upstream = Upstream()
    upstream.space.declared = parse({"/n": "counter"})
    base = ancestor(doc(n=5), v(me=1))
    upstream.put(doc(n=5), version=v(me=1))
    upstream.put(doc(n=6), version=v(me=2), earlier=(base,))
    upstream.put(doc(n=7), version=v(me=3), earlier=(base,))
    upstream.put(doc(n=6), version=v(me=1, you=1), earlier=(base,))
    assert upstream.body == doc(n=8)


def test_a_value_that_the_client_had_seen_is_not_kept() -> None:
    upstream = Upstream()
    upstream.put(doc(due="v9", x=1), version=v(me=1, you=1))
    upstream.put(doc(due="v5", y=1), version=v(me=2, third=1), earlier=(ancestor(doc(due="v9"), v(me=1, third=1)),))
    assert upstream.body == doc(due="v5", x=1, y=1)


def test_concurrent_states_ask_for_ancestors_and_are_merged_by_them() -> None:
    upstream = Upstream()
    upstream.put(doc(a=1, b=2), version=v(me=1, you=1))
    mine = doc(a=2, b=1)
    asked = upstream.send(mine, version=v(me=2))
    assert isinstance(asked, Refusal) and asked.code == "base-unknown"
    answer = upstream.put(mine, version=v(me=2), earlier=(ancestor(doc(a=1, b=1), v(me=1)),))
    assert (answer.outcome, answer.body, answer.version) == ("merged", doc(a=2, b=2), v(me=2, you=1))
    assert upstream.put(mine, version=v(me=2)).outcome == "unchanged"


def test_a_stored_state_that_is_exactly_what_both_contain_is_not_asked_for() -> None:
    upstream = Upstream()
    upstream.put(doc(a=1, b=1), version=v(me=1))
    upstream.put(doc(a=1, b=2), version=v(me=1, you=1))
    found = upstream.send(doc(a=2, b=1), version=v(me=2))
    assert isinstance(found, Answer) and found.body == doc(a=2, b=2)


def test_an_edit_without_a_version_is_an_edit_of_the_upstream() -> None:
    upstream = Upstream()
    first = upstream.put(doc(a=1), version=v(me=1))
    upstream.put(doc(a=2), first.rev)
    assert upstream.head is not None
    assert upstream.head.version == {**v(me=1), Source(upstream.writer): 2}
    assert upstream.put(doc(a=1), version=v(me=1)).body == doc(a=2)


def test_the_same_content_only_lets_the_version_grow() -> None:
    upstream = Upstream()
    first = upstream.put(doc(a=1), version=v(me=1))
    second = upstream.put(doc(a=1), version=v(you=1))
    assert second.version == v(me=1, you=1)
    before, now = (parse_rev(str(answer.rev)) for answer in (first, second))
    assert before is not None and now is not None
    assert (now.sequence, now.hash) == (before.sequence, before.hash), "no new revision"
    assert upstream.head is not None and upstream.head.version == v(me=1, you=1)


def test_null_tells_what_there_is() -> None:
    upstream = Upstream()
    assert upstream.put(None, version={}).version == {}
    upstream.put(doc(a=1), "0")
    assert upstream.put(None, version={}).version == {upstream.writer: 1}


def test_a_deletion_is_an_edit() -> None:
    upstream = Upstream()
    upstream.put(doc(a=1), version=v(me=1))
    assert upstream.put(dead(), version=v(me=2)).outcome == "deleted"
    assert upstream.put(doc(a=1), version=v(me=1)).body is None
    assert upstream.put(doc(a=2), version=v(me=3)).outcome == "resurrected"


def test_an_edit_that_the_deleter_had_not_seen_wins_over_a_deletion() -> None:
    base = (ancestor(doc(a=1), v(me=1)),)
    for deleted_first in (True, False):
        upstream = Upstream()
        upstream.put(doc(a=1), version=v(me=1))
        steps: list[tuple[Body, Version]] = [(dead(), v(me=2)), (doc(a=2), v(me=1, you=1))]
        for state, version in steps if deleted_first else steps[::-1]:
            upstream.put(state, version=version, earlier=base)
        assert upstream.body == doc(a=2) and upstream.head is not None
        assert upstream.head.version == v(me=2, you=1)


def test_a_deletion_of_what_somebody_merely_knows_as_well_is_made() -> None:
    upstream = Upstream()
    upstream.put(doc(a=1), version=v(me=1))
    upstream.put(doc(a=1), version=v(other=1))
    assert upstream.put(dead(), version=v(me=2), earlier=(ancestor(doc(a=1), v(me=1)),)).outcome == "deleted"


def test_a_deletion_that_lost_does_not_bring_back_what_another_one_had_seen() -> None:
    """A deletion elsewhere lost against an edit, and counts as an edit of that state. It adds nothing to it."""
    upstream = Upstream()
    seen = (ancestor(doc(a=1, b=1), v(me=1, you=2)),)
    upstream.put(doc(a=1), version=v(me=1, you=1))
    upstream.send(dead(a=1), version=v(me=1, you=3), ancestors=seen)
    answer = upstream.put(doc(a=1, b=1), version=v(me=2, you=2))
    assert answer.body is None and upstream.body is None
    assert upstream.head is not None and upstream.head.version == v(me=2, you=3)


def test_a_deletion_has_seen_a_state_that_another_deletion_lost_against_since() -> None:
    """What the head contained until then is known, so nobody has to bring it along."""
    upstream = Upstream()
    upstream.put(doc(a=1), version=v(me=1))
    upstream.put(doc(a=1, b=1), version=v(me=1, you=2))
    lost = upstream.send(dead(a=1), version=v(me=1, other=1), ancestors=())
    assert isinstance(lost, Answer) and lost.version == v(me=1, you=2, other=1)
    repeated = copy.deepcopy(upstream.space.entries[ID])
    upstream.send(dead(a=1), version=v(me=1, other=1), ancestors=())
    assert upstream.space.entries[ID] == repeated
    answer = upstream.send(dead(a=1), version=v(me=1, you=3), ancestors=())
    assert isinstance(answer, Answer) and answer.outcome == "deleted"
    assert upstream.body is None


def test_the_hash_of_what_was_deleted_names_no_deletion() -> None:
    """A client that has lost its memory names its state by the hash. It has not seen the deletion."""
    upstream = Upstream()
    first = upstream.put(doc(a=1), "0")
    upstream.put(dead(a=1), first.rev)
    upstream.put(doc(a=1), hash_of(doc(a=1)), base_state=None, device="e")
    assert upstream.body is None
    versioned = Upstream()
    versioned.put(doc(a=1), version=v(me=1))
    versioned.put(dead(a=1), version=v(me=2))
    versioned.put(doc(a=1), hash_of(doc(a=1)), version=v(me=1, you=1))
    assert versioned.body is None


def test_a_deletion_that_has_seen_all_of_the_head_is_made() -> None:
    upstream = Upstream()
    upstream.put(doc(a=1, b=1), version=v(me=2, you=2))
    upstream.put(dead(a=1), version=v(me=1, you=3), earlier=(ancestor(doc(a=1, b=1), v(me=1, you=2)),))
    assert upstream.body is None


def test_a_document_that_comes_back_is_the_same_whether_the_deletion_or_the_edit_came_first() -> None:
    base = (ancestor(doc(a=1), v(me=1)),)
    bodies: list[Body | None] = []
    for deleted_first in (True, False):
        upstream = Upstream()
        upstream.put(doc(a=1), version=v(me=1))
        steps: list[tuple[Body, Version]] = [(dead(a=1, b=1), v(me=3)), (doc(a=2), v(me=1, you=1))]
        for state, version in steps if deleted_first else steps[::-1]:
            upstream.put(state, version=version, earlier=base)
        bodies.append(upstream.body)
    assert bodies == [doc(a=2, b=1)] * 2


FIELDS = st.dictionaries(
    st.sampled_from("abc"), st.sampled_from([1, 2, "x", ["p"], ["p", "q"], {"k": 1}]), max_size=3
)


@given(FIELDS, FIELDS, FIELDS, st.booleans(), st.lists(FIELDS, max_size=2))
def test_two_states_are_merged_to_the_same_whichever_is_the_head(
    before: dict[str, Any], mine: dict[str, Any], other: dict[str, Any], has_base: bool, past: list[dict[str, Any]]
) -> None:
    states = [(doc(**mine), v(me=2)), (doc(**other), v(me=1, you=1))]
    known = (ancestor(doc(**before), v(me=1)),) if has_base else ()
    pasts = [tuple(ancestor(doc(**body), v(me=2)) for body in past), ()]
    found = []
    for order in ((0, 1), (1, 0)):
        upstream = Upstream()
        for one in order:
            state, version = states[one]
            upstream.send(state, version=version, ancestors=(*known, *pasts[one]))
        found.append((hash_of(upstream.body), upstream.head and upstream.head.version))
    assert found[0] == found[1]


class Folder:
    """A client that keeps one version a document, and the last states of it."""

    def __init__(self, name: str) -> None:
        self.name = Source(name)
        self.version: dict[Source, int] = {}
        self.body: Body | None = None
        self.earlier: list[Ancestor] = []
        self.count = 0

    def edit(self, body: Body | None) -> None:
        self._keep()
        self.count += 1
        self.body, self.version = body, join(self.version, {self.name: self.count})

    def sync(self, upstream: Upstream) -> bool:
        """Whether anything changed here or there."""
        before = (self.body, self.version, upstream.head)
        state = dead() if self.body is None and self.version else self.body
        answer = upstream.put(state, version=self.version, earlier=tuple(self.earlier[-4:]), device=self.name)
        assert answer.version is not None and includes(answer.version, self.version)
        if answer.version != self.version or not answer.same:
            self._keep()
        body: Any = self.body if answer.same else answer.body
        self.body, self.version = body, dict(answer.version)
        return (self.body, self.version, upstream.head) != before

    def _keep(self) -> None:
        if self.version:
            self.earlier.append(ancestor(self.body, self.version))


def test_a_ring_of_upstreams_settles_and_nothing_stale_wins() -> None:
    a, b, c = Folder("a"), Folder("b"), Folder("c")
    one, two, three = Upstream(), Upstream(), Upstream()
    a.edit(doc(due="v1"))
    a.sync(one), b.sync(one)
    a.edit(doc(due="v2"))
    a.sync(one), a.sync(three)
    c.sync(two), c.sync(three)
    c.sync(two)
    b.sync(two)
    for _ in range(3):
        for folder, upstreams in ((a, (one, three)), (b, (one, two)), (c, (two, three))):
            for upstream in upstreams:
                folder.sync(upstream)
    assert [x.body for x in (a, b, c, one, two, three)] == [doc(due="v2")] * 6
    assert not any([a.sync(one), a.sync(three), b.sync(one), b.sync(two), c.sync(two), c.sync(three)])


@given(st.integers(0, 2**32))
def test_any_graph_of_folders_and_upstreams_settles(seed: int) -> None:
    """Each edit is of a field of its own, so that nothing can be decided away."""
    chance = random.Random(seed)
    folders = [Folder(name) for name in "abcdef"[: chance.randint(2, 6)]]
    upstreams = [Upstream(writer=f"u{n}") for n in range(chance.randint(1, 6))]  # type: ignore[arg-type]
    links = [(folder, chance.choice(upstreams)) for folder in folders]
    links += [(chance.choice(folders), upstream) for upstream in upstreams]
    links += [(chance.choice(folders), chance.choice(upstreams)) for _ in range(chance.randint(0, 6))]
    # One component: each folder also knows an upstream of the one before it.
    links += [(folder, links[place][1]) for place, folder in enumerate(folders[1:])]
    links += [(folders[0], upstream) for upstream in upstreams]
    edits: dict[str, Any] = {}
    folders[0].edit(doc())
    for n in range(chance.randint(3, 40)):
        folder, upstream = chance.choice(links)
        if chance.random() < 0.4 and folder.body is not None:
            edits[f"f{n}"] = n
            folder.edit({**folder.body, f"f{n}": n})
        else:
            folder.sync(upstream)
    rounds = 0
    while sum(folder.sync(upstream) for folder, upstream in links):
        rounds += 1
        assert rounds <= len(links) + 2
    states = [one.body for one in folders] + [one.body for one in upstreams]
    assert {hash_of(body) for body in states} == {hash_of(doc(**edits))}
