"""/admin: who may, what it shows and does, and what the audit log says of it."""

from __future__ import annotations

import pytest

from api.app import ROUTES
from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.documents import UserId
from tests.unit.api.people import PASSWORD, People, Person, people

OURS = [route for route in ROUTES if route.path.startswith("/admin")]
ADMIN = [(route.path, method) for route in OURS for method in sorted(route.methods or ())]


async def administrator(server: People) -> Person:
    person = await server.join("root")
    entry = BY_OPERATOR.entry(AuditAct.USER_ADMINISTRATOR, 1.0, user=UserId(person.user))
    await server.service.stores.users.set_administrator(UserId(person.user), True, entry)
    return person


@pytest.mark.parametrize(("path", "method"), ADMIN)
async def test_for_everybody_else_there_is_nothing(path: str, method: str) -> None:
    async with people() as server:
        root, anna = await administrator(server), await server.join("anna")
        path = path.format(user=root.user, space=await root.home(), invitation="i")
        assert (await server.client().request(method, path, json={})).status_code == 401
        assert (await anna.client.request(method, path, json={})).status_code == 404
        token = await root.token()
        answer = await server.device(token).request(method, path, json={})
        assert (answer.status_code, method == "HEAD" or answer.json()["code"]) == (
            403,
            method == "HEAD" or "session-required",
        )
        if method not in ("GET", "HEAD"):
            csrf = root.client.headers.pop("hypertask-csrf")
            assert (await root.client.request(method, path, json={})).status_code == 403
            root.client.headers["hypertask-csrf"] = csrf


async def test_users_are_listed_and_found_with_what_they_use() -> None:
    async with people() as server:
        root, anna = await administrator(server), await server.join("anna", email="anna@example.org")
        device = server.device(await anna.token())
        for name in "abc":
            await device.post(f"/task/{name}", json={"client_state": {"id": name, "text": "x" * 100}})
        await anna.call("POST", "/spaces", 201, json={"name": "Second"})
        found = await root.call("GET", "/admin/users?search=EXAMPLE")
        [row] = found["users"]
        assert (row["user"], row["name"], row["state"], row["administrator"]) == (anna.user, "anna", "active", False)
        assert row["used"] == {"spaces": 2, "devices": 1, "documents": 3, "bytes": 3 * 120, "history_bytes": 0}
        assert "password" not in row
        everybody = (await root.call("GET", "/admin/users?limit=1"))["users"]
        rest = (await root.call("GET", f"/admin/users?limit=1&after={everybody[0]['user']}"))["users"]
        assert {row["user"] for row in everybody + rest} == {root.user, anna.user}
        one = await root.call("GET", f"/admin/users/{anna.user}")
        assert one["limits"]["spaces_per_user"] == 1000
        assert {space["role"] for space in one["spaces"]} == {"owner"}
        assert await root.refused("GET", "/admin/users/u-none") == (404, "not-found")
        assert await root.refused("GET", "/admin/users?limit=0") == (400, "malformed-request")


async def test_who_is_disabled_opens_nothing_until_he_is_enabled() -> None:
    async with people() as server:
        root, anna = await administrator(server), await server.join("anna")
        device = server.device(await anna.token())
        await root.call("PATCH", f"/admin/users/{anna.user}", json={"disabled": True})
        assert (await device.get("/hashes")).status_code == 401
        assert (await anna.client.get("/me")).status_code == 401
        assert await anna.refused("POST", "/session", json={"name": "anna", "password": PASSWORD}) == (
            403,
            "account-disabled",
        )
        assert (await root.call("GET", f"/admin/users/{anna.user}"))["state"] == "disabled"
        await root.call("PATCH", f"/admin/users/{anna.user}", json={"disabled": False})
        assert (await device.get("/hashes")).status_code == 200


async def test_there_is_always_an_administrator() -> None:
    async with people() as server:
        root, anna = await administrator(server), await server.join("anna")
        for change in ({"administrator": False}, {"disabled": True}):
            answer = await root.refused("PATCH", f"/admin/users/{root.user}", json=change)
            assert answer == (409, "last-administrator")
        await root.call("PATCH", f"/admin/users/{anna.user}", json={"administrator": True})
        await root.call("PATCH", f"/admin/users/{root.user}", json={"administrator": False})
        assert await root.refused("GET", "/admin") == (404, "not-found")
        assert (await anna.call("GET", "/admin"))["limits"]["space_documents"] == 5_000_000


async def test_a_reset_gives_a_new_password_and_ends_what_was_open() -> None:
    async with people() as server:
        root, anna = await administrator(server), await server.join("anna")
        device = server.device(await anna.token())
        made = await root.call("POST", f"/admin/users/{anna.user}/reset", json={})
        assert (await anna.client.get("/me")).status_code == 401
        assert (await device.get("/hashes")).status_code == 200
        assert await anna.refused("POST", "/session", json={"name": "anna", "password": PASSWORD}) == (
            401,
            "wrong-credentials",
        )
        await anna.call("POST", "/session", 200, json={"name": "anna", "password": made["password"]})
        await root.call("POST", f"/admin/users/{anna.user}/reset", json={"devices": True})
        assert (await device.get("/hashes")).status_code == 401


