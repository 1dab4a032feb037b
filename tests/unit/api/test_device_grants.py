"""`hypertask login` against the routes and the page, on adapters in memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.access.grants import token_of
from api.authentication.auth import token_hash
from client.upstreams.http_channel import Channel
from client.upstreams.login import (
    DEVICE_GRANT,
    Granted,
    LoginCode,
    NotApprovedError,
    begin_login,
    finish_login,
    log_out,
    space_named,
)
from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.access.device_grants import FREE_CODES, GRANTS_PER_ADDRESS, REPEAT_SECONDS
from shared.core.documents import UserId
from tests.unit.api.browser import Browser
from tests.unit.api.people import People, Person, people


@pytest.fixture
async def server() -> AsyncIterator[People]:
    async with people() as found:
        yield found


class Terminal:
    """`hypertask login`, whose waiting takes no time. The server's clock is moved along with it."""

    def __init__(self, server: People, token: str | None = None) -> None:
        self.channel = Channel("http://test", token, transport=server.transport)
        self.waited: list[float] = []
        self._grants: Any = server.service.stores.grants

    async def begin(self, name: str = "laptop") -> LoginCode:
        return await begin_login(self.channel, name)

    async def finish(self, code: LoginCode) -> Granted:
        return await finish_login(self.channel, code, sleep=self._sleep, clock=lambda: sum(self.waited))

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)
        known = self._grants._grants
        for key, grant in known.items():
            polled = None if grant.polled_at is None else grant.polled_at - seconds
            used = None if grant.used_at is None else grant.used_at - seconds
            known[key] = replace(grant, expires_at=grant.expires_at - seconds, polled_at=polled, used_at=used)
        await asyncio.sleep(0)


async def page_of(person: Person) -> Browser:
    browser = Browser(person.client)
    await browser.open("/device")
    return browser


async def test_a_terminal_is_approved_and_its_token_opens_every_space(server: People) -> None:
    alice = await server.join("alice")
    terminal = Terminal(server)
    code = await terminal.begin("Laptop of <Alice>")
    assert code.page == "http://test/device" and code.page_with_code == f"{code.page}?code={code.user_code}"
    browser = await page_of(alice)
    await browser.send(code=code.user_code.lower().replace("-", " "))
    assert "Laptop of &lt;Alice&gt;" in browser.html and code.user_code in browser.text
    await browser.send({"act": "approve"}, name="Alice's laptop")
    assert browser.status == 200 and "is connected" in browser.text
    granted = await terminal.finish(code)
    assert terminal.waited == [2.0]
    plans = (await alice.call("POST", "/spaces", 201, json={"name": "Plans"}))["space"]
    for space in (await alice.home(), plans):
        assert (await server.device(granted.token, space).get("/hashes")).status_code == 200
    [device] = (await alice.call("GET", "/devices"))["devices"]
    assert (device["device"], device["name"], device["every_space"]) == (granted.device, "Alice's laptop", True)
    [entry] = [e for e in await server.service.stores.audit.read() if e.act is AuditAct.DEVICE_ADDED]
    assert (entry.user, entry.by.partition(" ")[0]) == (alice.user, "session")
    assert len((await alice.call("GET", "/devices"))["devices"]) == 1

    signed_in = Terminal(server, granted.token)
    assert await space_named(signed_in.channel, "Plans") == await space_named(signed_in.channel, plans) == plans
    assert await log_out(signed_in.channel) == "Alice's laptop"
    assert (await server.device(granted.token).get("/hashes")).status_code == 401
    assert await log_out(signed_in.channel) is None


async def approved(server: People, alice: Person, terminal: Terminal) -> LoginCode:
    """A code that was approved; its token was not fetched."""
    code = await terminal.begin()
    browser = await page_of(alice)
    await browser.send(code=code.user_code)
    await browser.send({"act": "approve"})
    return code


async def test_an_answer_that_was_lost_is_given_again_for_a_minute(server: People) -> None:
    alice = await server.join("alice")
    terminal = Terminal(server)
    code = await approved(server, alice, terminal)
    first = await terminal.finish(code)
    assert await terminal.finish(code) == first
    assert [one["device"] for one in (await alice.call("GET", "/devices"))["devices"]] == [first.device]
    await terminal._sleep(REPEAT_SECONDS)
    with pytest.raises(NotApprovedError, match="expired"):
        await terminal.finish(code)


