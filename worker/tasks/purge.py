"""Removing accounts and spaces whose grace period has ended, and sessions that have expired."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from shared.core.access.audit import BY_SERVER, AuditAct
from shared.core.access.roles import Membership, Role
from shared.core.documents import SpaceId, UserId
from shared.observability import event
from shared.ports import DocumentStore
from shared.ports.access import AccessStores

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 100


async def purge_all(ctx: dict[Any, Any]) -> None:
    """Part of the hourly job. Each step can be repeated: interrupted, it goes on next time."""
    await ctx["purger"].run(time.time())


class Purger:
    """Removes what was deleted long enough ago."""

    def __init__(self, stores: AccessStores, documents: DocumentStore) -> None:
        self._stores = stores
        self._documents = documents

    async def run(self, now: float) -> None:
        for user in await self._stores.users.due(now, _AT_ONCE):
            await self._empty(user, now)
        for space in await self._stores.spaces.due(now, _AT_ONCE):
            await self._remove_space(space, now)
        for user in await self._stores.users.due(now, _AT_ONCE):
            entry = BY_SERVER.entry(AuditAct.USER_REMOVED, now, user=user)
            if await self._stores.users.remove(user, now, entry):
                event(logger, logging.INFO, "user_removed", user=user)
        await self._stores.sessions.forget(now)

    async def _empty(self, user: UserId, now: float) -> None:
        """Their spaces go with them; one that somebody has come into meanwhile goes on as that member's."""
        for member in await self._stores.members.of_user(user):
            if member.role is not Role.OWNER:
                continue
            heir = await self._heir(member)
            if heir is None:
                entry = BY_SERVER.entry(AuditAct.SPACE_DELETED, now, space=member.space, delete_at=now)
                await self._stores.spaces.set_delete_at(member.space, now, entry)
            else:
                entry = BY_SERVER.entry(AuditAct.SPACE_TRANSFERRED, now, space=member.space, user=heir)
                await self._stores.members.transfer(member.space, user, heir, entry)

    async def _heir(self, owner: Membership) -> UserId | None:
        """The oldest editor, or else the oldest reader."""
        others = [one for one in await self._stores.members.of_space(owner.space) if one.user != owner.user]
        editors = [one for one in others if one.role is Role.EDITOR]
        return next((one.user for one in (*editors, *others)), None)

    async def _remove_space(self, space: SpaceId, now: float) -> None:
        await self._documents.drop(space)
        entry = BY_SERVER.entry(AuditAct.SPACE_REMOVED, now, space=space)
        if await self._stores.spaces.remove(space, now, entry):
            event(logger, logging.INFO, "space_removed", space=space)
