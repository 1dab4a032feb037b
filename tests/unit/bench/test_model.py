"""What the models show, and that each precaution is needed. `python -m bench.model` searches larger ones."""

from __future__ import annotations

import pytest

from bench.model import cursor, lease
from bench.model.search import TooManyStatesError, search


def test_a_search_finds_the_shortest_way_to_what_is_wrong() -> None:
    found = search(1, lambda n: [("double", 2 * n), ("one more", n + 1)], lambda n: "it is 6" if n == 6 else None)
    assert (found.trace, found.wrong) == (("double", "one more", "double"), "it is 6")
    assert search(0, lambda n: [("on", (n + 1) % 5)], lambda n: None) == type(found)(5, None, None)
    with pytest.raises(TooManyStatesError):
        search(0, lambda n: [("on", n + 1)], lambda n: None, most_states=10)


@pytest.mark.parametrize("without", lease.Fault)
def test_no_acknowledged_write_is_lost(without: lease.Fault) -> None:
    model = lease.Model(without=frozenset({without}))
    found = search(model.initial(), model.steps, model.wrong)
    assert found.trace is None
    assert found.states > 5000


@pytest.mark.parametrize("weakness", lease.Weakness)
def test_without_one_of_these_one_is_lost(weakness: lease.Weakness) -> None:
    model = lease.Model(weakness, without=frozenset({lease.Fault.EMPTIED}))
    assert search(model.initial(), model.steps, model.wrong).trace is not None


def test_what_is_not_excluded() -> None:
    """Redis is emptied and its clock set back while a worker stands still with what it has taken (docs/faults.md)."""
    model = lease.Model()
    found = search(model.initial(), model.steps, model.wrong)
    assert found.trace is not None
    assert {fault.value for fault in lease.Fault} <= set(found.trace)


def test_a_cursor_never_skips() -> None:
    model = cursor.Model()
    found = search(model.initial(), model.steps, model.wrong)
    assert found.trace is None
    assert found.states > 10_000


@pytest.mark.parametrize("weakness", cursor.Weakness)
def test_without_one_of_these_it_does(weakness: cursor.Weakness) -> None:
    model = cursor.Model(weakness, put_back=1 if weakness is cursor.Weakness.NO_HISTORIES else 0)
    assert search(model.initial(), model.steps, model.wrong).trace is not None