async def test_a_token_that_was_revoked_is_not_given_again(server: People) -> None:
    alice = await server.join("alice")
    terminal = Terminal(server)
    code = await approved(server, alice, terminal)
    first = await terminal.finish(code)
    await alice.call("DELETE", f"/devices/{first.device}", 204)
    with pytest.raises(NotApprovedError, match="expired"):
        await terminal.finish(code)
    assert (await alice.call("GET", "/devices"))["devices"] == []


async def test_a_token_is_given_again_to_the_address_that_began_alone(server: People) -> None:
    alice = await server.join("alice")
    terminal = Terminal(server)
    code = await approved(server, alice, terminal)
    await terminal.finish(code)
    for key, grant in terminal._grants._grants.items():
        terminal._grants._grants[key] = replace(grant, address="192.0.2.1")
    with pytest.raises(NotApprovedError, match="expired"):
        await terminal.finish(code)


async def test_a_token_cannot_be_told_from_the_code_alone_nor_from_what_is_stored(server: People) -> None:
    alice = await server.join("alice")
    terminal = Terminal(server)
    code = await approved(server, alice, terminal)
    granted = await terminal.finish(code)
    [grant] = terminal._grants._grants.values()
    assert token_of(code.secret, grant.salt) == (granted.device, granted.token)
    for secret, salt in ((code.secret, ""), (token_hash(code.secret), grant.salt), (grant.salt, code.secret)):
        assert token_of(secret, salt).token != granted.token


async def test_a_code_goes_on_while_there_is_no_room_for_a_device() -> None:
    async with people(devices_per_user=1) as server:
        alice = await server.join("alice")
        terminal = Terminal(server)
        await terminal.finish(await approved(server, alice, terminal))
        code = await approved(server, alice, terminal)
        told: list[str] = []

        async def make_room(seconds: float) -> None:
            await terminal._sleep(seconds)
            if len(terminal.waited) > 4:
                entry = BY_OPERATOR.entry(AuditAct.USER_LIMITS_CHANGED, 1.0, user=UserId(alice.user))
                await server.service.stores.users.set_overrides(UserId(alice.user), {"devices_per_user": 2}, entry)
                server.service.state.devices._limits._users._known.clear()  # type: ignore[union-attr]

        granted = await finish_login(
            terminal.channel, code, tell=told.append, sleep=make_room, clock=lambda: sum(terminal.waited)
        )
        assert len(told) == 1 and "Revoke what is not used" in told[0]
        assert (await server.device(granted.token).get("/hashes")).status_code == 200


async def test_a_terminal_that_is_refused_gets_nothing(server: People) -> None:
    alice = await server.join("alice")
    terminal = Terminal(server)
    code = await terminal.begin()
    browser = await page_of(alice)
    await browser.send(code=code.user_code)
    await browser.send({"act": "deny"})
    assert "was refused" in browser.text
    with pytest.raises(NotApprovedError, match="refused"):
        await terminal.finish(code)
    await browser.open("/device")
    await browser.send(code=code.user_code)
    assert browser.status == 404, "it is decided"
    assert (await alice.call("GET", "/devices"))["devices"] == []


async def test_a_code_that_nobody_types_expires(server: People) -> None:
    alice = await server.join("alice")
    terminal, began = Terminal(server), time.monotonic()
    code = await terminal.begin()
    with pytest.raises(NotApprovedError, match="expired"):
        await terminal.finish(code)
    # What the test itself takes goes by as well.
    assert sum(terminal.waited) + time.monotonic() - began >= 600
    assert sum(terminal.waited) < 610
    browser = await page_of(alice)
    await browser.send(code=code.user_code)
    assert browser.status == 404


async def test_a_terminal_that_asks_too_often_is_told_to_wait_longer(server: People) -> None:
    terminal = Terminal(server)
    code = await terminal.begin()
    form = {"grant_type": DEVICE_GRANT, "device_code": code.secret, "client_id": "x"}
    answers = []
    for _ in range(3):
        answer = await server.client().post("/oauth/token", data=form)
        assert answer.headers["cache-control"] == "no-store"
        answers.append((answer.status_code, answer.json()["code"], answer.json()["error"]))
    assert answers == [
        (400, "authorization-pending", "authorization_pending"),
        *[(400, "slow-down", "slow_down")] * 2,
    ]


