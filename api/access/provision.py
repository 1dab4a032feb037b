"""Users and spaces that an operator names: made when they are named for the first time."""

from __future__ import annotations

import time
from dataclasses import dataclass

from api.authentication.auth import Devices
from shared.core.access.audit import AuditAct, Origin
from shared.core.access.people import User, legacy_user_id
from shared.core.access.roles import Membership, Role, SpaceProfile
from shared.core.documents import Device, SpaceId, UserName
from shared.ports.access import AccessStores


@dataclass(frozen=True, slots=True)
class Provision:
    """What an operator's `token create` needs."""

    stores: AccessStores
    devices: Devices

    async def device(
        self, *, user: UserName, name: str, space: SpaceId, origin: Origin, shared: bool = False
    ) -> tuple[Device, str]:
        """A device of that user for that space, and its token. Both are made if there are none; a user who is no
        member of the space becomes its owner if it is new, otherwise an editor."""
        owner = await self.user(user, origin)
        await self._member(owner, space, origin)
        return await self.devices.create(owner, name=name, space=space, origin=origin, shared=shared)

    async def user(self, name: UserName, origin: Origin) -> User:
        """The user of that name, made without a password if there is none. Several who make one make the same."""
        while (known := await self.stores.users.by_login(name)) is None:
            now = time.time()
            user = User(legacy_user_id(name), name, now)
            await self.stores.users.add(user, None, origin.entry(AuditAct.USER_ADDED, now, user=user.id))
        return known[0]

    async def _member(self, user: User, space: SpaceId, origin: Origin) -> None:
        now = time.time()
        if (space, user.id) in await self.stores.members.access([(space, user.id)]):
            return
        if space not in await self.stores.spaces.by_ids([space]):
            entry = origin.entry(AuditAct.SPACE_ADDED, now, space=space, user=user.id)
            if await self.stores.spaces.add(SpaceProfile(space, space, now), user.id, entry):
                return
        member = Membership(space, user.id, Role.EDITOR, now)
        entry = origin.entry(AuditAct.MEMBER_ADDED, now, space=space, user=user.id, role=member.role.value)
        await self.stores.members.add(member, entry)
