"""Quotas of spaces and people, as the API answers them."""

from __future__ import annotations

import json

from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.documents import SpaceId
from shared.settings import Settings
from tests.unit.api.in_memory import Service
from tests.unit.api.people import people


async def test_a_setting_holds_and_an_override_of_the_owner_over_it() -> None:
    service = Service(Settings(space_documents=1))
    async with service.client() as client:
        assert (await client.post("/task/a", json={"client_state": {"id": "a"}})).status_code == 200
        full = await client.post("/task/b", json={"client_state": {"id": "b"}})
        assert (full.status_code, full.json()["code"], full.json()["limit"]) == (
            507,
            "quota-exceeded",
            "space_documents",
        )
        assert (full.json()["quota"], full.json()["remaining"]) == (1, 0)
        assert int(full.headers["retry-after"]) == full.json()["retry_after"]
        assert (await client.get("/task/b")).status_code == 404
    service = Service(Settings(space_documents=1))
    async with service.client() as client:
        [owner] = [member.user for member in await service.stores.members.of_space(SpaceId("s"))]
        entry = BY_OPERATOR.entry(AuditAct.USER_LIMITS_CHANGED, 1.0, user=owner)
        await service.stores.users.set_overrides(owner, {"space_documents": 2}, entry)
        found = [
            (await client.post(f"/task/{name}", json={"client_state": {"id": name}})).status_code for name in "abc"
        ]
        assert found == [200, 200, 507]


async def test_an_import_takes_what_there_is_room_for_and_says_how_many_not() -> None:
    service = Service(Settings(space_documents=2))
    async with Service().client() as other:
        for name in "abc":
            await other.post(f"/task/{name}", json={"client_state": {"id": name}})
        export = (await other.get("/export")).content
    async with service.client() as client:
        answer = await client.post("/import", content=export)
        assert {name: answer.json()[name] for name in ("created", "refused")} == {"created": 2, "refused": 1}
        assert len((await client.get("/hashes")).json()) == 2


async def test_one_user_may_have_so_many_spaces_and_devices() -> None:
    async with people(spaces_per_user=2, devices_per_user=2) as server:
        anna, berta = await server.join("anna"), await server.join("berta")
        space = (await anna.call("POST", "/spaces", 201, json={"name": "Second"}))["space"]
        answer = await anna.client.post("/spaces", json={"name": "Third"})
        assert (answer.status_code, answer.json()["code"], answer.json()["limit"]) == (
            507,
            "quota-exceeded",
            "spaces_per_user",
        )
        await anna.token()
        await anna.token()
        answer = await anna.client.post("/devices", json={"name": "third"})
        assert (answer.status_code, answer.json()["limit"]) == (507, "devices_per_user")
        await berta.call("POST", "/spaces", 201, json={"name": "Second"})
        made = await anna.call("POST", f"/spaces/{space}/invitations", 201, json={"role": "editor"})
        await berta.call("POST", "/invitations/accept", json={"secret": made["secret"]})
        answer = await anna.client.post(f"/spaces/{space}/transfer", json={"user": berta.user})
        assert (answer.status_code, answer.json()["limit"]) == (507, "spaces_per_user")


async def test_imports_of_one_user_may_be_smaller() -> None:
    service = Service()
    async with service.client() as client:
        [owner] = [member.user for member in await service.stores.members.of_space(SpaceId("s"))]
        entry = BY_OPERATOR.entry(AuditAct.USER_LIMITS_CHANGED, 1.0, user=owner)
        await service.stores.users.set_overrides(owner, {"import_bytes": 100}, entry)
        answer = await client.post("/import", content=json.dumps({"x": "x" * 200}))
        assert answer.status_code == 413
