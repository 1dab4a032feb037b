"""DeviceStore that is nothing but memory."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace

from shared.core.documents import Device, DeviceId, SpaceId, UserName


class MemoryDeviceStore:
    """DeviceStore."""

    def __init__(self) -> None:
        self._devices: dict[DeviceId, Device] = {}
        self._tokens: dict[str, DeviceId] = {}
        self._revoked_at: dict[DeviceId, float] = {}

    async def add(self, device: Device, token_hash: str) -> None:
        self._devices[device.id] = device
        self._tokens[token_hash] = device.id

    async def by_token_hashes(self, token_hashes: Collection[str]) -> dict[str, Device]:
        known = {token: self._tokens[token] for token in token_hashes if token in self._tokens}
        return {token: self._devices[device] for token, device in known.items() if device not in self._revoked_at}

    def _open(self) -> list[Device]:
        devices = [device for name, device in self._devices.items() if name not in self._revoked_at]
        return sorted(devices, key=lambda device: (device.created_at, device.id))

    async def list_of(self, user: UserName, space: SpaceId | None = None) -> list[Device]:
        return [one for one in self._open() if one.user == user and (space is None or one.space == space)]

    async def count(self, space: SpaceId, since: float) -> int:
        of_space = [name for name, device in self._devices.items() if device.space == space]
        return sum(name not in self._revoked_at or self._revoked_at[name] >= since for name in of_space)

    async def list_all(self) -> list[Device]:
        return self._open()

    async def revoke(
        self, device: DeviceId, *, user: UserName | None = None, space: SpaceId | None = None
    ) -> Device | None:
        known = self._devices.get(device)
        if known is None or device in self._revoked_at:
            return None
        if user not in (None, known.user) or space not in (None, known.space):
            return None
        self._revoked_at[device] = time.time()
        return known

    async def seen(self, device: DeviceId, at: float) -> None:
        known = self._devices.get(device)
        if known is not None:
            self._devices[device] = replace(known, last_seen=max(known.last_seen or at, at))
