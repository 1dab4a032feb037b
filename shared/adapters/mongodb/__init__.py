"""The stores on MongoDB, through Motor. The only package that imports motor or pymongo.

    spaces     {_id: space, sequence, epoch, live, batches, transaction?: the last one's name, policies?,
                fence?: [number, token], size?, history_size?, sized?, unsized?: see usage.py}
    documents  {_id: "space/id", space, seq, hash, body | none for a tombstone, size?: of the body, by, at, outcome,
                rule, parents, conflicts?, pairs?}
    revisions  {space, id, seq, until, hash, body | none when pruned, deleted?, received?, superseded_at, gone?,
                and the rest as in documents}
    memory     {_id: "space/device/id", sent, returned, asked, at, edited_at, request, answered, before: DeviceMemory}
    devices    {_id: device, token_hash, user (its name), owner, name, space, created_at, last_seen, shared?,
                every_space?, expires_at?, client?, synced?: {space: {at, sequence}}, revoked_at?}
    deletions  {_id: "space/device", since, count}: of clients without a server as well

    users           {_id: user, name, name_key, created_at, email?, email_key?, password?: argon2id, administrator?,
                     disabled_at?, delete_at?, exported_at?, overrides?: {setting: number}}
    space_profiles  {_id: space, name, created_at, archived_at?, delete_at?, overrides?}: what changes with no write
    members         {_id: "space/user", space, user, role, joined_at}
    invitations     {_id: invitation, secret_hash, created_at, expires_at, by_administrator, created_by?, space?,
                     role?, used_at?, used_by?, revoked_at?}
    sessions        {_id: session, token_hash, user, created_at, expires_at, last_seen, address, agent}
    sign_in_failures {_id: key, count, at, forget_at}
    audit           {_id, act, at, by, actor?, address?, space?, user?, device?, details?}: only added to
    schema          {_id: "schema", version, readable_by, steps: {version: at}}

A head's body lives in `documents` and moves to `revisions` when it is superseded: no body is stored twice.
"space/id" cannot be ambiguous: a slash occurs in neither.
"""

from __future__ import annotations

from shared.adapters.mongodb.access import access_stores
from shared.adapters.mongodb.client import DURABLE, Mongo, opened
from shared.adapters.mongodb.devices import MongoDeviceStore
from shared.adapters.mongodb.documents import MongoDocumentStore
from shared.adapters.mongodb.migrations import migrate

__all__ = ["DURABLE", "Mongo", "MongoDeviceStore", "MongoDocumentStore", "access_stores", "migrate", "opened"]
