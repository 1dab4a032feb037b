"""Twenty runs a population, and the smallest ones of old; with --soak thousands. `rings` says what is judged."""

from __future__ import annotations

import pytest

from shared.codec import content_hash
from shared.core.documents import DocumentId
from tests.convergence.in_memory import KINDS, MemoryFolder, MemoryUpstream
from tests.convergence.rings import COUNTS, POPULATIONS, World, play, simulate

D = DocumentId("d")


@pytest.mark.parametrize("population", POPULATIONS)
def test_all_of_it_settles_and_nothing_is_lost(population: str) -> None:
    totals = play(population, range(20))
    assert {name: totals.seeds[name] for name in COUNTS if totals.counts[name]} == {}


@pytest.mark.parametrize(
    ("population", "seed"),
    [
        pytest.param("rings", 61123, id="a value that was written over, by a state that nobody at hand knows"),
        pytest.param(
            "rings", 9465, id="two values that were written over, each by what the other one was preferred to"
        ),
        pytest.param("restored", 60717, id="a deletion, of a state that another deletion had lost against"),
    ],
)
def test_what_was_once_undone(population: str, seed: int) -> None:
    assert play(population, [seed]).seeds == {}


def test_a_run_is_the_same_every_time() -> None:
    """With its ids, which are a part of the versions."""
    told: list[list[str]] = [[], []]
    for lines in told:
        World(7, "restored", lines.append).run()
    assert told[0] == told[1] and "version={" in "".join(told[0])


@pytest.mark.soak
@pytest.mark.parametrize("population", POPULATIONS)
def test_thousands_of_them(population: str) -> None:
    totals = simulate(population, runs=3000, seed=1, processes=2)
    assert {name: totals.seeds[name] for name in COUNTS if totals.counts[name]} == {}


def ring(*kinds: str) -> tuple[dict[str, MemoryFolder], dict[str, MemoryUpstream]]:
    """Folders A, B, C; upstreams u1 of A and B, u2 of B and C, u3 of C and A."""
    upstreams = {f"u{number}": MemoryUpstream(kind, number) for number, kind in enumerate(kinds, 1)}
    folders = {name: MemoryFolder(name) for name in "ABC"}
    for name, upstream in (("A", "u1"), ("B", "u1"), ("B", "u2"), ("C", "u2"), ("C", "u3"), ("A", "u3")):
        folders[name].upstreams[upstream] = upstreams[upstream]
    return folders, upstreams


@pytest.mark.parametrize("kind", KINDS)
def test_a_stale_value_wins_nowhere_in_a_ring(kind: str) -> None:
    folders, upstreams = ring(kind, kind, kind)
    a, b, c = (folders[name] for name in "ABC")
    a.files.put(D, {"id": "d", "due": "v1"})
    a.sync("u1")
    b.sync("u1")
    a.files.put(D, {"id": "d", "due": "v2"})
    for name, upstream in (("A", "u1"), ("A", "u3"), ("C", "u3"), ("C", "u2"), ("B", "u2")):
        folders[name].sync(upstream)
    assert b.files.bodies[D]["due"] == "v2", "u2 never had v1, but B's version says that v2 contains it"
    for _ in range(3):
        before = sum(upstream.writes for upstream in upstreams.values())
        for folder in (a, b, c):
            for upstream in folder.upstreams:
                report = folder.sync(upstream)
                assert report is not None
                assert report.agreed
    assert sum(upstream.writes for upstream in upstreams.values()) == before
    assert [folder.files.bodies[D]["due"] for folder in (a, b, c)] == ["v2"] * 3
    assert [upstream.documents()[D]["due"] for upstream in upstreams.values()] == ["v2"] * 3


