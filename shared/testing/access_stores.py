"""What the stores of people, spaces, members, invitations and sessions promise. A test class of an adapter inherits
these and has a fixture `stores`, whose database may hold what others have stored."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from shared.core.access.audit import AuditAct
from shared.core.access.invitations import Invitation
from shared.core.access.people import AccountState, User
from shared.core.access.roles import Access, Membership, Role, SpaceProfile, SpaceState
from shared.core.access.sessions import WebSession, WebSessionId
from shared.core.documents import Device, DeviceId, SpaceId, UserId, UserName
from shared.ports.access import AcceptFailure, AccessStores, Taken, TransferFailure
from shared.testing.access_samples import ACCEPTED, new_entry, new_id, new_invitation, new_member, new_space, new_user
from shared.testing.session_stores import AuditLogContract, SessionStoreContract


class UserStoreContract:
    async def test_a_user_is_found_as_it_was_added_however_its_name_is_spelt(self, stores: AccessStores) -> None:
        user = await new_user(stores, email=f"{new_id('A')}@Example.org", password="hash")  # noqa: S106
        assert await stores.users.by_ids([user.id, UserId("u-nobody")]) == {user.id: user}
        assert user.email is not None
        for login in (user.name, user.name.upper(), user.email, user.email.lower()):
            assert await stores.users.by_login(login) == (user, "hash")
        assert await stores.users.by_login(new_id("nobody ")) is None
        assert await stores.users.password_hash(user.id) == "hash"

    async def test_names_and_addresses_are_unique(self, stores: AccessStores) -> None:
        one, other = await new_user(stores, email=f"{new_id('a')}@example.org"), await new_user(stores)
        assert one.email is not None
        same = replace(other, id=UserId(new_id("u")), name=UserName(one.name.upper()))
        assert await stores.users.add(same, None, new_entry()) is Taken.NAME
        same = replace(same, name=UserName(new_id("n")), email=one.email.upper())
        assert await stores.users.add(same, None, new_entry()) is Taken.EMAIL
        assert same.id not in await stores.users.by_ids([same.id])
        assert await stores.users.rename(other.id, UserName(one.name.upper()), new_entry()) is Taken.NAME
        assert await stores.users.set_email(other.id, one.email, new_entry()) is Taken.EMAIL
        assert await stores.users.by_ids([other.id]) == {other.id: other}
        assert await stores.users.set_email(one.id, None, new_entry()) is None
        assert await stores.users.set_email(other.id, one.email, new_entry()) is None
        assert await stores.users.rename(other.id, UserName(other.name.upper()), new_entry()) is None, "their own"

    async def test_of_several_who_take_a_name_one_gets_it(self, stores: AccessStores) -> None:
        name = UserName(new_id("n"))
        users = [User(UserId(new_id("u")), name, 1.0) for _ in range(5)]
        failures = await asyncio.gather(*(stores.users.add(user, None, new_entry()) for user in users))
        assert sorted(map(str, failures)) == ["None", *["name"] * 4]

    async def test_what_changes_of_a_user(self, stores: AccessStores) -> None:
        user = await new_user(stores)
        assert await stores.users.set_password(user.id, "new", new_entry())
        assert await stores.users.set_administrator(user.id, True, new_entry())
        assert not await stores.users.set_administrator(user.id, True, new_entry()), "they are one"
        assert await stores.users.set_disabled(user.id, 4.0, new_entry())
        assert not await stores.users.set_disabled(user.id, 5.0, new_entry()), "they are"
        assert await stores.users.set_overrides(user.id, {"spaces_per_user": 3}, new_entry())
        await stores.users.exported(user.id, 6.0)
        await stores.users.exported(user.id, 5.0)
        changed = replace(
            user,
            has_password=True,
            administrator=True,
            disabled_at=4.0,
            overrides={"spaces_per_user": 3},
            exported_at=6.0,
        )
        assert await stores.users.by_ids([user.id]) == {user.id: changed}
        assert changed.state is AccountState.DISABLED
        assert await stores.users.set_disabled(user.id, None, new_entry())
        assert await stores.users.set_administrator(user.id, False, new_entry())
        assert not await stores.users.set_disabled(UserId("u-nobody"), 1.0, new_entry())
        assert not await stores.users.set_password(UserId("u-nobody"), "x", new_entry())

    async def test_a_user_with_a_space_and_an_invitation_is_added_whole_or_not_at_all(
        self, stores: AccessStores
    ) -> None:
        shared = await new_space(stores, await new_user(stores))
        _, secret = await new_invitation(stores, shared.id, Role.READER)
        user = User(UserId(new_id("u")), UserName(new_id("n")), 9.0)
        first = SpaceProfile(SpaceId(new_id("s")), "First", 9.0)
        assert await stores.users.add(user, None, new_entry(), space=first, invitation=secret) is None
        roles = {member.space: member.role for member in await stores.members.of_user(user.id)}
        assert roles == {first.id: Role.OWNER, shared.id: Role.READER}
        again = replace(user, id=UserId(new_id("u")), name=UserName(new_id("n")))
        other = replace(first, id=SpaceId(new_id("s")))
        failure = await stores.users.add(again, None, new_entry(), space=other, invitation=secret)
        assert failure is AcceptFailure.GONE
        assert await stores.users.by_ids([again.id]) == {}
        assert await stores.spaces.by_ids([other.id]) == {}
        assert await stores.audit.read(user=again.id) == []

    async def test_users_are_searched_by_name_and_address_in_pages(self, stores: AccessStores) -> None:
        mark = new_id("q")
        users = [User(UserId(new_id("u")), UserName(f"{mark} {number}"), 1.0) for number in range(2)]
        users.append(User(UserId(new_id("u")), UserName(new_id("n")), 1.0, f"{mark}.x@example.org"))
        for user in users:
            await stores.users.add(user, None, new_entry())
        order = sorted(users, key=lambda user: user.id)
        assert await stores.users.search(mark.upper(), "", 9) == order
        assert await stores.users.search(mark, order[0].id, 1) == [order[1]]
        assert await stores.users.search(mark + ".x@", "", 9) == [users[2]]
        assert await stores.users.search(mark[:-1] + ".*", "", 9) == [], "it is text, not a pattern"

    async def test_a_user_is_removed_when_the_grace_period_has_ended_and_no_sooner(
        self, stores: AccessStores
    ) -> None:
        user = await new_user(stores)
        space = await new_space(stores, await new_user(stores))
        await stores.members.add(Membership(space.id, user.id, Role.EDITOR, 3.0), new_entry())
        await stores.sessions.add(
            WebSession(WebSessionId(new_id("w")), user.id, 1.0, 9.0, 1.0), new_id("t"), new_entry()
        )
        token = new_id("t")
        device = Device(DeviceId(new_id("d")), user.name, "d", space.id, 1.0, owner=user.id)
        await stores.devices.add(device, token, new_entry())
        assert not await stores.users.remove(user.id, 1e12, new_entry()), "they were not deleted"
        assert await stores.users.set_delete_at(user.id, 50.0, new_entry())
        assert not await stores.users.set_delete_at(user.id, 60.0, new_entry()), "they were before"
        assert not await stores.users.remove(user.id, 49.0, new_entry())
        assert user.id not in await stores.users.due(49.0, 10_000)
        assert user.id in await stores.users.due(50.0, 10_000)
        assert await stores.users.remove(user.id, 50.0, new_entry(AuditAct.USER_REMOVED))
        assert await stores.users.by_ids([user.id]) == {}
        assert await stores.members.of_user(user.id) == []
        assert await stores.sessions.list_of(user.id) == []
        assert await stores.devices.by_token_hashes([token]) == {}

    async def test_a_user_who_owns_a_space_is_not_removed(self, stores: AccessStores) -> None:
        user = await new_user(stores)
        space = await new_space(stores, user)
        await stores.users.set_delete_at(user.id, 50.0, new_entry())
        assert not await stores.users.remove(user.id, 50.0, new_entry())
        assert await stores.users.set_delete_at(user.id, None, new_entry())
        assert (await stores.members.of_space(space.id))[0].user == user.id
        assert (await stores.users.by_ids([user.id]))[user.id].state is AccountState.ACTIVE


class SpaceStoreContract:
    async def test_a_space_is_added_with_its_owner(self, stores: AccessStores) -> None:
        user = await new_user(stores)
        space = await new_space(stores, user)
        assert await stores.spaces.by_ids([space.id, SpaceId("s-none")]) == {space.id: space}
        assert await stores.members.of_space(space.id) == [Membership(space.id, user.id, Role.OWNER, 2.0)]
        other = await new_user(stores)
        assert not await stores.spaces.add(space, other.id, new_entry()), "its id is taken"
        assert await stores.members.of_user(other.id) == []

    async def test_what_changes_of_a_space(self, stores: AccessStores) -> None:
        user = await new_user(stores)
        space = await new_space(stores, user)
        assert await stores.spaces.rename(space.id, "New", new_entry())
        assert not await stores.spaces.rename(space.id, "New", new_entry()), "it is called so"
        assert await stores.spaces.set_archived(space.id, 3.0, new_entry())
        assert not await stores.spaces.set_archived(space.id, 4.0, new_entry()), "it is"
        assert await stores.spaces.set_overrides(space.id, {"space_documents": 9}, new_entry())
        changed = replace(space, name="New", archived_at=3.0, overrides={"space_documents": 9})
        assert await stores.spaces.by_ids([space.id]) == {space.id: changed}
        assert await stores.spaces.search(space.id.upper(), "", 9) == [changed]
        pair = space.id, user.id
        assert await stores.members.access([pair]) == {pair: Access(Role.OWNER, SpaceState.ARCHIVED)}
        assert await stores.spaces.set_archived(space.id, None, new_entry())
        assert await stores.spaces.set_delete_at(space.id, 50.0, new_entry())
        assert await stores.members.access([pair]) == {pair: Access(Role.OWNER, SpaceState.DELETED)}
        assert not await stores.spaces.rename(SpaceId("s-none"), "New", new_entry())

    async def test_a_space_is_removed_when_the_grace_period_has_ended_and_no_sooner(
        self, stores: AccessStores
    ) -> None:
        user = await new_user(stores)
        space, other = await new_space(stores, user), await new_space(stores, user)
        _, secret = await new_invitation(stores, space.id, Role.EDITOR)
        assert not await stores.spaces.remove(space.id, 1e12, new_entry()), "it was not deleted"
        await stores.spaces.set_delete_at(space.id, 50.0, new_entry())
        assert not await stores.spaces.remove(space.id, 49.0, new_entry())
        assert space.id in await stores.spaces.due(50.0, 10_000)
        assert other.id not in await stores.spaces.due(50.0, 10_000)
        assert await stores.spaces.remove(space.id, 50.0, new_entry(AuditAct.SPACE_REMOVED))
        assert await stores.spaces.by_ids([space.id, other.id]) == {other.id: other}
        assert [member.space for member in await stores.members.of_user(user.id)] == [other.id]
        assert await stores.invitations.by_secret(secret) is None


class MembershipStoreContract:
    async def test_who_is_what_where(self, stores: AccessStores) -> None:
        owner = await new_user(stores)
        space = await new_space(stores, owner)
        editor, reader = (
            await new_member(stores, space, Role.EDITOR, 5.0),
            await new_member(stores, space, Role.READER, 4.0),
        )
        stranger = await new_user(stores)
        pairs = [(space.id, user.id) for user in (owner, editor, reader, stranger)]
        asked = [*pairs, (SpaceId("s-none"), owner.id)]
        assert await stores.members.access(asked) == dict(
            zip(pairs, map(Access, (Role.OWNER, Role.EDITOR, Role.READER)), strict=False)
        )
        assert await stores.members.access([]) == {}
        order = [member.user for member in await stores.members.of_space(space.id)]
        assert order == [owner.id, reader.id, editor.id]
        assert not await stores.members.add(Membership(space.id, reader.id, Role.EDITOR, 9.0), new_entry())
        await stores.users.set_disabled(editor.id, 7.0, new_entry())
        assert (await stores.members.access(pairs))[pairs[1]].account is AccountState.DISABLED

    async def test_roles_change_but_the_owners_does_not(self, stores: AccessStores) -> None:
        owner = await new_user(stores)
        space = await new_space(stores, owner)
        user = await new_member(stores, space, Role.READER)
        assert await stores.members.set_role(space.id, user.id, Role.EDITOR, new_entry())
        assert not await stores.members.set_role(space.id, user.id, Role.EDITOR, new_entry()), "they are"
        assert not await stores.members.set_role(space.id, owner.id, Role.READER, new_entry())
        assert not await stores.members.remove(space.id, owner.id, new_entry())
        assert await stores.members.remove(space.id, user.id, new_entry())
        assert not await stores.members.remove(space.id, user.id, new_entry()), "they were before"
        assert not await stores.members.set_role(space.id, user.id, Role.READER, new_entry())
        assert [member.user for member in await stores.members.of_space(space.id)] == [owner.id]

    async def test_a_space_is_handed_over_and_has_one_owner(self, stores: AccessStores) -> None:
        owner, stranger = await new_user(stores), await new_user(stores)
        space = await new_space(stores, owner)
        others = [await new_member(stores, space, Role.READER) for _ in range(3)]
        transferred = new_entry(AuditAct.SPACE_TRANSFERRED)
        no_member = TransferFailure.NO_MEMBER
        assert await stores.members.transfer(space.id, owner.id, stranger.id, transferred) is no_member
        assert await stores.members.transfer(space.id, others[0].id, others[1].id, transferred) is no_member
        outcomes = await asyncio.gather(
            *(stores.members.transfer(space.id, owner.id, other.id, transferred) for other in others)
        )
        assert (outcomes.count(no_member), outcomes.count(None)) == (2, 1)
        roles = {member.user: member.role for member in await stores.members.of_space(space.id)}
        assert roles[owner.id] is Role.EDITOR
        assert [user for user, role in roles.items() if role is Role.OWNER] == [others[outcomes.index(None)].id]

    async def test_no_one_is_handed_more_spaces_than_he_may_own(self, stores: AccessStores) -> None:
        """Whoever else hands them one at the same time."""
        owners, user = [await new_user(stores) for _ in range(4)], await new_user(stores)
        spaces = [await new_space(stores, owner) for owner in owners]
        for space in spaces:
            await stores.members.add(Membership(space.id, user.id, Role.READER, 2.0), new_entry())
        transfers = (
            stores.members.transfer(space.id, owner.id, user.id, new_entry(), most=2)
            for space, owner in zip(spaces, owners, strict=True)
        )
        outcomes = await asyncio.gather(*transfers)
        assert (outcomes.count(None), outcomes.count(TransferFailure.FULL)) == (2, 2)
        held = [member.role for member in await stores.members.of_user(user.id)]
        assert (held.count(Role.OWNER), held.count(Role.READER)) == (2, 2)


class InvitationStoreContract:
    async def test_an_invitation_works_once(self, stores: AccessStores) -> None:
        space = await new_space(stores, await new_user(stores))
        invitation, secret = await new_invitation(stores, space.id, Role.EDITOR)
        assert await stores.invitations.by_secret(secret) == invitation
        assert await stores.invitations.list_of(space.id) == [invitation]
        users = [await new_user(stores) for _ in range(4)]
        accepts = (stores.invitations.accept(secret, user.id, 9.0, ACCEPTED) for user in users)
        outcomes = await asyncio.gather(*accepts)
        [used] = [one for one in outcomes if isinstance(one, Invitation)]
        assert outcomes.count(AcceptFailure.GONE) == 3
        assert used == replace(invitation, used_at=9.0, used_by=used.used_by)
        assert await stores.invitations.list_of(space.id) == []
        [member] = [one for one in await stores.members.of_space(space.id) if one.role is Role.EDITOR]
        assert (member.user, member.joined_at) == (used.used_by, 9.0)
        assert await stores.invitations.accept(secret, member.user, 10.0, ACCEPTED) == used, "it may be repeated"

    async def test_what_is_gone_makes_nobody_a_member(self, stores: AccessStores) -> None:
        space, user = await new_space(stores, await new_user(stores)), await new_user(stores)
        revoked, secret = await new_invitation(stores, space.id, Role.EDITOR)
        assert not await stores.invitations.revoke(revoked.id, SpaceId("s-none"), 6.0, new_entry()), "it is another's"
        assert not await stores.invitations.revoke(revoked.id, None, 6.0, new_entry())
        assert await stores.invitations.revoke(revoked.id, space.id, 6.0, new_entry())
        assert not await stores.invitations.revoke(revoked.id, space.id, 7.0, new_entry()), "it was before"
        _, late = await new_invitation(stores, space.id, Role.EDITOR)
        for asked, at in ((secret, 9.0), (late, 100.0), ("hash-nobody", 9.0)):
            assert await stores.invitations.accept(asked, user.id, at, ACCEPTED) is AcceptFailure.GONE
        await stores.spaces.set_delete_at(space.id, 50.0, new_entry())
        assert await stores.invitations.accept(late, user.id, 9.0, ACCEPTED) is AcceptFailure.GONE
        assert await stores.members.of_user(user.id) == []

    async def test_who_is_a_member_uses_no_invitation_up(self, stores: AccessStores) -> None:
        owner = await new_user(stores)
        space = await new_space(stores, owner)
        _, secret = await new_invitation(stores, space.id, Role.READER)
        assert await stores.invitations.accept(secret, owner.id, 9.0, ACCEPTED) is AcceptFailure.ALREADY_MEMBER
        other = await new_user(stores)
        assert isinstance(await stores.invitations.accept(secret, other.id, 9.0, ACCEPTED), Invitation)

    async def test_an_invitation_to_the_server_is_listed_apart(self, stores: AccessStores) -> None:
        invitation, secret = await new_invitation(stores, None)
        assert invitation in await stores.invitations.list_of(None)
        user = await new_user(stores)
        used = await stores.invitations.accept(secret, user.id, 9.0, ACCEPTED)
        assert isinstance(used, Invitation) and used.used_by == user.id
        assert await stores.members.of_user(user.id) == []


class AccessStoresContract(
    UserStoreContract,
    SpaceStoreContract,
    MembershipStoreContract,
    InvitationStoreContract,
    SessionStoreContract,
    AuditLogContract,
):
    """All of them: they share a database."""
