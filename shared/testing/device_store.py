"""What DeviceStore promises. A test class of an adapter inherits this and has the fixtures `store` and `audit`."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import replace

import pytest

from shared.core.access.audit import AuditAct, AuditEntry
from shared.core.access.limits import Limit
from shared.core.documents import Device, DeviceId, SequenceNumber, SpaceId, Synced, UserId, UserName
from shared.ports.access import AuditLog, DeviceExistsError, DeviceStore


def _device(owner: str = "", created_at: float = 1.5, *, shared: bool = False, every_space: bool = False) -> Device:
    name = uuid.uuid4().hex[:12]
    user = UserId(owner or f"u-{name}")
    return Device(
        DeviceId(name),
        UserName(f"name of {user}"),
        f"device {name}",
        SpaceId(f"s-{name}"),
        created_at,
        shared=shared,
        owner=user,
        every_space=every_space,
        expires_at=created_at + 9.0 if every_space else None,
    )


ADDED = AuditEntry(AuditAct.DEVICE_ADDED, 1.0, "operator")
REVOKED = AuditEntry(AuditAct.DEVICE_REVOKED, 2.0, "operator", address="192.0.2.1")


class DeviceStoreContract:
    """Users and tokens are new in every test: the store may hold others."""

    async def test_a_device_is_found_by_its_token_as_it_was_added(self, store: DeviceStore) -> None:
        one, other = _device(), _device(shared=True, every_space=True)
        await store.add(one, f"hash-{one.id}", ADDED)
        await store.add(other, f"hash-{other.id}", ADDED)
        asked = [f"hash-{one.id}", f"hash-{other.id}", "hash-nobody"]
        assert await store.by_token_hashes(asked) == {f"hash-{one.id}": one, f"hash-{other.id}": other}
        assert await store.by_token_hashes([]) == {}
        assert {one.id, other.id} <= {device.id for device in await store.list_all()}

    async def test_a_user_has_the_oldest_device_first_and_nobody_elses(self, store: DeviceStore) -> None:
        user = f"u-{uuid.uuid4().hex[:12]}"
        young, old, foreign = _device(user, 9.0), _device(user, 3.0), _device()
        for device in (young, old, foreign):
            await store.add(device, f"hash-{device.id}", ADDED)
        assert await store.list_of(UserId(user)) == [old, young]
        assert await store.list_of(UserId("nobody")) == []
        assert await store.list_of(UserId(user), young.space) == [young]
        assert await store.list_of(UserId(user), foreign.space) == []

    async def test_an_id_is_given_once_and_to_one(self, store: DeviceStore) -> None:
        device = _device()
        adds = (store.add_bounded(device, f"hash-{device.id}", ADDED, most=9, since=0.0) for _ in range(3))
        outcomes = await asyncio.gather(*adds, return_exceptions=True)
        assert (outcomes.count(None), sum(isinstance(one, DeviceExistsError) for one in outcomes)) == (1, 2)
        await store.revoke(device.id, REVOKED)
        with pytest.raises(DeviceExistsError):
            await store.add_bounded(device, "hash-" + uuid.uuid4().hex, ADDED, most=9, since=0.0)

    async def test_a_revoked_token_opens_nothing_from_the_next_call_on(self, store: DeviceStore) -> None:
        device, token = _device(), "hash-" + uuid.uuid4().hex
        await store.add(device, token, ADDED)
        assert await store.revoke(device.id, REVOKED, owner=UserId("somebody-else")) is None, "it is not theirs"
        assert await store.revoke(device.id, REVOKED, owner=device.owner, space=SpaceId("another")) is None, (
            "it opens another space"
        )
        assert await store.by_token_hashes([token]) == {token: device}
        assert await store.revoke(device.id, REVOKED, owner=device.owner, space=device.space) == device
        assert await store.by_token_hashes([token]) == {}
        assert await store.list_of(device.owner or UserId("")) == []
        assert device.id not in {known.id for known in await store.list_all()}
        assert await store.revoke(device.id, REVOKED) is None, "it is gone already"
        assert await store.revoke(DeviceId("never-was"), REVOKED) is None

    async def test_a_space_has_so_many_devices_those_counted_that_were_revoked_lately(
        self, store: DeviceStore
    ) -> None:
        first, foreign = _device(), _device()
        second, third = [replace(_device(), space=first.space) for _ in range(2)]

        async def add(device: Device, most: int, since: float) -> bool:
            reached = await store.add_bounded(device, f"hash-{device.id}", ADDED, most=most, since=since)
            assert reached in (None, Limit.DEVICES_PER_SPACE)
            return reached is None

        await store.add(foreign, f"hash-{foreign.id}", ADDED)
        assert await add(first, 1, 0.0)
        assert (await store.by_token_hashes([f"hash-{first.id}"])) == {f"hash-{first.id}": first}
        assert not await add(second, 1, 0.0)
        assert await store.by_token_hashes([f"hash-{second.id}"]) == {}
        assert await add(second, 2, 0.0)
        assert await store.revoke(first.id, REVOKED) == first
        assert not await add(third, 2, time.time() - 60)
        assert await add(third, 2, time.time() + 60)

    async def test_of_several_who_add_at_the_same_time_no_more_get_in_than_may(self, store: DeviceStore) -> None:
        device = _device()
        several = [replace(_device(), space=device.space) for _ in range(8)]
        added = await asyncio.gather(
            *(store.add_bounded(one, f"hash-{one.id}", ADDED, most=3, since=0.0) for one in several)
        )
        assert added.count(None) == 3
        known = await store.by_token_hashes([f"hash-{one.id}" for one in several])
        assert known == {f"hash-{one.id}": one for one, done in zip(several, added, strict=True) if done is None}

    async def test_a_user_has_so_many_devices_over_all_spaces(self, store: DeviceStore) -> None:
        first = _device()
        several = [replace(_device(), owner=first.owner) for _ in range(6)]
        reached = await asyncio.gather(
            *(store.add_bounded(one, f"hash-{one.id}", ADDED, most=9, since=0.0, most_of_user=4) for one in several)
        )
        assert reached.count(None) == 4
        assert reached.count(Limit.DEVICES_PER_USER) == 2

    async def test_of_several_who_revoke_one_did_it(self, store: DeviceStore) -> None:
        device = _device()
        await store.add(device, f"hash-{device.id}", ADDED)
        done = await asyncio.gather(*(store.revoke(device.id, REVOKED) for _ in range(5)))
        assert sorted(done, key=bool) == [None] * 4 + [device]

    async def test_last_seen_never_goes_back(self, store: DeviceStore) -> None:
        device, token = _device(), "hash-" + uuid.uuid4().hex
        await store.add(device, token, ADDED)
        for at in (20.5, 10.0):
            await store.seen(device.id, at)
        assert (await store.by_token_hashes([token]))[token].last_seen == 20.5
        await store.seen(DeviceId("never-was"), 1.0)
        assert "never-was" not in {known.id for known in await store.list_all()}

    async def test_what_a_device_has_followed_never_goes_back(self, store: DeviceStore) -> None:
        device, token = _device(), "hash-" + uuid.uuid4().hex
        await store.add(device, token, ADDED)
        one, other = SpaceId("one"), SpaceId("another")
        await store.seen(device.id, 5.0, client="client/1", synced={one: Synced(5.0, SequenceNumber(7))})
        await store.seen(
            device.id, 6.0, synced={one: Synced(4.0, SequenceNumber(6)), other: Synced(6.0, SequenceNumber(1))}
        )
        stored = (await store.by_token_hashes([token]))[token]
        assert stored.client == "client/1"
        assert stored.synced == {one: Synced(5.0, SequenceNumber(7)), other: Synced(6.0, SequenceNumber(1))}

    async def test_a_device_that_gets_another_token_keeps_everything_else(
        self, store: DeviceStore, audit: AuditLog
    ) -> None:
        device, old, new = _device(), "hash-" + uuid.uuid4().hex, "hash-" + uuid.uuid4().hex
        owner = device.owner or UserId("")
        await store.add(device, old, ADDED)
        rotated = AuditEntry(AuditAct.DEVICE_ROTATED, 3.0, "operator")
        assert await store.rotate(device.id, new, rotated, owner=UserId("somebody-else")) is None
        assert await store.rotate(device.id, new, rotated, owner=owner, space=SpaceId("another")) is None
        assert await store.by_token_hashes([old, new]) == {old: device}
        assert await store.rotate(device.id, new, rotated, owner=owner) == device
        assert await store.by_token_hashes([old, new]) == {new: device}
        assert await store.revoke(device.id, REVOKED) == device
        assert await store.rotate(device.id, old, rotated, owner=owner) is None, "it was revoked"
        acts = [(entry.act, entry.device) for entry in await audit.read(user=owner)]
        assert acts == [(AuditAct.DEVICE_ROTATED, device.id), (AuditAct.DEVICE_REVOKED, device.id)]

    async def test_the_audit_log_says_whose_device_was_revoked_and_from_where(
        self, store: DeviceStore, audit: AuditLog
    ) -> None:
        device = _device()
        await store.add(device, f"hash-{device.id}", ADDED)
        assert await store.revoke(device.id, REVOKED) == device
        [entry] = await audit.read(space=device.space)
        assert (entry.act, entry.user, entry.device) == (AuditAct.DEVICE_REVOKED, device.owner, device.id)
        assert (entry.by, entry.address, entry.at) == ("operator", "192.0.2.1", 2.0)
