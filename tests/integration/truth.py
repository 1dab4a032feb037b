"""What MongoDB holds of a space, read by the driver alone: the judge of what the server says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import rfc8785
from pymongo import MongoClient

from shared.settings import Settings
from tests.instance import Instance
from tests.patience import STORE_TIMEOUT_SECONDS

Row = dict[str, Any]


def content_hash(value: Any) -> str:
    """By the protocol's words, with an implementation of RFC 8785 that the product does not use."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()[:32]


@dataclass(frozen=True)
class Truth:
    """A space. `heads`: id -> row; `superseded` and `received`: the other revisions, in order of sequence."""

    sequence: int
    heads: dict[str, Row]
    superseded: list[Row]
    received: list[Row]

    @property
    def bodies(self) -> dict[str, Any]:
        return {document: row["body"] for document, row in self.heads.items() if "body" in row}

    @property
    def hash_map(self) -> dict[str, str]:
        """Computed from the bodies, not read."""
        return {document: content_hash(body) for document, body in self.bodies.items()}

    def history(self, document: str) -> list[Row]:
        """The document's own revisions, oldest first; the last is the head."""
        rows = [row for row in self.superseded if row["id"] == document]
        return [*rows, self.heads[document]] if document in self.heads else rows

    def check(self) -> None:
        """Every sequence number up to the counter belongs to exactly one revision, every stored hash is that
        of its body, and a head is the last of its document."""
        numbers = sorted(row["seq"] for row in (*self.heads.values(), *self.superseded))
        assert numbers == list(range(1, self.sequence + 1))
        for row in (*self.heads.values(), *self.superseded, *self.received):
            if "body" in row:
                assert row["hash"] == content_hash(row["body"]), row
        for row in self.superseded:
            assert row["seq"] < self.heads[row["id"]]["seq"], row


def truth(settings: Settings, space: str) -> Truth:
    """Read at one point in time."""
    with MongoClient[Row](settings.mongo_url) as client, client.start_session(snapshot=True) as session:
        database = client[settings.mongo_database]
        counter = database["spaces"].find_one({"_id": space}, session=session) or {}
        heads = database["documents"].find({"space": space}, session=session)
        revisions = list(database["revisions"].find({"space": space}, session=session).sort("seq"))
        return Truth(
            sequence=counter.get("sequence", 0),
            heads={row["_id"].partition("/")[2]: row for row in heads},
            superseded=[row for row in revisions if not row.get("received")],
            received=[row for row in revisions if row.get("received")],
        )


@contextmanager
def administrator(data: Path, settings: Settings) -> Iterator[MongoClient[Row]]:
    """mongod as its administrator sees it, of the instance whose data lies there."""
    address = urlsplit(settings.mongo_url)
    password = (data / "secrets" / "mongo-root").read_text()
    url = f"mongodb://root:{password}@{address.hostname}:{address.port}/?directConnection=true"
    with MongoClient[Row](url) as client:
        yield client


def limit_transactions(instance: Instance, seconds: float) -> None:
    """How long its mongod lets one last."""
    with administrator(instance.data, instance.settings) as mongo:
        mongo.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=int(seconds))


@contextmanager
def hasty_transactions(instance: Instance) -> Iterator[None]:
    """Its mongod ends one as soon as that of `serve` does."""
    limit_transactions(instance, 2)
    try:
        yield
    finally:
        limit_transactions(instance, STORE_TIMEOUT_SECONDS)
