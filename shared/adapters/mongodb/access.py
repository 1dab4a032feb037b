"""All stores of people, spaces and devices of one database."""

from __future__ import annotations

from shared.adapters.mongodb.client import Mongo
from shared.adapters.mongodb.devices import MongoDeviceStore
from shared.adapters.mongodb.invitations import MongoInvitationStore
from shared.adapters.mongodb.sessions import MongoAuditLog, MongoSessionStore, MongoSignInFailureStore
from shared.adapters.mongodb.sign_in import MongoDeviceGrantStore, MongoIdentityStore, MongoProviderFlowStore
from shared.adapters.mongodb.spaces import MongoMembershipStore, MongoSpaceStore
from shared.adapters.mongodb.users import MongoUserStore
from shared.ports.access import AccessStores


def access_stores(mongo: Mongo) -> AccessStores:
    return AccessStores(
        MongoUserStore(mongo),
        MongoSpaceStore(mongo),
        MongoMembershipStore(mongo),
        MongoInvitationStore(mongo),
        MongoSessionStore(mongo),
        MongoDeviceStore(mongo),
        MongoSignInFailureStore(mongo),
        MongoAuditLog(mongo),
        MongoDeviceGrantStore(mongo),
        MongoIdentityStore(mongo),
        MongoProviderFlowStore(mongo),
    )
