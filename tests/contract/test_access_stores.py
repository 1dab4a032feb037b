"""The stores of people and spaces on MongoDB, and in memory."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
from collections.abc import AsyncIterator
from typing import Any, get_type_hints

import pytest

from shared.adapters import mongodb
from shared.adapters.memory import access_secrets
from shared.core.access.audit import AuditAct, AuditEntry
from shared.core.access.device_grants import DeviceGrant, UserCode
from shared.core.access.groups import Identity
from shared.core.access.invitations import Invitation, InvitationId
from shared.core.access.people import User
from shared.core.access.roles import Membership, Role, SpaceProfile
from shared.core.access.sessions import ProviderFlow, WebSession, WebSessionId
from shared.core.documents import Device, DeviceId, SpaceId, UserId, UserName
from shared.ports import UnavailableError
from shared.ports.access import AccessStores
from shared.settings import Settings
from shared.testing.access_limits import AccessLimitsContract
from shared.testing.access_stores import AccessStoresContract
from shared.testing.sign_in_stores import SignInStoresContract


class TestMongoAccessStores(AccessStoresContract, AccessLimitsContract, SignInStoresContract):
    @pytest.fixture
    async def stores(self, settings: Settings) -> AsyncIterator[AccessStores]:
        async with mongodb.opened(settings) as mongo:
            yield mongodb.access_stores(mongo)


class TestMemoryAccessStores(AccessStoresContract, AccessLimitsContract, SignInStoresContract):
    @pytest.fixture
    def stores(self) -> AccessStores:
        return access_secrets.access_stores()


ARGUMENTS: dict[str, Any] = {
    "entry": AuditEntry(AuditAct.USER_ADDED, 1.0, "operator"),
    "invitation": InvitationId("i"),
    "membership": Membership(SpaceId("s"), UserId("u"), Role.READER, 1.0),
    "device": DeviceId("d"),
    "session": WebSessionId("w"),
    "role": Role.READER,
    "overrides": {},
    "administrator": True,
    "at": 1.0,
    "now": 1.0,
    "most": 1,
    "since": 1.0,
    "approval": None,
    "identity": Identity("i", "s", UserId("u")),
    "flow": ProviderFlow("n", "v", "h", "/", 1.0),
    "granted": {},
}
OF_ADD: dict[str, Any] = {
    "user": User(UserId("u"), UserName("n"), 1.0),
    "space": SpaceProfile(SpaceId("s"), "n", 1.0),
    "session": WebSession(WebSessionId("w"), UserId("u"), 1.0, 2.0, 1.0),
    "device": Device(DeviceId("d"), UserName("n"), "n", SpaceId("s"), 1.0),
    "grant": DeviceGrant(UserCode("BCDFGHJK"), "n", 1.0, 2.0),
    "invitation": Invitation(InvitationId("i"), None, 1.0, 2.0),
}
LISTS = {"users", "spaces", "token_hashes", "keys"}


def call(store: object, name: str) -> Any:
    """The method, with some value for each of its arguments that has none of its own."""
    method = getattr(store, name)
    known = ARGUMENTS | (OF_ADD if name.startswith("add") else {})
    arguments = {
        parameter: [(SpaceId("s"), UserId("u"))] if parameter == "pairs" else ["x"] if parameter in LISTS else "x"
        for parameter, its in inspect.signature(method).parameters.items()
        if its.default is inspect.Parameter.empty
    }
    return method(**{parameter: known.get(parameter, value) for parameter, value in arguments.items()})


async def test_errors_are_ours() -> None:
    nowhere = Settings(mongo_url="mongodb://127.0.0.1:1/?replicaSet=rs0", store_timeout_seconds=0.02)
    ports = get_type_hints(AccessStores)
    async with mongodb.opened(nowhere) as mongo:
        stores = mongodb.access_stores(mongo)
        calls = [
            call(getattr(stores, field.name), name)
            for field in dataclasses.fields(stores)
            for name, _ in inspect.getmembers(ports[field.name], inspect.isfunction)
            if not name.startswith("_")
        ]
        assert len(calls) > 50
        found = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(error) for error in found} == {UnavailableError}
