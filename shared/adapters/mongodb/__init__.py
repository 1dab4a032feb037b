"""The stores on MongoDB, through Motor. The only package that imports motor or pymongo.

    spaces     {_id: space, sequence, epoch, live, batches, policies?, fence?: [number, token]}
    documents  {_id: "space/id", space, seq, hash, body | none for a tombstone, by, at, outcome, rule, parents,
                conflicts?, pairs?}
    revisions  {space, id, seq, until, hash, body | none when pruned, deleted?, received?, superseded_at, gone?,
                and the rest as in documents}
    memory     {_id: "space/device/id", and the fields of DeviceMemory}
    devices    {_id: device, token_hash, user, name, space, created_at, last_seen, shared?, revoked_at?}
    deletions  {_id: "space/device", since, count}: of clients without a server as well

A head's body lives in `documents` and moves to `revisions` when it is superseded: no body is stored twice.
"space/id" cannot be ambiguous: a slash occurs in neither.
"""

from __future__ import annotations

from shared.adapters.mongodb.client import DURABLE, Mongo, opened
from shared.adapters.mongodb.devices import MongoDeviceStore
from shared.adapters.mongodb.documents import MongoDocumentStore

__all__ = ["DURABLE", "Mongo", "MongoDeviceStore", "MongoDocumentStore", "opened"]