async def test_only_one_of_those_who_ask_at_once_gets_a_token(server: People) -> None:
    alice = await server.join("alice")
    terminal = Terminal(server)
    code = await terminal.begin()
    browser = await page_of(alice)
    await browser.send(code=code.user_code)
    await browser.send({"act": "approve"})
    form = {"grant_type": DEVICE_GRANT, "device_code": code.secret, "client_id": "x"}
    answers = await asyncio.gather(*(server.client().post("/oauth/token", data=form) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    assert len((await alice.call("GET", "/devices"))["devices"]) == 1


async def test_codes_cannot_be_guessed(server: People) -> None:
    """After a few wrong codes one has to wait, from this address as with this account; right ones too."""
    alice, bob = await server.join("alice"), await server.join("bob")
    code = await Terminal(server).begin()
    browser = await page_of(alice)
    for _ in range(FREE_CODES):
        await browser.send(code="BCDF-GHJK")
        assert browser.status == 404
    for one in (browser, await page_of(bob)):
        await one.send(code=code.user_code)
        assert (one.status, "retry-after" in one.headers) == (429, True)


async def test_the_terminals_of_one_address_have_an_end(server: People) -> None:
    asked = [
        await server.client().post("/oauth/device", data={"client_id": "x"}) for _ in range(GRANTS_PER_ADDRESS + 1)
    ]
    assert {answer.status_code for answer in asked[:-1]} == {200}
    assert len({answer.json()["user_code"] for answer in asked[:-1]}) == GRANTS_PER_ADDRESS
    assert (asked[-1].status_code, asked[-1].json()["code"]) == (429, "rate-limited")


async def test_a_space_of_others_cannot_be_chosen(server: People) -> None:
    alice, bob = await server.join("alice"), await server.join("bob")
    code = await Terminal(server).begin()
    browser = await page_of(alice)
    await browser.send(code=code.user_code)
    await browser.send({"act": "approve"}, space=await bob.home())
    assert browser.status == 404 and "Connect this device?" in browser.text
    await browser.send({"act": "approve"}, name="")
    assert browser.status == 400 and "Connect this device?" in browser.text


async def test_an_account_that_is_disabled_meanwhile_gets_no_token(server: People) -> None:
    alice = await server.join("alice")
    terminal = Terminal(server)
    code = await terminal.begin()
    browser = await page_of(alice)
    await browser.send(code=code.user_code)
    await browser.send({"act": "approve"})
    users = await server.service.stores.users.by_ids([alice.user])  # type: ignore[list-item]
    [user] = users.values()
    entry = BY_OPERATOR.entry(AuditAct.USER_DISABLED, time.time(), user=user.id)
    await server.service.stores.users.set_disabled(user.id, time.time(), entry)
    with pytest.raises(NotApprovedError):
        await terminal.finish(code)


@pytest.mark.parametrize(
    ("path", "fields", "error"),
    [
        ("/oauth/device", {"device_name": "x"}, "invalid_request"),
        ("/oauth/device", {"client_id": "x", "device_name": "a\nb"}, "invalid_request"),
        ("/oauth/token", {"client_id": "x", "grant_type": "password"}, "unsupported_grant_type"),
        ("/oauth/token", {"client_id": "x", "grant_type": DEVICE_GRANT}, "invalid_request"),
        ("/oauth/token", {"client_id": "x", "grant_type": DEVICE_GRANT, "device_code": "none"}, "expired_token"),
    ],
)
async def test_errors_have_the_names_of_oauth(server: People, path: str, fields: dict[str, str], error: str) -> None:
    answer = await server.client().post(path, data=fields)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"client_id=x&client_id=y", b"client_id=%ff", "client_id=\u00e9".encode()])
async def test_what_is_no_form_is_refused(server: People, body: bytes) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await server.client().post("/oauth/device", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-request")
    answer = await server.client().post("/oauth/device", json={"client_id": "x"})
    assert (answer.status_code, answer.json()["error"]) == (415, "invalid_request")


async def test_secrets_are_kept_as_hashes(server: People) -> None:
    code = await Terminal(server).begin()
    grants: Any = server.service.stores.grants
    assert list(grants._grants) == [token_hash(code.secret)]
    assert code.secret not in repr(grants._grants)


async def test_a_server_without_accounts_is_told_from_one_that_is_down() -> None:
    async def old(request: httpx.Request) -> httpx.Response:
        return httpx.Response(404, json={"code": "not-found"})

    channel = Channel("http://test", None, transport=httpx.MockTransport(old))
    with pytest.raises(Exception, match="hypertask connect http://test"):
        await begin_login(channel, "laptop")