@pytest.mark.parametrize("written_first", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_what_devices_have_is_sent_again_to_an_upstream_that_was_put_back(kind: str, *, written_first: bool) -> None:
    upstream = MemoryUpstream(kind, 1)
    a, b, c = (MemoryFolder(name) for name in "abc")
    for folder in (a, b, c):
        folder.upstreams["u"] = upstream
    ids = [DocumentId(f"d{number:02}") for number in range(35)]

    def rounds(*folders: MemoryFolder, times: int = 2) -> None:
        for _ in range(times):
            for folder in folders:
                assert folder.sync("u") is not None

    for document in ids[:30]:
        a.files.put(document, {"id": document, "text": "of old"})
    rounds(a, b, c)
    put_back = upstream.saved()
    for document in ids[:5]:
        a.files.put(document, {"id": document, "text": "of old", "a": 1})
    for document in ids[3:10]:
        b.files.put(document, {**b.files.bodies[document], "b": 1})
    for document in ids[30:]:
        b.files.put(document, {"id": document, "text": "new"})
    for document in ids[20:23]:
        a.files.put(document, None)
    rounds(a, b)
    wanted = dict(a.files.bodies)
    assert (len(wanted), wanted[ids[4]]) == (32, {"id": ids[4], "text": "of old", "a": 1, "b": 1})
    put_back()
    if written_first:  # by who is behind, until the positions of before are passed
        for number in range(60):
            c.files.put(ids[29], {**c.files.bodies[ids[29]], "c": number})
            rounds(c, times=1)
        wanted[ids[29]] = c.files.bodies[ids[29]]
    rounds(a, b, c, times=3)
    assert upstream.documents() == wanted
    assert [folder.files.bodies for folder in (a, b, c)] == [wanted] * 3
    before = upstream.writes
    rounds(a, b, c)
    assert upstream.writes == before


def pair(kind: str, *upstreams: str) -> tuple[MemoryFolder, MemoryFolder, dict[str, MemoryUpstream]]:
    """Folders F and G over the same upstreams."""
    made = {name: MemoryUpstream(kind, number) for number, name in enumerate(upstreams, 1)}
    folders = MemoryFolder("F"), MemoryFolder("G")
    for folder in folders:
        folder.upstreams.update(made)
    return *folders, made


@pytest.mark.parametrize("kind", KINDS)
def test_a_deletion_of_old_that_is_answered_late_brings_nothing_back(kind: str) -> None:
    """The file is gone as it was then: but it came back and went again meanwhile."""
    f, g, upstreams = pair(kind, "u1", "u2")
    f.files.put(D, {"id": "d", "e1": 1})
    for name in upstreams:
        f.sync(name)
        g.sync(name)
    f.files.put(D, None)
    assert f.sync("u1", stop_at="pending") is None
    f.sync("u2")
    g.files.put(D, {"id": "d", "e1": 1, "e2": 2})
    g.sync("u2")
    g.sync("u1")
    f.sync("u2")
    assert f.files.bodies[D] == {"id": "d", "e1": 1, "e2": 2}
    f.files.put(D, None)
    f.sync("u2")
    for _ in range(2):
        for name in upstreams:
            f.sync(name)
            g.sync(name)
    assert f.files.bodies == g.files.bodies == {}
    assert all(upstream.documents() == {} for upstream in upstreams.values())


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_answered_right_before_the_upstream_was_put_back_is_sent_again(kind: str) -> None:
    """The cursor is of before that moment, so the upstream takes it, and somebody else has written since."""
    f, g, upstreams = pair(kind, "u")
    f.files.put(D, {"id": "d", "e1": 1})
    for folder in (f, g):
        folder.sync("u")
    put_back = upstreams["u"].saved()
    f.files.put(D, {"id": "d", "e1": 1, "e2": 2})
    assert f.sync("u", stop_at="remembered") is None
    assert f.store.record("u", D).shadow == f.files.bodies[D]
    put_back()
    g.files.put(D, {"id": "d", "e1": 1, "e3": 3})
    for _ in range(2):
        for folder in (g, f):
            folder.sync("u")
    assert f.files.bodies == g.files.bodies == {D: {"id": "d", "e1": 1, "e2": 2, "e3": 3}}


@pytest.mark.parametrize("kind", KINDS)
def test_a_deletion_tells_every_upstream_what_it_had_seen(kind: str) -> None:
    """Also one that never had the newest state, and one that is told when the file is long gone."""
    f, g, upstreams = pair(kind, "u1", "u2", "u3")
    f.files.put(D, {"id": "d", "e1": 1})
    for name in upstreams:
        f.sync(name)
        g.sync(name)
    last = {"id": "d", "e1": 1, "e2": 2}
    f.files.put(D, last)
    f.sync("u1")
    f.files.put(D, None)
    f.sync("u2")
    assert upstreams["u2"].space.entries[D].head.hash == content_hash(last)
    g.files.put(D, {"id": "d", "e1": 1, "g": 3})
    g.sync("u3")
    f.sync("u3")
    assert f.files.bodies[D] == {**last, "g": 3}, "the edit wins, on what was deleted"


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_sent_and_merged_goes_along_to_other_upstreams(kind: str) -> None:
    """It tells them what of the merged state is of others."""
    f, g, upstreams = pair(kind, "u1", "u2")
    g.files.put(D, {"id": "d", "g": 1})
    g.sync("u1")
    f.files.put(D, {"id": "d", "f": 1})
    f.sync("u1")
    assert f.files.bodies[D] == {"id": "d", "f": 1, "g": 1}
    f.sync("u2")
    assert {"id": "d", "f": 1} in [item.body for item in upstreams["u2"].space.entries[D].past]


def test_a_file_that_was_placed_is_not_placed_again() -> None:
    """The model of a folder, as client/sync/arrivals.py has it: a program may delete what was placed."""
    f, g, _ = pair("server", "u")
    g.files.put(D, {"id": "d"})
    g.sync("u")
    assert f.sync("u", stop_at="placed") is None
    assert D in f.files.bodies and D in f.store.arriving()
    f.files.put(D, None)
    f.files.recover()
    assert D not in f.files.bodies
