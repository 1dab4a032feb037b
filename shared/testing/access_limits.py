"""What the stores of people and spaces promise about limits. As shared/testing/access_stores.py."""

from __future__ import annotations

import asyncio
import uuid

from shared.core.access.roles import SpaceProfile
from shared.core.documents import SpaceId
from shared.ports.access import AccessStores, SpaceOverrides
from shared.testing.access_samples import new_entry, new_space, new_user


class AccessLimitsContract:
    async def test_limits_of_a_space_are_its_own_and_those_of_its_owner(self, stores: AccessStores) -> None:
        user, other = await new_user(stores), await new_user(stores)
        space = await new_space(stores, user)
        none = SpaceId("s-none")
        assert await stores.spaces.overrides([space.id, none]) == {space.id: SpaceOverrides()}
        await stores.users.set_overrides(user.id, {"space_documents": 5}, new_entry())
        await stores.spaces.set_overrides(space.id, {"space_bytes": 7}, new_entry())
        await stores.users.set_overrides(other.id, {"space_documents": 9}, new_entry())
        overrides = await stores.spaces.overrides([space.id])
        assert overrides == {space.id: SpaceOverrides({"space_bytes": 7}, {"space_documents": 5})}
        assert overrides[space.id].own == {"space_bytes": 7}
        assert overrides[space.id].of_owner == {"space_documents": 5}

    async def test_of_several_spaces_that_are_added_at_the_same_time_there_are_no_more_than_may(
        self, stores: AccessStores
    ) -> None:
        user = await new_user(stores)
        spaces = [SpaceProfile(SpaceId("s" + uuid.uuid4().hex), "Plans", 2.0) for _ in range(6)]
        added = await asyncio.gather(
            *(stores.spaces.add_bounded(space, user.id, new_entry(), most=4) for space in spaces)
        )
        assert added.count(True) == 4
        owned = {member.space for member in await stores.members.of_user(user.id)}
        assert owned == {space.id for space, done in zip(spaces, added, strict=True) if done}
        assert (await stores.spaces.by_ids([space.id for space in spaces])).keys() == owned
