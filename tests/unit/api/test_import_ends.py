"""An import ends when its user may not write any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.documents import SpaceId, UserId
from tests.patience import PATIENCE_SECONDS
from tests.unit.api.in_memory import Service
from tests.unit.api.people import People, Person, people

Ends = Callable[[People, Person, Person, str], Awaitable[object]]


async def removed(server: People, owner: Person, editor: Person, space: str) -> None:
    await owner.call("DELETE", f"/spaces/{space}/members/{editor.user}", 204)


async def made_a_reader(server: People, owner: Person, editor: Person, space: str) -> None:
    await owner.call("PATCH", f"/spaces/{space}/members/{editor.user}", 204, json={"role": "reader"})


async def disabled(server: People, owner: Person, editor: Person, space: str) -> None:
    entry = BY_OPERATOR.entry(AuditAct.USER_DISABLED, 1.0, user=UserId(editor.user))
    await server.service.stores.users.set_disabled(UserId(editor.user), 1.0, entry)
    await server.service.state.accounts.close(UserId(editor.user))


async def revoked(server: People, owner: Person, editor: Person, space: str) -> None:
    [device] = (await editor.call("GET", "/devices"))["devices"]
    await editor.call("DELETE", f"/devices/{device['device']}", 204)


@pytest.mark.parametrize(("ends", "status"), [(removed, 403), (made_a_reader, 403), (disabled, 401), (revoked, 401)])
async def test_an_import_that_is_under_way_is_cut(ends: Ends, status: int) -> None:
    async with Service().client() as other:
        for name in "abc":
            await other.post(f"/task/{name}", json={"client_state": {"id": name}})
        export = (await other.get("/export")).content
    async with people() as server:
        anna, berta = await server.join("anna"), await server.join("berta")
        space = await server.shared(anna, editor=berta)
        client = server.device(await berta.token(), space)
        has_begun, goes_on = asyncio.Event(), asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            yield export[:10]
            has_begun.set()
            await goes_on.wait()
            yield export[10:]

        running = asyncio.create_task(client.post("/import", content=body()))
        await has_begun.wait()
        await ends(server, anna, berta, space)
        answer = await asyncio.wait_for(running, PATIENCE_SECONDS)
        assert answer.status_code == status
        assert await server.service.documents.page(SpaceId(space), "", 10, made=list) == ([], None)
