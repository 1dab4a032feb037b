"""DeviceStore on MongoDB, and in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from shared.adapters import mongodb
from shared.adapters.memory import access_secrets
from shared.ports.access import AccessStores, AuditLog, DeviceStore
from shared.settings import Settings
from shared.testing.device_store import DeviceStoreContract


class DeviceStores(DeviceStoreContract):
    @pytest.fixture
    def store(self, stores: AccessStores) -> DeviceStore:
        return stores.devices

    @pytest.fixture
    def audit(self, stores: AccessStores) -> AuditLog:
        return stores.audit


class TestMongoDeviceStore(DeviceStores):
    @pytest.fixture
    async def stores(self, settings: Settings) -> AsyncIterator[AccessStores]:
        async with mongodb.opened(settings) as mongo:
            yield mongodb.access_stores(mongo)


class TestMemoryDeviceStore(DeviceStores):
    @pytest.fixture
    def stores(self) -> AccessStores:
        return access_secrets.access_stores()
