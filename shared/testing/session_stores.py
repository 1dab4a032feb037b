"""What the stores of sessions and of what was done promise: a part of `AccessStoresContract`."""

from __future__ import annotations

from dataclasses import replace

from shared.core.access.audit import BY_OPERATOR, AuditAct, Origin
from shared.core.access.roles import Role
from shared.core.access.sessions import Failures, WebSession, WebSessionId
from shared.core.documents import DeviceId, SpaceId, UserId
from shared.ports.access import AccessStores
from shared.testing.access_samples import ACCEPTED, new_entry, new_id, new_invitation, new_member, new_space, new_user


class SessionStoreContract:
    async def test_a_session_is_found_by_its_token_until_it_ends(self, stores: AccessStores) -> None:
        user, stranger = await new_user(stores), await new_user(stores)
        tokens = [new_id("t") for _ in range(3)]
        sessions = [
            WebSession(WebSessionId(new_id("w")), user.id, float(at), 90.0, float(at), "192.0.2.1", "browser")
            for at in range(3)
        ]
        for session, token in zip(sessions, tokens, strict=True):
            await stores.sessions.add(session, token, new_entry(AuditAct.SESSION_BEGUN))
        assert await stores.sessions.by_token_hash(tokens[0]) == sessions[0]
        assert await stores.sessions.list_of(user.id) == sessions
        await stores.sessions.seen(sessions[0].id, 5.0)
        await stores.sessions.seen(sessions[0].id, 4.0)
        assert await stores.sessions.by_token_hash(tokens[0]) == replace(sessions[0], last_seen=5.0)
        ended = new_entry(AuditAct.SESSION_ENDED)
        assert not await stores.sessions.end(sessions[0].id, stranger.id, ended)
        assert await stores.sessions.end(sessions[0].id, user.id, ended)
        assert await stores.sessions.by_token_hash(tokens[0]) is None
        assert await stores.sessions.end_all(user.id, ended, keep=sessions[2].id) == 1
        assert await stores.sessions.list_of(user.id) == [sessions[2]]
        assert await stores.sessions.end_all(user.id, ended) == 1

    async def test_expired_sessions_are_forgotten(self, stores: AccessStores) -> None:
        user = await new_user(stores)
        for at in (10.0, 20.0):
            session = WebSession(WebSessionId(new_id("w")), user.id, 1.0, at, 1.0)
            await stores.sessions.add(session, new_id("t"), new_entry())
        assert await stores.sessions.forget(10.0) >= 1
        assert [session.expires_at for session in await stores.sessions.list_of(user.id)] == [20.0]

    async def test_wrong_passwords_are_counted_by_key(self, stores: AccessStores) -> None:
        one, other = new_id("k"), new_id("k")
        await stores.failures.add([one, other], 5e9)
        await stores.failures.add([one], 4e9)
        assert await stores.failures.read([one, other, "nobody"]) == {one: Failures(2, 5e9), other: Failures(1, 5e9)}
        await stores.failures.forget([one])
        assert await stores.failures.read([one]) == {}


class AuditLogContract:
    async def test_the_newest_rows_come_first_and_are_found_by_space_and_user(self, stores: AccessStores) -> None:
        actor, other, space = UserId(new_id("u")), UserId(new_id("u")), SpaceId(new_id("s"))
        origin = Origin("session w1", actor, "2001:db8::1")
        rows = [
            origin.entry(AuditAct.SPACE_ADDED, 1.0, space=space),
            origin.entry(AuditAct.MEMBER_ADDED, 2.0, space=space, user=other, role="reader"),
            origin.entry(AuditAct.DEVICE_REVOKED, 3.0, device=DeviceId("d1"), every_space=True),
        ]
        for row in rows:
            await stores.audit.append(row)
        assert await stores.audit.read(user=actor) == rows[::-1]
        assert await stores.audit.read(user=other) == [rows[1]]
        assert await stores.audit.read(space=space) == [rows[1], rows[0]]
        assert await stores.audit.read(user=actor, before=3.0, most=1) == [rows[1]]

    async def test_a_change_has_its_row_and_what_changes_nothing_has_none(self, stores: AccessStores) -> None:
        owner = await new_user(stores)
        space = await new_space(stores, owner)
        user = await new_member(stores, space, Role.READER)
        role = BY_OPERATOR.entry(AuditAct.MEMBER_ROLE_CHANGED, 4.0, space=space.id, user=user.id, role="editor")
        for _ in range(3):
            await stores.members.set_role(space.id, user.id, Role.EDITOR, role)
        await stores.members.set_role(space.id, owner.id, Role.EDITOR, role)
        await stores.members.transfer(space.id, user.id, owner.id, role)
        assert await stores.audit.read(space=space.id) == [role]

    async def test_an_acceptance_says_who_came_and_as_what(self, stores: AccessStores) -> None:
        space, user = await new_space(stores, await new_user(stores)), await new_user(stores)
        invitation, secret = await new_invitation(stores, space.id, Role.READER)
        await stores.invitations.accept(secret, user.id, 9.0, ACCEPTED)
        [row] = await stores.audit.read(space=space.id)
        assert (row.act, row.user, row.at) == (AuditAct.INVITATION_ACCEPTED, user.id, 9.0)
        assert row.details == {"invitation": invitation.id, "role": "reader"}
