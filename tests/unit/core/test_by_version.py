"""Rows of states with versions, and the law that any number of upstreams, in any shape, settle."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.core.documents import Body
from shared.core.resolution.batch import Answer
from shared.core.resolution.context import Ancestor, Refusal
from shared.core.version_vectors import Source, Version, includes, join
from tests.unit.core.restored_space import Upstream, dead, doc, hash_of


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


def test_a_state_that_contains_the_head_supersedes_it() -> None:
    upstream = Upstream()
    upstream.put(doc(a=1), version=v(me=1))
    answer = upstream.put(doc(a=2), version=v(me=1, you=1))
    assert (answer.outcome, answer.same, answer.version) == ("fast_forward", True, v(me=1, you=1))


def test_the_same_edits_with_another_content_are_decided_by_the_hash_everywhere() -> None:
    bodies = sorted([doc(a=1), doc(a=2)], key=hash_of)
    for order in (bodies, bodies[::-1]):
        upstream = Upstream()
        for body in order:
            upstream.put(body, version=v(me=1, you=1))
        assert upstream.body == bodies[1]
        assert upstream.put(dead(), version=v(me=1, you=1)).body == bodies[1], "what lives stands"


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
    assert second.rev == first.rev and second.version == v(me=1, you=1)
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
        body = self.body if answer.same else answer.body
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


@settings(max_examples=100, deadline=None)
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
    assert {hash_of(one.body) for one in (*folders, *upstreams)} == {hash_of(doc(**edits))}