async def test_limits_of_one_user_and_one_space_are_set_and_taken_away() -> None:
    async with people(space_documents=1) as server:
        root, anna = await administrator(server), await server.join("anna")
        space = await anna.home()
        row = await root.call("PUT", f"/admin/users/{anna.user}/limits", json={"limits": {"space_documents": 2}})
        assert (row["overrides"], row["limits"]["space_documents"]) == ({"space_documents": 2}, 2)
        device = server.device(await anna.token())
        found = [(await device.post(f"/task/{n}", json={"client_state": {"id": n}})).status_code for n in "abc"]
        assert found == [200, 200, 507]
        shown = await root.call("GET", f"/admin/spaces/{space}")
        assert (shown["limits"]["space_documents"], shown["used"]["documents"]) == (2, 2)
        row = await root.call("PUT", f"/admin/spaces/{space}/limits", json={"limits": {"space_documents": 0}})
        assert row["limits"]["space_documents"] == 0
        row = await root.call("PUT", f"/admin/spaces/{space}/limits", json={"limits": {}})
        assert row["limits"]["space_documents"] == 2
        for limits, pointer in (
            ({"mongo_url": 1}, "/limits/mongo_url"),
            ({"space_bytes": -1}, "/limits/space_bytes"),
        ):
            answer = await root.client.put(f"/admin/users/{anna.user}/limits", json={"limits": limits})
            assert (answer.status_code, answer.json()["pointer"]) == (400, pointer)
        answer = await root.client.put(f"/admin/spaces/{space}/limits", json={"limits": {"spaces_per_user": 1}})
        assert answer.status_code == 400, "that is no limit of a space"


async def test_the_health_of_a_space_shows_no_documents() -> None:
    async with people() as server:
        root, anna = await administrator(server), await server.join("anna")
        space = await anna.home()
        device = server.device(await anna.token())
        await device.post("/task/secret-name", json={"client_state": {"id": "secret-name", "text": "secret text"}})
        row = await root.call("GET", f"/admin/spaces/{space}")
        assert (row["sequence"], row["histories"], row["waiting"]) == (1, 1, 0)
        assert row["members"] == [{"user": anna.user, "name": "anna", "role": "owner"}]
        assert [one["user"] for one in row["devices"]] == [anna.user]
        assert "secret" not in str(row)
        listed = await root.call("GET", f"/admin/spaces?search={space}")
        assert [one["space"] for one in listed["spaces"]] == [space]
        assert await root.refused("GET", "/admin/spaces/s-none") == (404, "not-found")


async def test_somebody_is_added_or_invited_though_sign_up_is_closed() -> None:
    async with people() as server:
        root = await administrator(server)
        made = await root.call("POST", "/admin/users", 201, json={"name": "berta"})
        client = server.client()
        assert (
            await client.post("/session", json={"name": "berta", "password": made["password"]})
        ).status_code == 200
        assert await root.refused("POST", "/admin/users", json={"name": "BERTA"}) == (409, "name-taken")
        invitation = await root.call("POST", "/admin/invitations", 201, json={})
        assert invitation["url"].endswith(f"#{invitation['secret']}")
        [waiting] = (await root.call("GET", "/admin/invitations"))["invitations"]
        assert waiting["invitation"] == invitation["invitation"]
        assert "secret" not in waiting
        await root.call("DELETE", f"/admin/invitations/{invitation['invitation']}", 204)
        assert (await root.call("GET", "/admin/invitations"))["invitations"] == []


async def test_the_audit_log_says_who_did_what_from_where_and_no_secrets() -> None:
    async with people() as server:
        root, anna = await administrator(server), await server.join("anna")
        await root.call("PATCH", f"/admin/users/{anna.user}", json={"disabled": True})
        made = await root.call("POST", f"/admin/users/{anna.user}/reset", json={"devices": True})
        await root.call("PUT", f"/admin/users/{anna.user}/limits", json={"limits": {"space_bytes": 7}})
        found = await root.call("GET", f"/admin/audit?user={anna.user}")
        acts = [entry["act"] for entry in found["entries"]]
        assert acts[:4] == ["user-limits-changed", "session-ended", "user-password-changed", "user-disabled"]
        for entry in found["entries"][:4]:
            assert (entry["user"], entry["actor"], entry["address"]) == (anna.user, root.user, "127.0.0.1")
            assert entry["by"].startswith("session w")
        assert found["entries"][0]["details"] == {"space_bytes": 7}
        assert made["password"] not in str(found)
        assert PASSWORD not in str(found)
        newest = await root.call("GET", f"/admin/audit?user={anna.user}&limit=1")
        older = await root.call("GET", f"/admin/audit?user={anna.user}&limit=1&before={newest['before']}")
        assert older["entries"][0]["act"] == "session-ended"
        assert await root.refused("GET", "/admin/audit?before=x") == (400, "malformed-request")
