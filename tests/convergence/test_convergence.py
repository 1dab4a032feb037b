"""Thirty runs a population; with --soak six hundred, and ten thousand of some. `ledger` says what is counted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pprint import pformat

import pytest

from shared.core.documents import Body
from shared.testing.document_state import DocumentState
from tests.convergence.ledger import Ledger, Seen
from tests.convergence.run import POPULATIONS, Run, make_schedule
from tests.convergence.servers import NewestClock, Rules
from tests.convergence.shrink import shrink
from tests.convergence.simulate import CLOCK, RULES, missed, play, simulate, smallest

FIRST_SEED = 20_000
SHARES = {
    "unknown": 0.12,
    "token": 0.02,
    "base": 0.0,
    "mixed": 0.06,
    "plain": 0.05,
    "shared": 0.45,
    "sparse": 0.0,
    "restored": 0.0,
}
"""Of what `newest clock wins` loses, in so few runs."""


@pytest.mark.parametrize("runs", [30, pytest.param(600, marks=pytest.mark.soak)])
@pytest.mark.parametrize("population", POPULATIONS)
def test_everything_converges_and_little_is_lost(population: str, runs: int) -> None:
    seeds = range(FIRST_SEED, FIRST_SEED + runs)
    # Where nothing may be lost, there is nothing to compare it with.
    rules, newest_clock = play(population, RULES, seeds), play(population, CLOCK, seeds if SHARES[population] else ())
    for name in missed(population, rules):
        schedule = smallest(population, rules.worst[name], name)
        pytest.fail(f"{name} {rules.counts[name]} times; for example\n{pformat(schedule, width=110)}")
    assert rules.counts["unread"] == 0, "a dropped value is in the revisions when its conflict is recorded"
    assert rules.counts["lost"] <= SHARES[population] * newest_clock.counts["lost"]


def test_the_judge_sees_what_a_server_loses_that_was_put_back_and_does_not_know_it() -> None:
    class Unaware(Rules):
        def saved(self) -> Callable[[], None]:
            space = copy.deepcopy(self.space)

            def put_back() -> None:
                self.space = copy.deepcopy(space)
                self.states = {document: DocumentState(self.space) for document in self.states}

            return put_back

    verdicts = [Run(make_schedule(seed, "restored"), Unaware()).run() for seed in range(30)]
    assert sum(verdict.lost + verdict.undone + verdict.back for verdict in verdicts) > 10


def test_the_judge_sees_what_a_simple_policy_loses() -> None:
    totals = play("base", CLOCK, range(20))
    assert totals.counts["lost"] > 20
    assert totals.counts["undone"] > 0


@pytest.mark.parametrize("arrives", [False, True])
def test_the_judge_excuses_what_was_taken_back_only_if_the_server_never_got_it(arrives: bool) -> None:
    """A client sends an edit, takes it back before that arrives, and sends that too. Somebody else made the same."""
    ledger, place = Ledger(), ("priority",)
    low, high = {"priority": "low"}, {"priority": "high"}
    nothing: tuple[Body | None, Seen] = (None, frozenset())
    ledger.made(0, (place, "low"), frozenset(), before=None, after=low, agreed=nothing, answered=nothing)
    shown = ledger.received(0, frozenset({0}), low, low)
    ledger.made(0, (place, "high"), shown, before=low, after=high, agreed=(low, shown), answered=(low, shown))
    ledger.received(0, shown | {1}, high, high)
    ledger.made(1, (place, "high"), shown, before=low, after=high, agreed=(low, shown), answered=(low, shown))
    sent = shown | {2}
    ledger.made(1, (place, "low"), sent, before=high, after=low, agreed=(high, sent), answered=(low, shown))
    ledger.received(1, sent | {3}, low, high)
    if arrives:
        ledger.received(1, sent, high, high)
    assert ledger.judge(high).silent == arrives


@pytest.mark.parametrize(("before", "silent"), [(None, 0), ({"color": "red"}, 1)])
def test_the_judge_excuses_what_a_backup_took_back_only_if_no_state_shows_it(
    before: Body | None, silent: int
) -> None:
    """A client sends an edit and is put back to a backup without it. The server knows what the place was, or not."""
    ledger, place = Ledger(), ("color",)
    nothing: tuple[Body | None, Seen] = (None, frozenset())
    ledger.received(1, frozenset(), before, before)
    blue = {"color": "blue"}
    ledger.made(0, (place, "blue"), frozenset(), before=before, after=blue, agreed=nothing, answered=nothing)
    ledger.received(0, frozenset({0}), blue, blue)
    ledger.edits[0].unseen_by.add(0)
    ledger.received(0, frozenset(), {"color": "red"}, {"color": "red"})
    verdict = ledger.judge({"color": "red"})
    assert (verdict.lost, verdict.silent) == (1, silent)


@pytest.mark.parametrize("policy", ["arriving state wins", "longest history wins"])
def test_the_other_simple_policies_run(policy: str) -> None:
    assert play("token", policy, range(10)).counts["lost"] > 0


def test_a_run_depends_on_its_schedule_alone() -> None:
    first, second = (Run(make_schedule(7, "mixed"), Rules()).run() for _ in range(2))
    assert first == second


def test_a_failing_schedule_is_made_small() -> None:
    schedule = make_schedule(1, "token")
    small = shrink(schedule, lambda s: Run(s, NewestClock()).run().lost > 0)
    assert Run(small, NewestClock()).run().lost > 0
    assert len(small.steps) < len(schedule.steps) / 4


@pytest.mark.soak
def test_ten_thousand_runs_a_population() -> None:
    populations = ["unknown", "token", "base", "restored"]
    results = simulate(populations, runs=10_000, seed=1, processes=2)
    for population in populations:
        assert missed(population, results[population, RULES], results[population, CLOCK]) == {}
