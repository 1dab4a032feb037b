"""What the stores of people and spaces promise about limits. As shared/testing/access_stores.py."""

from __future__ import annotations

from shared.core.documents import SpaceId
from shared.ports.access import AccessStores, SpaceOverrides
from shared.testing.access_stores import new_entry, new_space, new_user


class AccessLimitsContract:
    async def test_limits_of_a_space_are_its_own_and_those_of_its_owner(self, stores: AccessStores) -> None:
        user, other = await new_user(stores), await new_user(stores)
        space = await new_space(stores, user)
        none = SpaceId("s-none")
        assert await stores.spaces.overrides([space.id, none]) == {space.id: SpaceOverrides()}
        await stores.users.set_overrides(user.id, {"space_documents": 5}, new_entry())
        await stores.spaces.set_overrides(space.id, {"space_bytes": 7}, new_entry())
        await stores.users.set_overrides(other.id, {"space_documents": 9}, new_entry())
        found = await stores.spaces.overrides([space.id])
        assert found == {space.id: SpaceOverrides({"space_bytes": 7}, {"space_documents": 5})}
        assert found[space.id].own == {"space_bytes": 7}
        assert found[space.id].of_owner == {"space_documents": 5}
