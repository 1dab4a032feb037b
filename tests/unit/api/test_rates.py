"""Rates of requests: what a process grants, and what an answer says."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import replace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

from api.errors import ProblemError
from api.limits.rates import RequestRates
from shared.adapters.rates import memory_rates
from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.access.limits import Limit, Rate, RateState
from shared.core.documents import SpaceId
from shared.ports import Counted, UnavailableError
from shared.settings import Settings
from tests.patience import PATIENCE_SECONDS
from tests.unit.api.in_memory import Service
from tests.unit.api.people import people

RATE = Rate(Limit.REQUESTS_PER_TOKEN, 4000)


class Counter:
    """Counts the calls; is away on request."""

    def __init__(self) -> None:
        self.calls = 0
        self.away = False
        self.granted = 0
        self._inner = memory_rates()

    async def take(self, rate: Rate, key: str, count: int) -> Counted:
        self.calls += 1
        if self.away:
            raise UnavailableError("away")
        counted = await self._inner.take(rate, key, count)
        self.granted += counted.granted
        return counted


async def granted(rates: RequestRates, rate: Rate, count: int, key: str = "k") -> int:
    states = await asyncio.gather(*(rates.admit(rate, key) for _ in range(count)))
    return sum(state is None or state.allowed for state in states)


async def test_a_process_asks_for_a_few_requests_at_a_time() -> None:
    counter = Counter()
    rates = RequestRates(counter, memory_rates())
    for _ in range(100):
        state = await rates.admit(RATE, "k")
        assert state is not None
        assert state.allowed
    assert counter.calls == 10
    assert state.remaining == 3900


async def test_what_passes_is_counted_and_what_is_to_be_told_of_its_rate_does_not_pass() -> None:
    rates, rate = RequestRates(Counter(), memory_rates()), Rate(Limit.REQUESTS_PER_TOKEN, 8)
    states = []
    for _ in range(9):
        if not rates.passes(rate, "k"):
            state = await rates.admit(rate, "k")
            assert state is not None
            states.append((state.allowed, state.remaining))
    # One at a time is asked for, so none is left that could pass.
    assert states == [(True, left) for left in range(7, -1, -1)] + [(False, 0)]
    rates, rate = RequestRates(Counter(), memory_rates()), Rate(Limit.REQUESTS_PER_TOKEN, 1600)
    state = await rates.admit(rate, "k")
    assert state is not None and state.remaining == 1599
    assert [rates.passes(rate, "k") for _ in range(4)] == [True, True, True, False]
    state = await rates.admit(rate, "k")
    assert state is not None and state.remaining == 1595
    while not state.is_low:
        state = await rates.admit(rate, "k")
        assert state is not None
    assert not rates.passes(rate, "k") and not rates.passes(rate, "another")


async def test_what_was_taken_passes_for_a_part_of_the_window_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Mock()
    monkeypatch.setattr("api.limits.rates.time", clock)
    clock.monotonic.return_value = 100.0
    rates = RequestRates(Counter(), memory_rates())
    await rates.admit(RATE, "k")
    clock.monotonic.return_value += 0.09 * RATE.seconds
    assert rates.passes(RATE, "k")
    clock.monotonic.return_value += 0.01 * RATE.seconds
    assert not rates.passes(RATE, "k")


async def test_nobody_waits_for_what_a_large_rate_has_and_a_process_holds_no_more_than_before() -> None:
    counter = Counter()
    rates, rate = RequestRates(counter, memory_rates()), Rate(Limit.REQUESTS_PER_SPACE, 400_000)
    assert await rates.admit(rate, "k")
    passed = 1
    for _ in range(5000):
        assert rates.passes(rate, "k")
        passed += 1
        await asyncio.sleep(0)
        assert passed <= counter.granted <= passed + rate.amount // 400
    assert 5 <= counter.calls <= 8


async def test_what_was_taken_ahead_is_no_longer_good_than_it_would_be(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Mock()
    monkeypatch.setattr("api.limits.rates.time", clock)
    clock.monotonic.return_value = 100.0
    rates, rate = RequestRates(Counter(), memory_rates()), Rate(Limit.REQUESTS_PER_SPACE, 400_000)
    await rates.admit(rate, "k")
    for _ in range(800):
        assert rates.passes(rate, "k")
    [portion] = rates._portions.values()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while portion.ahead is None:  # more comes, at the same moment
            await asyncio.sleep(0)
    clock.monotonic.return_value += 0.1 * rate.seconds
    assert not rates.passes(rate, "k")


async def test_what_is_held_is_given_out_though_no_more_was_to_be_had() -> None:
    counter = Mock()
    counter.take = AsyncMock(side_effect=[Counted(1000, 399_000, 1.0), Counted(0, 0, 1.0), Counted(0, 0, 1.0)])
    rates, rate = RequestRates(counter, counter), Rate(Limit.REQUESTS_PER_SPACE, 400_000)
    assert await rates.admit(rate, "k")
    passed = 1
    while rates.passes(rate, "k"):
        passed += 1
        await asyncio.sleep(0)
    assert passed == 1000 and counter.take.await_count == 2
    state = await rates.admit(rate, "k")
    assert state is not None and not state.allowed


async def test_who_waits_for_more_is_told_what_failed_and_the_next_one_asks_again() -> None:
    counter = Mock()
    counter.take = AsyncMock(side_effect=ZeroDivisionError)
    rates = RequestRates(counter, counter)
    found = await asyncio.gather(*(rates.admit(RATE, "k") for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in found] == [ZeroDivisionError] * 3 and counter.take.await_count == 1
    counter.take = AsyncMock(return_value=Counted(5, 100, 1.0))
    assert (await asyncio.gather(*(rates.admit(RATE, "k") for _ in range(3))))[0]


async def test_one_who_goes_while_it_waits_takes_nothing_from_the_others() -> None:
    rates = RequestRates(Counter(), memory_rates())
    waiting = [asyncio.create_task(rates.admit(RATE, "k")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert all(isinstance(state, RateState) and state.allowed for state in found[1:])


async def test_three_processes_grant_together_what_the_rate_says() -> None:
    counter = Counter()
    processes = [RequestRates(counter, memory_rates()) for _ in range(3)]
    total = sum(await asyncio.gather(*(granted(one, RATE, 2000) for one in processes)))
    assert 0.95 * RATE.amount <= total <= RATE.amount


async def test_a_small_rate_is_exact() -> None:
    counter = Counter()
    processes = [RequestRates(counter, memory_rates()) for _ in range(3)]
    rate = Rate(Limit.REQUESTS_PER_USER, 7)
    found = [await granted(one, rate, 1) for one in processes for _ in range(5)]
    assert sum(found) == 7


async def test_a_refusal_says_when_to_come_back_and_costs_the_counter_nothing() -> None:
    counter = Counter()
    rates = RequestRates(counter, memory_rates())
    rate = Rate(Limit.REQUESTS_PER_USER, 1)
    assert await granted(rates, rate, 1) == 1
    began, calls = time.monotonic(), counter.calls
    states = [await rates.admit(rate, "k") for _ in range(500)]
    assert all(state is not None and not state.allowed and 1 <= state.retry_after <= 120 for state in states)
    assert counter.calls - calls <= 2 + 10 * (time.monotonic() - began)


async def test_without_the_counter_a_process_goes_on_by_itself_with_the_same_rate() -> None:
    counter = Counter()
    counter.away = True
    rates = RequestRates(counter, memory_rates())
    rate = Rate(Limit.REQUESTS_PER_USER, 5)
    assert await granted(rates, rate, 20) == 5
    assert counter.calls == 1  # it is not asked for each request
    counter.away = False
    await asyncio.sleep(1.1)  # the time after which it is asked again
    assert await granted(rates, rate, 5) == 5


async def test_no_limit_is_no_limit() -> None:
    counter = Counter()
    assert await granted(RequestRates(counter, counter), Rate(Limit.REQUESTS_PER_USER, 0), 10) == 10
    assert counter.calls == 0


@pytest.mark.parametrize(
    "limit", ["requests_per_address", "requests_per_token", "requests_per_user", "requests_per_space"]
)
async def test_an_answer_says_which_limit_and_what_is_left(limit: str) -> None:
    changed: Any = {limit: 4}
    service = Service(replace(Settings(), **changed))
    async with service.client() as client:
        answers = [await client.get("/hashes") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
    assert "ratelimit" not in answers[0].headers
    for left, answer in ((1, answers[2]), (0, answers[3]), (0, answers[4])):
        assert answer.headers["ratelimit-policy"] == f'"{limit}";q=4;w=60'
        assert answer.headers["ratelimit"].startswith(f'"{limit}";r={left};t=')
    refusal = answers[4].json()
    assert (refusal["code"], refusal["limit"], refusal["quota"], refusal["remaining"]) == (
        "rate-limited",
        limit,
        4,
        0,
    )
    assert 1 <= int(answers[4].headers["retry-after"]) <= 120
    assert f"HYPERTASK_{limit.upper()}" in refusal["detail"]


async def test_one_who_is_unknown_is_counted_by_address_and_health_is_not_counted() -> None:
    async with Service(Settings(requests_per_address=2)).client() as client:
        found = [(await client.get("/hashes", headers={"authorization": "x"})).status_code for _ in range(3)]
        assert found == [401, 401, 429]
        assert (await client.get("/healthz")).status_code == 200


async def test_a_user_and_a_space_may_have_other_limits() -> None:
    service = Service(Settings(requests_per_user=100, requests_per_space=2))
    async with service.client() as client:
        [owner] = [member.user for member in await service.stores.members.of_space(SpaceId("s"))]
        entry = BY_OPERATOR.entry(AuditAct.USER_LIMITS_CHANGED, 1.0, user=owner)
        await service.stores.users.set_overrides(owner, {"requests_per_space": 5}, entry)
        found = [(await client.get("/hashes")).status_code for _ in range(6)]
        assert found == [200] * 5 + [429]
    async with service.client() as client:  # another process, which knows nothing yet
        entry = BY_OPERATOR.entry(AuditAct.SPACE_LIMITS_CHANGED, 1.0, space=SpaceId("s"))
        await service.stores.spaces.set_overrides(SpaceId("s"), {"requests_per_space": 3}, entry)
        found = [(await client.get("/hashes")).status_code for _ in range(4)]
        assert found == [200] * 3 + [429]


async def test_one_session_is_counted_for_its_user() -> None:
    async with people(requests_per_user=3) as server:
        anna = await server.join("anna")
        found = [(await anna.client.get("/me")).status_code for _ in range(4)]
        assert found == [200, 200, 200, 429]


async def test_new_accounts_of_one_address_are_counted() -> None:
    async with people(sign_ups_per_address=1) as server:
        await server.join("anna")
        answer = await server.client().post("/users", json={"name": "berta", "password": "a long password"})
        assert (answer.status_code, answer.json()["limit"]) == (429, "sign_ups_per_address")
        browser = server.client()
        form = re.search(r'name="csrf" value="([^"]+)"', (await browser.get("/sign-up")).text)
        assert form is not None
        fields = {"csrf": form[1], "name": "clara", "password": "a long password"}
        assert (await browser.post("/sign-up", data=fields)).status_code == 429


async def test_bodies_of_one_user_may_be_smaller() -> None:
    service = Service()
    async with service.client() as client:
        [owner] = [member.user for member in await service.stores.members.of_space(SpaceId("s"))]
        entry = BY_OPERATOR.entry(AuditAct.USER_LIMITS_CHANGED, 1.0, user=owner)
        await service.stores.users.set_overrides(owner, {"max_document_bytes": 500, "max_batch_bytes": 3000}, entry)
        small, large = {"id": "a", "t": "x"}, {"id": "a", "t": "x" * 600}
        assert (await client.post("/task/a", json={"client_state": small})).status_code == 200
        assert (await client.post("/task/a", json={"client_state": large})).status_code == 413
        found = (
            await client.post("/tasks", json={"tasks": {"b": {"client_state": {"id": "b", "t": "x" * 600}}}})
        ).json()
        assert found["tasks"]["b"]["error"]["code"] == "too-large"
        padded = b'{"tasks": {}' + b" " * 3000 + b"}"
        assert (await client.post("/tasks", content=padded)).status_code == 413


async def test_streams_of_one_user_are_counted_over_his_devices() -> None:
    service = Service(Settings(streams_per_user=1))
    async with service.client() as client:
        since = (await client.get("/hashes")).headers["etag"]
        other = await service.token()
        waiting = asyncio.create_task(client.get("/hashes", params={"wait": 5}, headers={"if-none-match": since}))
        while not service.is_followed(SpaceId("s")):
            await asyncio.sleep(0.01)
        answer = await client.get(
            "/hashes", params={"wait": 5}, headers={"if-none-match": since, "authorization": f"Bearer {other}"}
        )
        assert (answer.status_code, answer.json()["limit"]) == (429, "streams_per_user")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_one_who_has_a_network_is_no_new_address_with_each_wrong_password() -> None:
    async with people() as server:
        await server.join("anna")
        sign_in = server.service.state.sign_in
        codes = []
        for number in range(7):
            with pytest.raises(ProblemError) as refused:
                await sign_in.user("anna", "a wrong password", f"2001:db8::{number:x}")
            codes.append(refused.value.kind.code)
        assert codes == ["wrong-credentials"] * 5 + ["rate-limited"] * 2
        with pytest.raises(ProblemError, match="No account"):
            await sign_in.user("anna", "a wrong password", "2001:db8:0:1::1")
        assert (await sign_in.user("anna", "a long password", "2001:db8:0:2::1")).name == "anna", "the owner comes in"
