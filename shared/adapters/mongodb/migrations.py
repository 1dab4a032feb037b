"""Steps from the data of earlier releases to those of this one. They run when a process starts, beside processes of
the earlier release that serve: so each adds what is missing, takes nothing away that they read, and can be repeated.

What such a process writes later is brought up to date when it is read (`MongoDeviceStore.by_token_hashes`), and by
the next step that any process runs.
"""

from __future__ import annotations

import time
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel

from shared.adapters.mongodb.adoption import adopt
from shared.adapters.mongodb.client import Mongo, Row, errors_mapped
from shared.ports import UnavailableError

VERSION: Final = 1
"""Of the data, as this release leaves them."""
READABLE_BY: Final = 1
"""The oldest release, by its VERSION, that can work on data of this one."""


def _index(name: str, *fields: tuple[str, int], **options: Any) -> IndexModel:
    return IndexModel(list(fields), name=name, **options)


def _where_present(field: str) -> dict[str, Any]:
    return {"partialFilterExpression": {field: {"$exists": True}}}


INDEXES: Final[dict[str, list[IndexModel]]] = {
    "users": [
        _index("name_key", ("name_key", ASCENDING), unique=True),
        _index("email_key", ("email_key", ASCENDING), unique=True, **_where_present("email_key")),
        _index("name", ("name", ASCENDING)),
        _index("delete_at", ("delete_at", ASCENDING), **_where_present("delete_at")),
    ],
    "space_profiles": [_index("delete_at", ("delete_at", ASCENDING), **_where_present("delete_at"))],
    "members": [
        _index("user", ("user", ASCENDING)),
        _index("space", ("space", ASCENDING)),
        _index(
            "one_owner", ("space", ASCENDING), ("role", ASCENDING), unique=True,
            partialFilterExpression={"role": "owner"},
        ),
    ],
    "invitations": [
        _index("secret_hash", ("secret_hash", ASCENDING), unique=True),
        _index("space", ("space", ASCENDING)),
    ],
    "sessions": [
        _index("token_hash", ("token_hash", ASCENDING), unique=True),
        _index("user", ("user", ASCENDING)),
        _index("expires_at", ("expires_at", ASCENDING)),
    ],
    "sign_in_failures": [_index("forget_at", ("forget_at", ASCENDING), expireAfterSeconds=0)],
    "device_grants": [
        _index("user_code", ("user_code", ASCENDING), unique=True),
        _index("address", ("address", ASCENDING)),
        _index("forget_at", ("forget_at", ASCENDING), expireAfterSeconds=0),
    ],
    "identities": [
        _index("subject", ("issuer", ASCENDING), ("subject", ASCENDING), unique=True),
        _index("user", ("user", ASCENDING)),
    ],
    "provider_flows": [_index("forget_at", ("forget_at", ASCENDING), expireAfterSeconds=0)],
    "devices": [_index("owner", ("owner", ASCENDING))],
    "audit": [
        _index("at", ("at", DESCENDING)),
        _index("space_at", ("space", ASCENDING), ("at", DESCENDING)),
        _index("user_at", ("user", ASCENDING), ("at", DESCENDING)),
        _index("actor_at", ("actor", ASCENDING), ("at", DESCENDING)),
    ],
}  # fmt: skip


class SchemaTooNewError(UnavailableError):
    """A later release has changed the data in a way that this one does not understand."""


async def migrate(mongo: Mongo) -> None:
    """Makes the indexes of people and spaces that are missing, and brings the data to VERSION. Idempotent; safe from
    several processes. Raises SchemaTooNewError."""
    schema = mongo.database["schema"]
    with errors_mapped():
        row = await schema.find_one({"_id": "schema"}) or {}
    if row.get("readable_by", 0) > VERSION:
        data = f"the data are of a later release (schema {row.get('version')})"
        raise SchemaTooNewError(f"{data}, which this one (schema {VERSION}) cannot read")
    with errors_mapped():
        for collection, indexes in INDEXES.items():
            await mongo.database[collection].create_indexes(indexes)
    if row.get("version", 0) < 1:
        await _adopt_devices(mongo)
    if row.get("version", 0) < VERSION:
        change = {"$max": {"version": VERSION, "readable_by": READABLE_BY}, "$set": {f"steps.{VERSION}": time.time()}}
        with errors_mapped():
            await schema.update_one({"_id": "schema"}, change, upsert=True)


async def _adopt_devices(mongo: Mongo) -> None:
    """Step 1: every user of a device gets an account, every space its user as owner. Live devices go first, oldest
    first: of several users the one who was there first becomes the owner."""
    devices = mongo.database["devices"]
    for revoked in (False, True):
        query: Row = {"owner": {"$exists": False}, "revoked_at": {"$exists": revoked}}
        with errors_mapped():
            rows = devices.find(query).sort([("created_at", ASCENDING), ("_id", ASCENDING)])
            async for row in rows.allow_disk_use(True):
                await adopt(mongo, row)
