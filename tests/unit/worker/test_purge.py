"""What the worker removes when a grace period has ended."""

from __future__ import annotations

from shared.adapters.memory.access_secrets import access_stores
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.core.access.audit import BY_OPERATOR, SERVER, AuditAct
from shared.core.access.people import User
from shared.core.access.roles import Membership, Role, SpaceProfile
from shared.core.documents import SpaceId, UserId, UserName
from worker.tasks.purge import Purger

ENTRY = BY_OPERATOR.entry(AuditAct.USER_ADDED, 1.0)
NAMES = ("leaving", "editor", "reader")
ALONE, SHARED, OTHER = SpaceId("alone"), SpaceId("shared"), SpaceId("other")


async def test_who_left_is_removed_with_his_spaces_and_shared_ones_go_on() -> None:
    stores, documents = access_stores(), MemoryDocumentStore()
    leaving, editor, reader = (UserId(f"u-{name}") for name in NAMES)
    for name in NAMES:
        await stores.users.add(User(UserId(f"u-{name}"), UserName(name), 1.0), None, ENTRY)
    for space, owner in ((ALONE, leaving), (SHARED, leaving), (OTHER, editor)):
        await stores.spaces.add(SpaceProfile(space, space, 1.0), owner, ENTRY)
    await documents.lineages([ALONE, SHARED, OTHER])
    for user, role in ((reader, Role.READER), (editor, Role.EDITOR)):
        await stores.members.add(Membership(SHARED, user, role, 2.0), ENTRY)
    await stores.members.add(Membership(OTHER, leaving, Role.EDITOR, 2.0), ENTRY)
    await stores.users.set_delete_at(leaving, 100.0, ENTRY)
    purger = Purger(stores, documents)

    await purger.run(99.0)
    assert len(await stores.members.of_user(leaving)) == 3
    assert set(await documents.spaces()) == {ALONE, SHARED, OTHER}

    for now in (100.0, 101.0):
        await purger.run(now)
    assert set(await documents.spaces()) == {SHARED, OTHER}
    assert await stores.users.by_ids([leaving]) == {}
    assert await stores.spaces.by_ids([ALONE]) == {}
    roles = {member.user: member.role for member in await stores.members.of_space(SHARED)}
    assert roles == {editor: Role.OWNER, reader: Role.READER}
    assert [member.user for member in await stores.members.of_space(OTHER)] == [editor]
    acts = {entry.act for entry in await stores.audit.read() if entry.by == SERVER}
    assert acts == {
        AuditAct.SPACE_DELETED,
        AuditAct.SPACE_REMOVED,
        AuditAct.SPACE_TRANSFERRED,
        AuditAct.USER_REMOVED,
    }


async def test_a_deleted_space_is_removed_when_its_time_has_come() -> None:
    stores, documents = access_stores(), MemoryDocumentStore()
    await stores.users.add(User(UserId("u"), UserName("u"), 1.0), None, ENTRY)
    await stores.spaces.add(SpaceProfile(ALONE, "a", 1.0), UserId("u"), ENTRY)
    await documents.lineages([ALONE])
    await stores.spaces.set_delete_at(ALONE, 50.0, ENTRY)
    purger = Purger(stores, documents)
    await purger.run(49.0)
    assert await documents.spaces() == [ALONE]
    await purger.run(50.0)
    assert await documents.spaces() == [] and await stores.members.of_user(UserId("u")) == []
