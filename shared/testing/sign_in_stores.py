"""What the stores of device grants, identities and sign-ins under way promise. A test class of an adapter inherits
these and has a fixture `stores`, whose database may hold what others have stored."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from dataclasses import replace

from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.access.device_grants import CODE_ALPHABET, Approval, DeviceGrant, GrantDecision, UserCode, poll
from shared.core.access.device_grants import Poll as Answer
from shared.core.access.groups import Identity
from shared.core.access.people import User
from shared.core.access.roles import Role
from shared.core.access.sessions import ProviderFlow
from shared.core.documents import SpaceId, UserId, UserName
from shared.ports.access import AccessStores
from shared.ports.sign_in import GrantFailure

NOW = time.time()
APPROVAL = Approval(UserId("u1"), "Laptop", SpaceId("s1"), "session w1")


def _new() -> tuple[DeviceGrant, str]:
    code = UserCode("".join(secrets.choice(CODE_ALPHABET) for _ in range(8)))
    return DeviceGrant(code, "laptop", NOW, NOW + 100, f"address {uuid.uuid4().hex}", salt="s"), uuid.uuid4().hex


async def _added(stores: AccessStores) -> tuple[DeviceGrant, str]:
    grant, secret = _new()
    assert await stores.grants.add(grant, secret, most=9) is None
    return grant, secret


class SignInStoresContract:
    async def test_a_grant_is_approved_and_used_once(self, stores: AccessStores) -> None:
        grant, secret = await _added(stores)
        code = grant.user_code
        assert await stores.grants.waiting(code, NOW) == grant
        assert await stores.grants.use(secret, NOW) is None, "nobody has approved it"
        assert await stores.grants.decide(code, NOW, APPROVAL)
        assert not await stores.grants.decide(code, NOW, None), "it is decided"
        assert await stores.grants.waiting(code, NOW) is None
        used = replace(grant, decision=GrantDecision.APPROVED, approval=APPROVAL, used_at=NOW + 1)
        grants = await asyncio.gather(*(stores.grants.use(secret, NOW + 1) for _ in range(4)))
        assert [one for one in grants if one is not None] == [used]
        assert poll(await stores.grants.poll(secret, NOW + 2), NOW + 2) is Answer.APPROVED, "it may be repeated"
        assert poll(await stores.grants.poll(secret, NOW + 61), NOW + 61) is Answer.EXPIRED

    async def test_a_grant_that_was_denied_is_of_no_use(self, stores: AccessStores) -> None:
        grant, secret = await _added(stores)
        assert await stores.grants.decide(grant.user_code, NOW, None)
        assert await stores.grants.use(secret, NOW) is None
        assert poll(await stores.grants.poll(secret, NOW), NOW) is Answer.DENIED

    async def test_nothing_is_decided_or_used_after_its_time(self, stores: AccessStores) -> None:
        grant, secret = await _added(stores)
        assert await stores.grants.waiting(grant.user_code, grant.expires_at) is None
        assert not await stores.grants.decide(grant.user_code, grant.expires_at, APPROVAL)
        assert await stores.grants.decide(grant.user_code, grant.expires_at - 1, APPROVAL)
        assert await stores.grants.use(secret, grant.expires_at) is None

    async def test_whoever_asks_too_often_is_slowed_down(self, stores: AccessStores) -> None:
        grant, secret = await _added(stores)
        times = (0.0, 2.0, 3.0, 10.0, 10.1, 22.0)
        polls = [await stores.grants.poll(secret, NOW + at) for at in times]
        answers = [poll(one, NOW + at) for one, at in zip(polls, times, strict=True)]
        pending, slow = Answer.PENDING, Answer.SLOW_DOWN
        assert answers == [pending, pending, slow, pending, slow, pending]
        assert [None if one is None else one.interval for one in polls] == [2.0, 2.0, 2.0, 7.0, 7.0, 12.0]
        assert await stores.grants.poll("unknown", NOW) is None
        assert await stores.grants.waiting(grant.user_code, NOW) is not None

    async def test_codes_are_unique_and_an_address_has_a_share(self, stores: AccessStores) -> None:
        grant, _ = await _added(stores)
        other, secret = _new()
        taken = replace(other, user_code=grant.user_code)
        assert await stores.grants.add(taken, secret, most=9) is GrantFailure.CODE_TAKEN
        again = replace(taken, created_at=grant.expires_at, expires_at=grant.expires_at + 100)
        assert await stores.grants.add(again, secret, most=9) is None, "the other one has expired"
        more = _new()[0]
        later = replace(_new()[0], address=more.address)
        assert await stores.grants.add(more, uuid.uuid4().hex, most=1) is None
        assert await stores.grants.add(later, uuid.uuid4().hex, most=1) is GrantFailure.TOO_MANY
        await stores.grants.decide(more.user_code, NOW, None)
        assert await stores.grants.add(later, uuid.uuid4().hex, most=1) is None

    async def test_an_identity_belongs_to_one_account(self, stores: AccessStores) -> None:
        subject = uuid.uuid4().hex
        users = [UserId("u" + uuid.uuid4().hex) for _ in range(4)]
        wanted = [Identity("https://a.example", subject, user) for user in users]
        entries = [BY_OPERATOR.entry(AuditAct.USER_LINKED, NOW, user=user) for user in users]
        added = await asyncio.gather(*map(stores.identities.add, wanted, entries))
        assert len(set(added)) == 1
        [known] = set(added)
        assert await stores.identities.by_subject("https://a.example", subject) == known
        assert await stores.identities.of_user(known.user) == [known]
        logged = [entry for user in users for entry in await stores.audit.read(user=user)]
        assert [entry.user for entry in logged] == [known.user]
        assert await stores.identities.by_subject("https://b.example", subject) is None
        other = Identity("https://b.example", subject, users[0])
        assert await stores.identities.add(other, None) == other

    async def test_what_groups_have_given_is_kept(self, stores: AccessStores) -> None:
        identity = Identity("https://a.example", uuid.uuid4().hex, UserId("u" + uuid.uuid4().hex))
        await stores.identities.add(identity, None)
        for granted in ({SpaceId("s-1"): Role.EDITOR, SpaceId("s-2"): Role.READER}, {}):
            await stores.identities.set_granted(identity.issuer, identity.subject, granted)
            known = await stores.identities.by_subject(identity.issuer, identity.subject)
            assert known == replace(identity, granted=granted) and known.granted == granted

    async def test_an_identity_goes_with_its_user(self, stores: AccessStores) -> None:
        user = User(UserId("u" + uuid.uuid4().hex), UserName(uuid.uuid4().hex), 1.0)
        await stores.users.add(user, None, BY_OPERATOR.entry(AuditAct.USER_ADDED, 1.0))
        await stores.identities.add(Identity("https://a.example", user.name, user.id), None)
        await stores.users.set_delete_at(user.id, 5.0, BY_OPERATOR.entry(AuditAct.USER_DELETED, 2.0))
        assert await stores.users.remove(user.id, 5.0, BY_OPERATOR.entry(AuditAct.USER_REMOVED, 5.0))
        assert await stores.identities.of_user(user.id) == []

    async def test_a_sign_in_under_way_is_ended_once_and_in_time(self, stores: AccessStores) -> None:
        flow = ProviderFlow("nonce", "verifier", "browser", "/account", NOW + 100, UserId("u1"))
        late = replace(flow, user=None)
        states = [uuid.uuid4().hex for _ in range(2)]
        for one, state in zip((flow, late), states, strict=True):
            await stores.flows.add(one, state)
        assert await stores.flows.take(states[1], NOW + 100) is None
        flows = await asyncio.gather(*(stores.flows.take(states[0], NOW + 99) for _ in range(4)))
        assert [one for one in flows if one is not None] == [flow]
        assert await stores.flows.take("unknown", NOW) is None
