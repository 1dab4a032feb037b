"""DeviceStore on MongoDB, and in memory."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator

import pytest

from shared.adapters.memory.devices import MemoryDeviceStore
from shared.adapters.mongodb import MongoDeviceStore, opened
from shared.core.documents import Device, DeviceId, SpaceId, UserName
from shared.ports import DeviceStore, UnavailableError
from shared.settings import Settings
from shared.testing.device_store import DeviceStoreContract


class TestMongoDeviceStore(DeviceStoreContract):
    @pytest.fixture
    async def store(self, settings: Settings) -> AsyncIterator[DeviceStore]:
        async with opened(settings) as mongo:
            yield MongoDeviceStore(mongo)


class TestMemoryDeviceStore(DeviceStoreContract):
    @pytest.fixture
    def store(self) -> DeviceStore:
        return MemoryDeviceStore()


async def test_errors_are_ours() -> None:
    nowhere = Settings(mongo_url="mongodb://127.0.0.1:1/?replicaSet=rs0", store_timeout_seconds=0.1)
    user, device = UserName("u"), DeviceId("d")
    async with opened(nowhere) as mongo:
        store = MongoDeviceStore(mongo)
        calls = {
            "add": store.add(Device(device, user, "n", SpaceId("s"), 1.0), "hash"),
            "by_token_hashes": store.by_token_hashes(["hash"]),
            "list_of": store.list_of(user),
            "list_all": store.list_all(),
            "count": store.count(SpaceId("s"), 0.0),
            "revoke": store.revoke(device, user=user),
            "seen": store.seen(device, 1.0),
        }
        methods = {name for name, _ in inspect.getmembers(DeviceStore, inspect.isfunction) if name[0] != "_"}
        assert calls.keys() == methods
        for call in calls.values():
            with pytest.raises(UnavailableError):
                await call
