"""Accounts, sessions, spaces and invitations over HTTP, on adapters in memory."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest

from api.access import sign_in, spaces
from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.access.invitations import SignUp
from shared.core.access.sessions import FREE_ATTEMPTS
from shared.core.documents import DeviceId, Exported, SpaceId, UserId
from tests.unit.api.people import PASSWORD, People, people

STATE = {"client_state": {"id": "a", "by": "me"}}
GET = {"client_state": None}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# Accounts and sessions


async def test_a_person_signs_up_in_and_out() -> None:
    async with people() as server:
        alice = await server.join("Alice", email="Alice@Example.org")
        cookie = alice.client.cookies.jar
        assert [
            (one.name, one.has_nonstandard_attr("HttpOnly"), one.get_nonstandard_attr("SameSite")) for one in cookie
        ] == [("hypertask-session", True, "lax"), ("hypertask-user", False, "lax")]
        me = await alice.call("GET", "/me")
        assert (me["name"], me["email"], me["administrator"]) == ("Alice", "Alice@Example.org", False)
        [space] = (await alice.call("GET", "/spaces"))["spaces"]
        assert (space["name"], space["role"]) == ("My documents", "owner")
        other = server.client()
        for login in ("alice", "ALICE@example.org"):
            answer = await other.post("/session", json={"name": login, "password": PASSWORD})
            assert answer.status_code == 200
        assert len((await alice.call("GET", "/sessions"))["sessions"]) == 3
        assert alice.client.cookies["hypertask-user"] == me["user"], "scripts know who is here"
        await alice.call("DELETE", "/session", 204)
        assert alice.client.cookies.get("hypertask-session") is None
        assert alice.client.cookies["hypertask-user"] in ("", '""'), "and that nobody is any more"
        assert await alice.refused("GET", "/me") == (401, "unauthenticated")
        assert (await other.get("/me")).status_code == 200


async def test_a_session_that_was_ended_opens_nothing() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        other = server.client()
        made = await other.post("/session", json={"name": "alice", "password": PASSWORD})
        session = made.json()["session"]["session"]
        assert await bob.refused("DELETE", f"/sessions/{session}") == (404, "not-found")
        assert (await other.get("/session")).status_code == 200
        await alice.call("DELETE", f"/sessions/{session}", 204)
        assert code(await other.get("/session")) == (401, "unauthenticated")
        assert await alice.refused("DELETE", f"/sessions/{session}") == (404, "not-found")
        assert alice.client.cookies["hypertask-user"] not in ("", '""'), "it was another browser's"


async def test_a_browser_that_names_another_one_hears_who_is_here() -> None:
    """He has signed in with a release that did not say so."""
    async with people() as server:
        alice = await server.join("alice")
        user = (await alice.call("GET", "/me"))["user"]
        assert "set-cookie" not in (await alice.client.get("/session")).headers
        for named in ("", "hypertask-user=u1"):
            del alice.client.cookies["hypertask-user"]
            session = alice.client.cookies["hypertask-session"]
            answer = await alice.client.get("/session", headers={"cookie": f"hypertask-session={session}; {named}"})
            assert answer.headers["set-cookie"].startswith(f"hypertask-user={user};"), named


async def test_who_ends_the_session_that_he_asks_with_has_signed_out() -> None:
    async with people() as server:
        alice = await server.join("alice")
        [session] = (await alice.call("GET", "/sessions"))["sessions"]
        await alice.call("DELETE", f"/sessions/{session['session']}", 204)
        assert alice.client.cookies.get("hypertask-session") is None
        assert alice.client.cookies["hypertask-user"] in ("", '""')


@pytest.mark.parametrize(
    "headers",
    [
        {"hypertask-csrf": ""},
        {"hypertask-csrf": "0" * 32},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://["},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_pages_of_other_sites_change_nothing(headers: dict[str, str]) -> None:
    async with people() as server:
        alice = await server.join("alice")
        assert await alice.refused("POST", "/spaces", json={"name": "x"}, headers=headers) == (403, "csrf")
        assert await alice.refused("DELETE", "/session", headers=headers) == (403, "csrf")
        assert len((await alice.call("GET", "/spaces"))["spaces"]) == 1
        if "hypertask-csrf" not in headers:
            answer = await server.client().post(
                "/session", json={"name": "alice", "password": PASSWORD}, headers=headers
            )
            assert code(answer) == (403, "csrf")
        await alice.call("POST", "/spaces", 201, json={"name": "x"}, headers={"origin": "http://test"})


async def test_a_cookie_travels_by_https_alone_where_the_server_is_found_there() -> None:
    async with people(public_url="https://tasks.example.org") as server:
        made = await server.client().post("/users", json={"name": "alice", "password": PASSWORD})
        cookie = made.headers["set-cookie"]
        assert cookie.startswith("__Host-hypertask-session=")
        assert "; Secure" in cookie and "; HttpOnly" in cookie and "; Path=/;" in cookie and "Domain" not in cookie


async def test_another_password_ends_the_other_sessions() -> None:
    async with people() as server:
        alice = await server.join("alice")
        other = server.client()
        await other.post("/session", json={"name": "alice", "password": PASSWORD})
        new = {"password": PASSWORD, "new": "another long one"}
        wrong = await alice.refused("PUT", "/me/password", json={**new, "password": "not this one"})
        assert wrong == (401, "wrong-credentials")
        assert (await other.get("/me")).status_code == 200
        await alice.call("PUT", "/me/password", 204, json=new)
        assert code(await other.get("/me")) == (401, "unauthenticated")
        await alice.call("GET", "/me")
        client = server.client()
        assert code(await client.post("/session", json={"name": "alice", "password": PASSWORD}))[0] == 401
        assert (await client.post("/session", json={"name": "alice", "password": new["new"]})).status_code == 200


async def test_name_and_address_change_with_the_password_and_are_unique() -> None:
    async with people() as server:
        alice = await server.join("alice", email="a@example.org")
        await server.join("bob", email="b@example.org")
        taken = server.client()
        for more in ({"name": "BOB"}, {"name": "carol", "email": "B@EXAMPLE.org"}):
            answer = await taken.post("/users", json={"password": PASSWORD, **more})
            assert answer.status_code == 409
        assert await alice.refused("PATCH", "/me", json={"email": None}) == (401, "wrong-credentials")
        assert await alice.refused("PATCH", "/me", json={"name": "Bob", "password": PASSWORD}) == (409, "name-taken")
        more = {"email": "b@example.org", "password": PASSWORD}
        assert await alice.refused("PATCH", "/me", json=more) == (409, "email-taken")
        changed = await alice.call("PATCH", "/me", json={"name": "Ada", "email": None, "password": PASSWORD})
        assert (changed["name"], changed["email"]) == ("Ada", None)


async def test_who_guesses_passwords_waits_and_the_owner_elsewhere_does_not() -> None:
    async with people() as server:
        await server.join("alice")
        client = server.client()
        wrong = {"name": "alice", "password": "not this one"}
        for _ in range(FREE_ATTEMPTS):
            assert code(await client.post("/session", json=wrong)) == (401, "wrong-credentials")
        answer = await client.post("/session", json={"name": "alice", "password": PASSWORD})
        assert code(answer) == (429, "rate-limited")
        assert int(answer.headers["retry-after"]) >= 1
        sign_in = server.service.state.sign_in
        user = await sign_in.user("alice", PASSWORD, "2001:db8::7")
        assert user.name == "alice", "the owner comes from another address"


async def test_nobody_is_told_which_names_there_are() -> None:
    async with people() as server:
        await server.join("alice")
        answers = [
            await server.client().post("/session", json={"name": name, "password": "not this one"})
            for name in ("alice", "nobody")
        ]
        known, unknown = ({**answer.json(), "request_id": ""} for answer in answers)
        assert known == unknown and known["code"] == "wrong-credentials"


async def test_a_disabled_account_opens_nothing() -> None:
    async with people() as server:
        alice = await server.join("alice")
        token = await alice.token()
        device = server.device(token)
        assert (await device.get("/hashes")).status_code == 200
        entry = BY_OPERATOR.entry(AuditAct.USER_DISABLED, time.time())
        await server.service.stores.users.set_disabled(UserId(alice.user), time.time(), entry)
        await server.service.state.accounts.close(UserId(alice.user))
        for path in ("/hashes", "/me"):
            assert code(await device.get(path)) == (401, "unauthenticated")
        assert await alice.refused("GET", "/me") == (401, "unauthenticated")
        answer = await server.client().post("/session", json={"name": "alice", "password": PASSWORD})
        assert code(answer) == (403, "account-disabled")


# Signing up


async def server_invitation(server: People, *, by_administrator: bool) -> str:
    _, secret = await server.service.state.spaces.invite(BY_OPERATOR, None, None, by_administrator=by_administrator)
    return secret


async def test_who_may_sign_up() -> None:
    new = {"name": "bob", "password": PASSWORD}
    async with people(SignUp.CLOSED) as server:
        client = server.client()
        assert code(await client.post("/users", json=new)) == (403, "sign-up-closed")
        secret = await server_invitation(server, by_administrator=False)
        assert code(await client.post("/users", json={**new, "invitation": secret})) == (403, "sign-up-closed")
        secret = await server_invitation(server, by_administrator=True)
        assert (await client.post("/users", json={**new, "invitation": secret})).status_code == 201
        again = {**new, "name": "carol", "invitation": secret}
        assert code(await client.post("/users", json=again)) == (410, "invitation-gone")
    async with people(SignUp.INVITED) as server:
        client = server.client()
        assert code(await client.post("/users", json=new)) == (403, "sign-up-closed")
        assert code(await client.post("/users", json={**new, "invitation": "hi_x"})) == (410, "invitation-gone")
        secret = await server_invitation(server, by_administrator=False)
        assert (await client.post("/users", json={**new, "invitation": secret})).status_code == 201


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "bob"}, "/password"),
        ({"name": "bob", "password": "short"}, "/password"),
        ({"name": "bob", "password": 1}, "/password"),
        ({"name": "b@b", "password": PASSWORD}, "/name"),
        ({"name": "", "password": PASSWORD}, "/name"),
        ({"name": "bob", "password": PASSWORD, "email": "no"}, "/email"),
        ({"name": "bob", "password": PASSWORD, "administrator": True}, "/administrator"),
        ([], None),
    ],
)
async def test_a_bad_request_makes_no_account(body: object, pointer: str | None) -> None:
    async with people() as server:
        answer = await server.client().post("/users", json=body)
        assert code(answer) == (400, "malformed-request")
        assert answer.json().get("pointer") == pointer


# Spaces


async def test_a_reader_reads_and_writes_nothing() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        space = await server.shared(alice, reader=bob)
        writer = server.device(await alice.token(), space)
        reader = server.device(await bob.token(), space)
        assert (await writer.post("/task/a", json=STATE)).status_code == 200
        assert (await reader.post("/task/a", json=GET)).json() == {"server_state": STATE["client_state"]}
        hash_ = (await reader.get("/hashes")).json()["a"]
        for path in ("/task/a", "/task/a/revisions", f"/task/a/revisions/{hash_}", "/tasks", "/policies", "/export"):
            assert (await reader.get(path)).status_code == 200
        edit = {"client_state": {"id": "a", "by": "bob"}}
        mark = {"client_state": {"id": "a", "_deleted": True}}
        for method, path, body in (
            ("POST", "/task/a", edit),
            ("POST", "/task/a", mark),
            ("POST", "/task/a?dry_run=1", edit),
            ("POST", "/task/b", {"client_state": {"id": "b"}, "base": "0"}),
            ("DELETE", "/task/a", None),
            ("POST", "/task/a/restore", {"hash": hash_}),
            ("PUT", "/policies", {}),
            ("POST", "/import", {}),
        ):
            content = b"" if body is None else json.dumps(body).encode()
            assert code(await reader.request(method, path, content=content)) == (403, "read-only"), path
        batch = {"tasks": {"a": GET, "b": {"client_state": {"id": "b"}}, "c": mark | {"client_state": {"id": "c"}}}}
        answers = (await reader.post("/tasks", json=batch)).json()["tasks"]
        assert answers["a"]["server_state"] == STATE["client_state"]
        assert [answers[name]["error"]["code"] for name in "bc"] == ["read-only"] * 2
        assert set((await writer.get("/hashes")).json()) == {"a"}
        await alice.call("PATCH", f"/spaces/{space}/members/{bob.user}", 204, json={"role": "editor"})
        assert (await reader.post("/task/a", json=edit)).status_code == 200


async def test_who_is_removed_opens_nothing_and_what_he_wrote_stays() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        space = await server.shared(alice, editor=bob)
        everywhere, there = await bob.token(), await bob.token(space=space, every_space=False)
        for token in (everywhere, there):
            assert (await server.device(token, space).post("/task/a", json=STATE)).status_code == 200
        await alice.call("DELETE", f"/spaces/{space}/members/{bob.user}", 204)
        for token in (everywhere, there):
            assert code(await server.device(token, space).get("/hashes")) == (403, "forbidden")
        assert (await server.device(everywhere).get("/hashes")).status_code == 200, "his own space"
        assert await bob.refused("GET", f"/spaces/{space}") == (404, "not-found")
        assert [one["space"] for one in (await bob.call("GET", "/spaces"))["spaces"]] == [await bob.home()]
        writer = server.device(await alice.token(), space)
        assert set((await writer.get("/hashes")).json()) == {"a"}


async def test_a_space_of_others_is_as_one_that_does_not_exist() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        space, none = await server.shared(alice), "s" + "0" * 20
        token = await bob.token()
        calls = [
            ("GET", ""),
            ("PATCH", ""),
            ("DELETE", ""),
            ("POST", "/restore"),
            ("POST", "/transfer"),
            ("GET", "/members"),
            ("PATCH", f"/members/{alice.user}"),
            ("DELETE", f"/members/{alice.user}"),
            ("DELETE", f"/members/{bob.user}"),
            ("GET", "/invitations"),
            ("POST", "/invitations"),
            ("DELETE", "/invitations/i1"),
        ]
        for client in (bob.client, server.device(token)):
            for method, path in calls:
                foreign = await client.request(method, f"/spaces/{space}{path}", json={})
                unknown = await client.request(method, f"/spaces/{none}{path}", json={})
                assert code(foreign) == code(unknown) == (404, "not-found"), (method, path)
                assert {**foreign.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
        foreign, unknown = [await server.device(token, named).get("/hashes") for named in (space, none)]
        assert {**foreign.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
        assert code(foreign) == (403, "forbidden")


async def test_an_editor_and_a_reader_manage_nothing() -> None:
    async with people() as server:
        alice, bob, carol = [await server.join(name) for name in ("alice", "bob", "carol")]
        space = await server.shared(alice, editor=bob, reader=carol)
        for person in (bob, carol):
            for method, path, body in (
                ("PATCH", "", {"name": "mine"}),
                ("DELETE", "", None),
                ("POST", "/transfer", {"user": person.user}),
                ("PATCH", f"/members/{person.user}", {"role": "editor"}),
                ("DELETE", f"/members/{alice.user}", None),
                ("POST", "/invitations", {"role": "editor"}),
                ("GET", "/invitations", None),
            ):
                assert await person.refused(method, f"/spaces/{space}{path}", json=body) == (403, "not-owner"), path
        members = (await carol.call("GET", f"/spaces/{space}/members"))["members"]
        assert [(one["name"], one["role"]) for one in members] == [
            ("alice", "owner"),
            ("bob", "editor"),
            ("carol", "reader"),
        ]
        await carol.call("DELETE", f"/spaces/{space}/members/{carol.user}", 204)
        assert len((await bob.call("GET", f"/spaces/{space}/members"))["members"]) == 2


async def test_a_space_is_handed_over() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        space = await server.shared(alice, reader=bob)
        assert await alice.refused("DELETE", f"/spaces/{space}/members/{alice.user}") == (409, "owner-required")
        assert await alice.refused("POST", f"/spaces/{space}/transfer", json={"user": "u-no"}) == (404, "not-found")
        await alice.call("POST", f"/spaces/{space}/transfer", 204, json={"user": bob.user})
        assert (await bob.call("GET", f"/spaces/{space}"))["role"] == "owner"
        await bob.call("DELETE", f"/spaces/{space}", 202)
        deleted = await bob.refused("POST", f"/spaces/{space}/transfer", json={"user": alice.user})
        assert deleted == (404, "not-found"), "she would own what she cannot see"
        await bob.call("POST", f"/spaces/{space}/restore", 200)
        assert (await alice.call("GET", f"/spaces/{space}"))["role"] == "editor"
        again = await alice.refused("POST", f"/spaces/{space}/transfer", json={"user": bob.user})
        assert again == (403, "not-owner")
        await alice.call("DELETE", f"/spaces/{space}/members/{alice.user}", 204)


async def test_an_archived_space_is_read_and_a_deleted_one_can_be_taken_back() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        space = await server.shared(alice, editor=bob)
        devices = [server.device(await person.token(), space) for person in (alice, bob)]
        await devices[0].post("/task/a", json=STATE)
        assert (await alice.call("PATCH", f"/spaces/{space}", json={"archived": True, "name": "Old"}))[
            "name"
        ] == "Old"
        for device in devices:
            assert code(await device.post("/task/a", json={"client_state": {"id": "a"}})) == (403, "space-archived")
            assert (await device.get("/hashes")).status_code == 200
        await alice.call("PATCH", f"/spaces/{space}", json={"archived": False})
        deleted = await alice.call("DELETE", f"/spaces/{space}", 202)
        assert deleted["delete_at"] == (await alice.call("DELETE", f"/spaces/{space}", 202))["delete_at"]
        for device in devices:
            assert code(await device.get("/hashes")) == (403, "forbidden")
        assert await bob.refused("GET", f"/spaces/{space}") == (404, "not-found")
        assert space not in {one["space"] for one in (await bob.call("GET", "/spaces"))["spaces"]}
        [shown] = [one for one in (await alice.call("GET", "/spaces"))["spaces"] if one["space"] == space]
        assert shown["delete_at"] == deleted["delete_at"]
        await alice.call("POST", f"/spaces/{space}/restore")
        assert set((await devices[1].get("/hashes")).json()) == {"a"}


async def test_nobody_makes_invitations_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaces, "MOST_INVITATIONS", 3)
    async with people() as server:
        alice = await server.join("alice")
        space, other = await alice.home(), await server.shared(alice)
        bodies = [{"role": "reader"}, {"role": "reader", "expires_in": 60}, {"role": "editor"}]
        made = [await alice.call("POST", f"/spaces/{space}/invitations", 201, json=body) for body in bodies]
        answer = await alice.client.post(f"/spaces/{space}/invitations", json={"role": "reader"})
        assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (
            429,
            "rate-limited",
            "3600",
        )
        await alice.call("POST", f"/spaces/{other}/invitations", 201, json={"role": "reader"})
        await alice.call("DELETE", f"/spaces/{space}/invitations/{made[0]['invitation']}", 204)
        await alice.call("POST", f"/spaces/{space}/invitations", 201, json={"role": "reader"})


async def test_nobody_has_sessions_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "MOST_SESSIONS", 3)
    async with people() as server:
        alice = await server.join("alice")
        clients = [alice.client, *(server.client() for _ in range(3))]
        for client in clients[1:]:
            await client.post("/session", json={"name": "alice", "password": PASSWORD})
        assert [(await client.get("/me")).status_code for client in clients] == [401, 200, 200, 200]


async def test_invitations_are_shown_listed_used_once_and_revoked() -> None:
    async with people(public_url="https://tasks.example.org") as server:
        alice, bob, carol = [await server.join(name) for name in ("alice", "bob", "carol")]
        for person in (alice, bob, carol):  # these cookies travel by https alone
            person.client.base_url = httpx.URL("https://test")
        space = await server.shared(alice)
        made = await alice.call(
            "POST", f"/spaces/{space}/invitations", 201, json={"role": "reader", "expires_in": 60}
        )
        assert made["url"] == f"https://tasks.example.org/join#{made['secret']}"
        assert made["expires_at"] - time.time() < 61
        shown = await server.client().post("/invitations/show", json={"secret": made["secret"]})
        assert shown.json() == {"space": "Shared", "role": "reader", "by": "alice", "expires_at": made["expires_at"]}
        [listed] = (await alice.call("GET", f"/spaces/{space}/invitations"))["invitations"]
        assert "secret" not in listed and listed["invitation"] == made["invitation"]
        secret = {"secret": made["secret"]}
        assert await alice.refused("POST", "/invitations/accept", json=secret) == (409, "already-member")
        found = await bob.call("POST", "/invitations/accept", json=secret)
        assert (
            found == {"space": space, "role": "reader"} == await bob.call("POST", "/invitations/accept", json=secret)
        )
        assert await carol.refused("POST", "/invitations/accept", json=secret) == (410, "invitation-gone")
        assert code(await server.client().post("/invitations/show", json=secret)) == (410, "invitation-gone")
        made = await alice.call("POST", f"/spaces/{space}/invitations", 201, json={"role": "editor"})
        await alice.call("DELETE", f"/spaces/{space}/invitations/{made['invitation']}", 204)
        revoked = {"secret": made["secret"]}
        assert await carol.refused("POST", "/invitations/accept", json=revoked) == (410, "invitation-gone")
        stored = await server.service.stores.audit.read(space=SpaceId(space))
        assert AuditAct.INVITATION_REVOKED in {entry.act for entry in stored}
        assert made["secret"] not in str(stored)


# Devices


async def test_a_token_that_opens_one_space_has_nothing_to_do_with_the_rest() -> None:
    async with people() as server:
        alice = await server.join("alice")
        space, home = await server.shared(alice), await alice.home()
        bound = server.device(await alice.token(space=space, every_space=False))
        elsewhere = await alice.call("POST", "/devices", 201, json={"name": "elsewhere"})
        assert (await bound.get("/hashes")).status_code == 200
        assert code(await bound.get("/hashes", headers={"hypertask-space": home})) == (403, "forbidden")
        assert [one["space"] for one in (await bound.get("/spaces")).json()["spaces"]] == [space]
        assert [one["space"] for one in (await bound.get("/devices")).json()["devices"]] == [space]
        assert code(await bound.delete(f"/devices/{elsewhere['device']}")) == (404, "not-found")
        assert code(await bound.get(f"/spaces/{home}/members")) == (404, "not-found")
        for method, path in (
            ("POST", "/spaces"),
            ("PATCH", f"/spaces/{space}"),
            ("POST", f"/spaces/{space}/invitations"),
            ("POST", "/invitations/accept"),
            ("PUT", "/me/password"),
            ("DELETE", "/me"),
            ("GET", "/sessions"),
        ):
            assert code(await bound.request(method, path, json={})) == (403, "session-required"), path
        made = (await bound.post("/devices", json={"name": "child"})).json()
        assert code(await server.device(made["token"], home).get("/hashes")) == (403, "forbidden")
        assert code(await bound.post("/devices", json={"name": "x", "every_space": True})) == (
            400,
            "malformed-request",
        )


async def test_a_token_never_opens_more_than_its_user_may() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        space = await server.shared(alice)
        assert await bob.refused("POST", "/devices", json={"name": "x", "space": space}) == (404, "not-found")
        device = server.device(await bob.token())
        assert code(await device.get("/hashes", headers={"hypertask-space": space})) == (403, "forbidden")
        for wrong in ("", "../x", "S", "a" * 64):
            assert code(await device.get("/hashes", headers={"hypertask-space": wrong})) == (403, "forbidden")


async def test_a_device_is_rotated_and_expires() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        made = await alice.call("POST", "/devices", 201, json={"name": "laptop", "expires_in": 3600})
        path = f"/devices/{made['device']}/rotate"
        assert await bob.refused("POST", path) == (404, "not-found")
        rotated = await alice.call("POST", path)
        assert rotated["device"] == made["device"] and rotated["token"] != made["token"]
        assert code(await server.device(made["token"]).get("/hashes")) == (401, "unauthenticated")
        assert (await server.device(rotated["token"]).get("/hashes")).status_code == 200
        [row] = (await alice.call("GET", "/devices"))["devices"]
        assert 0 < row["expires_at"] - time.time() < 3601
        brief = await alice.token(expires_in=1)
        assert (await server.device(brief).get("/hashes")).status_code == 200
        devices = server.service.stores.devices._tables.devices  # type: ignore[attr-defined]
        for key, (device, revoked_at) in list(devices.items()):
            devices[key] = (replace(device, expires_at=device.expires_at and time.time() - 1), revoked_at)
        server.service.state.devices._devices._known.clear()
        assert code(await server.device(brief).get("/hashes")) == (401, "unauthenticated")


async def test_a_device_shows_how_far_it_has_synced() -> None:
    async with people() as server:
        alice = await server.join("alice")
        made = await alice.call("POST", "/devices", 201, json={"name": "laptop"})
        device = server.device(made["token"])
        device.headers["user-agent"] = "hypertask/1"
        began = time.time()
        await device.post("/task/a", json=STATE)
        await device.get("/hashes")
        await device.post("/task/b", json={"client_state": {"id": "b"}})
        await server.service.state.devices.close()
        [row] = (await alice.call("GET", "/devices"))["devices"]
        assert (row["device"], row["lag"], row["client"]) == (DeviceId(made["device"]), 1, "hypertask/1")
        assert began <= row["last_sync"] <= time.time()


# Leaving


@pytest.mark.parametrize("how", ["session", "account"])
async def test_an_export_of_everything_ends_with_the_session(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    async with people() as server:
        alice = await server.join("alice")
        device = server.device(await alice.token())
        for name in "abc":
            await device.post(f"/task/{name}", json={"client_state": {"id": name, "text": "x" * 70_000}})
        everything = server.service.documents.everything
        stores = server.service.stores

        async def interrupted(space: SpaceId) -> AsyncIterator[Exported]:
            async for found in everything(space):
                yield found
                if how == "session":
                    await alice.client.delete("/session")
                else:
                    entry = BY_OPERATOR.entry(AuditAct.USER_DISABLED, 1.0, user=UserId(alice.user))
                    await stores.users.set_disabled(UserId(alice.user), 1.0, entry)

        monkeypatch.setattr(server.service.documents, "everything", interrupted)
        lines = (await alice.client.get("/me/export")).text.splitlines()
        assert json.loads(lines[0]).keys() == {"account"}
        assert "".join(lines).count("x" * 70_000) == 1, "of three"
        assert "complete" not in lines[-1]


async def test_an_account_is_deleted_after_an_export_and_can_be_taken_back() -> None:
    async with people() as server:
        alice, bob = await server.join("alice"), await server.join("bob")
        token = await alice.token()
        device = server.device(token)
        await device.post("/task/a", json=STATE)
        space = await server.shared(alice, editor=bob)
        password = {"password": PASSWORD}
        assert await alice.refused("DELETE", "/me", json={}) == (401, "wrong-credentials")
        assert await alice.refused("DELETE", "/me", json=password) == (409, "owns-shared-spaces")
        await alice.call("POST", f"/spaces/{space}/transfer", 204, json={"user": bob.user})
        assert await alice.refused("DELETE", "/me", json=password) == (409, "export-first")
        export = await alice.client.get("/me/export")
        lines = [json.loads(line) for line in export.text.splitlines()]
        assert lines[0]["account"]["name"] == "alice" and lines[-1] == {"complete": True, "spaces": 1}
        assert any(STATE["client_state"] in line.values() for line in lines), "what her own space holds"
        assert token not in export.text
        delete_at = (await alice.call("DELETE", "/me", 202, json=password))["delete_at"]
        assert 13 < (delete_at - time.time()) / 86400 < 15
        assert code(await device.get("/hashes")) == (401, "unauthenticated")
        assert await alice.refused("GET", "/me") == (403, "account-leaving")
        again = server.client()
        signed_in = await again.post("/session", json={"name": "alice", "password": PASSWORD})
        assert signed_in.json()["delete_at"] == delete_at
        again.headers["hypertask-csrf"] = signed_in.json()["csrf"]
        assert (await again.post("/me/restore")).status_code == 204
        assert set((await device.get("/hashes")).json()) == {"a"}
