"""The routes of documents for a browser that is signed in: by its session, without a token."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from starlette.requests import Request

from api.streams.live import RenderedAnnouncement
from shared.core.documents import SpaceId
from tests.unit.api.people import PASSWORD, Person, people
from tests.unit.api.test_people import code

STATE = {"client_state": {"id": "a", "by": "me"}}


async def at_home(person: Person) -> dict[str, str]:
    return {"hypertask-space": await person.home()}


async def test_a_session_reads_and_writes_the_space_that_it_names() -> None:
    async with people() as server:
        alice = await server.join("alice")
        home = await at_home(alice)
        await alice.call("POST", "/task/a", json=STATE, headers=home)
        read = await alice.client.get("/task/a", headers=home)
        assert read.json() == STATE["client_state"]
        session = (await alice.call("GET", "/session"))["session"]["session"]
        [revision] = (await alice.call("GET", "/task/a/revisions", headers=home))["revisions"]
        assert revision["device"] == session
        assert code(await alice.client.get("/hashes")) == (403, "forbidden")  # it names none


async def test_a_session_opens_no_space_of_others_and_writes_none_that_it_reads() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        assert code(await bob.client.get("/hashes", headers=await at_home(alice))) == (403, "forbidden")
        shared = {"hypertask-space": await server.shared(alice, reader=bob)}
        assert (await bob.client.get("/hashes", headers=shared)).status_code == 200
        assert code(await bob.client.post("/task/a", json=STATE, headers=shared)) == (403, "read-only")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({"hypertask-csrf": "0" * 32}, (403, "csrf")),
        ({"hypertask-csrf": ""}, (403, "csrf")),
        ({"origin": "https://evil.example"}, (403, "csrf")),
        ({"sec-fetch-site": "cross-site"}, (403, "csrf")),
    ],
)
async def test_pages_of_other_sites_sync_nothing(
    method: str, headers: dict[str, str], refused: tuple[int, str]
) -> None:
    async with people() as server:
        alice = await server.join("alice")
        more = {**await at_home(alice), **headers}
        assert code(await alice.client.request(method, "/tasks", headers=more)) == refused


async def test_a_cookie_without_the_header_is_nothing() -> None:
    """Neither a form nor a link of another site can send it; requests with the cookie alone are answered as ever."""
    async with people() as server:
        alice = await server.join("alice")
        home = await at_home(alice)
        del alice.client.headers["hypertask-csrf"]
        assert code(await alice.client.get("/hashes", headers=home)) == (401, "unauthenticated")
        assert code(await alice.client.post("/task/a", json=STATE, headers=home)) == (401, "unauthenticated")


async def test_the_token_of_a_session_is_no_token_of_a_device() -> None:
    async with people() as server:
        alice = await server.join("alice")
        home = await at_home(alice)
        token = alice.client.cookies["hypertask-session"]
        for sent in (token, f"ht_{token}"):
            stranger = server.client(authorization=f"Bearer {sent}", **home)
            assert code(await stranger.get("/hashes")) == (401, "unauthenticated")


class Follower:
    """Something that is held open."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def on_announcement(self, announcement: RenderedAnnouncement) -> None: ...
    def lost(self) -> None: ...
    def beat(self) -> None: ...

    def close(self) -> None:
        self.closed.set()


@pytest.mark.parametrize("by", ["session", "password"])
async def test_what_a_session_holds_open_ends_with_it(by: str) -> None:
    async with people() as server:
        alice = await server.join("alice")
        home = await at_home(alice)
        other = server.client()
        made = (await other.post("/session", json={"name": "alice", "password": PASSWORD})).json()
        other.headers["hypertask-csrf"] = made["csrf"]
        request = Request(
            {
                "type": "http",
                "method": "GET",
                "path": "/events",
                "headers": [
                    (name.encode(), value.encode())
                    for name, value in other.build_request("GET", "/", headers=home).headers.items()
                ],
            }
        )
        devices, held = server.service.state.devices, Follower()
        device = await devices.by_hash(devices.credential(request))
        assert device is not None
        device = replace(device, space=SpaceId(home["hypertask-space"]))
        await server.service.state.live.follow(device, devices.credential(request), held)
        if by == "session":
            await alice.call("DELETE", f"/sessions/{made['session']['session']}", 204)
        else:
            new = {"password": PASSWORD, "new": "another long password"}
            await alice.call("PUT", "/me/password", 204, json=new)
        for _ in range(1000):  # steps, not seconds: all is looked at again now and then anyway
            await asyncio.sleep(0)
        assert held.closed.is_set()
        assert code(await other.get("/hashes", headers=home)) == (401, "unauthenticated")
        assert (await alice.client.get("/hashes", headers=home)).status_code == 200
