"""What DeviceStore promises. A test class of an adapter inherits this and has a fixture `store`."""

from __future__ import annotations

import asyncio
import time
import uuid

from shared.core.documents import Device, DeviceId, SpaceId, UserName
from shared.ports import DeviceStore


def _device(user: str = "", created_at: float = 1.5, *, shared: bool = False) -> Device:
    name = uuid.uuid4().hex[:12]
    owner = UserName(user or f"u-{name}")
    return Device(DeviceId(name), owner, f"device {name}", SpaceId(f"s-{name}"), created_at, shared=shared)


class DeviceStoreContract:
    """Users and tokens are new in every test: the store may hold others."""

    async def test_a_device_is_found_by_its_token_as_it_was_added(self, store: DeviceStore) -> None:
        one, other = _device(), _device(shared=True)
        await store.add(one, f"hash-{one.id}")
        await store.add(other, f"hash-{other.id}")
        asked = [f"hash-{one.id}", f"hash-{other.id}", "hash-nobody"]
        assert await store.by_token_hashes(asked) == {f"hash-{one.id}": one, f"hash-{other.id}": other}
        assert await store.by_token_hashes([]) == {}
        assert {one.id, other.id} <= {device.id for device in await store.list_all()}

    async def test_a_user_has_the_oldest_device_first_and_nobody_elses(self, store: DeviceStore) -> None:
        user = f"u-{uuid.uuid4().hex[:12]}"
        young, old, foreign = _device(user, 9.0), _device(user, 3.0), _device()
        for device in (young, old, foreign):
            await store.add(device, f"hash-{device.id}")
        assert await store.list_of(UserName(user)) == [old, young]
        assert await store.list_of(UserName("nobody")) == []
        assert await store.list_of(UserName(user), young.space) == [young]
        assert await store.list_of(UserName(user), foreign.space) == []

    async def test_a_revoked_token_opens_nothing_from_the_next_call_on(self, store: DeviceStore) -> None:
        device, token = _device(), "hash-" + uuid.uuid4().hex
        await store.add(device, token)
        assert await store.revoke(device.id, user=UserName("somebody-else")) is None, "it is not theirs"
        assert await store.revoke(device.id, user=device.user, space=SpaceId("another")) is None, (
            "it opens another space"
        )
        assert await store.by_token_hashes([token]) == {token: device}
        assert await store.revoke(device.id, user=device.user, space=device.space) == device
        assert await store.by_token_hashes([token]) == {}
        assert await store.list_of(device.user) == []
        assert device.id not in {known.id for known in await store.list_all()}
        assert await store.revoke(device.id) is None, "it is gone already"
        assert await store.revoke(DeviceId("never-was")) is None

    async def test_the_devices_of_a_space_are_counted_with_those_that_were_revoked_lately(
        self, store: DeviceStore
    ) -> None:
        device, other = _device(), _device()
        await store.add(device, f"hash-{device.id}")
        await store.add(other, f"hash-{other.id}")
        assert await store.count(device.space, 0.0) == 1
        assert await store.revoke(device.id) == device
        assert await store.count(device.space, time.time() - 60) == 1
        assert await store.count(device.space, time.time() + 60) == 0

    async def test_of_several_who_revoke_one_did_it(self, store: DeviceStore) -> None:
        device = _device()
        await store.add(device, f"hash-{device.id}")
        done = await asyncio.gather(*(store.revoke(device.id) for _ in range(5)))
        assert sorted(done, key=bool) == [None] * 4 + [device]

    async def test_last_seen_never_goes_back(self, store: DeviceStore) -> None:
        device, token = _device(), "hash-" + uuid.uuid4().hex
        await store.add(device, token)
        for at in (20.5, 10.0):
            await store.seen(device.id, at)
        assert (await store.by_token_hashes([token]))[token].last_seen == 20.5
        await store.seen(DeviceId("never-was"), 1.0)
        assert "never-was" not in {known.id for known in await store.list_all()}
