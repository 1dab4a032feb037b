"""Upstream in a MongoDB database, for people who have a database and no server. The data are those of a server, and
decided in the same transactions: servers and other clients may work on them at the same time.

    mongodb://user@host/database?replicaSet=rs0     without a name the database is "hypertask"

Transactions need a replica set, even of one member. The password is not part of the address: it is kept as tokens
are. Whoever has it can read and change everything: spaces keep nobody out here.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote, urlsplit

from client.sync.engine.records import Refused, UpstreamReply
from client.sync.upstream import (
    Abilities,
    CursorGoneError,
    NotAnUpstreamError,
    Outgoing,
    UpstreamChanges,
    UpstreamUnreachableError,
    agreement,
)
from client.upstreams.decisions import items_of, refusals, reply_of
from shared import representations
from shared.adapters.mongodb import Mongo, MongoDocumentStore
from shared.core.identifiers import ContentHash, DeviceId, DocumentId, SequenceNumber, SpaceId, is_document_id
from shared.core.index.cursors import cursor_of, is_behind, parse_cursor
from shared.core.index.reconciliation import Fingerprint
from shared.core.merge.policies import Policies
from shared.ports import UnavailableError as NotThereError
from shared.settings import Settings
from shared.transaction import CachedResolver, decide

GIVE_UP_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.5
WAIT_SECONDS: Final = 30.0
MOST_ENTRIES: Final = 1000


def with_password(url: str, password: str | None) -> str:
    """The address with the password in it that its user needs."""
    parts = urlsplit(url)
    if password is None or not parts.username:
        return url
    user, _, hosts = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}:{quote(password, safe='')}@{hosts}").geturl()


class MongoUpstream:
    """See the port."""

    def __init__(self, url: str, facts: Mapping[str, Any], *, device: str, space: str | None = None) -> None:
        """`url`: with the password. Raises NotAnUpstreamError if it is no address of a database."""
        self._where = urlsplit(url).hostname or url
        settings = Settings(mongo_url=url, mongo_database=urlsplit(url).path.strip("/") or "hypertask")
        try:
            self._mongo = Mongo(settings)
        except ValueError as error:
            raise NotAnUpstreamError(f"{self._where}: {error}") from error
        self._store = MongoDocumentStore(self._mongo, give_up_after_seconds=GIVE_UP_SECONDS)
        self._space = SpaceId(space or "default")
        self._max_bytes = settings.max_document_bytes
        self._facts = {"device": f"{device}-{secrets.token_hex(4)}", **facts}

    @property
    def abilities(self) -> Abilities:
        return Abilities(facts=self._facts)

    async def changes(self, cursor: str | None) -> UpstreamChanges:
        known = parse_cursor(cursor) if cursor is not None else None
        if cursor is not None and known is None:
            raise CursorGoneError
        with self._errors():
            await self._prepared()
            if known is not None:
                now = (await self._store.lineages([self._space]))[self._space]
                behind = is_behind(known, now)
                if behind is None:
                    if now.is_ahead(known):
                        await self._store.begin_history(self._space, known)
                    raise CursorGoneError
                if not behind:
                    return UpstreamChanges({}, cursor, is_complete=False)
            changes = await self._store.changes(self._space, known.sequence if known else SequenceNumber(0))
        if known is not None and not changes.lineage.holds(known):
            raise CursorGoneError
        hashes = {document: content for document, content in changes.hashes.items() if is_document_id(document)}
        if known is None:
            hashes = {document: content for document, content in hashes.items() if content is not None}
        return UpstreamChanges(hashes, cursor_of(changes.position), is_complete=known is None)

    async def submit(
        self, outgoing: Sequence[Outgoing], *, confirmed: bool = False
    ) -> AsyncIterator[dict[DocumentId, UpstreamReply]]:
        most = self.abilities.portion
        for first in range(0, len(outgoing), most):
            portion = outgoing[first : first + most]
            replies = await self._decided(portion, confirmed=confirmed)
            again = [
                one
                for one in portion
                if isinstance(reply := replies[one.id], Refused) and reply.code == "base-unknown" and one.pending
            ]
            if again:
                replies |= await self._decided(again, confirmed=confirmed, with_base=True)
            yield replies

    async def agrees(self, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
        return agreement(await self.changes(None), cursor, fingerprint)

    async def policies(self) -> Policies:
        with self._errors():
            return await self._store.policies(self._space)

    async def wait(self, cursor: str | None) -> None:
        known = parse_cursor(cursor) if cursor is not None else None
        for _ in range(int(WAIT_SECONDS / LOOK_SECONDS)):
            await asyncio.sleep(LOOK_SECONDS)
            with self._errors():
                now = (await self._store.lineages([self._space]))[self._space]
            if known is None or is_behind(known, now) is not False:
                return

    async def history(self, document: DocumentId) -> list[dict[str, Any]]:
        with self._errors():
            entries = await self._store.history(self._space, document, MOST_ENTRIES)
            policies = await self._store.policies(self._space)
        return [representations.history_row(entry, policies) for entry in entries]

    async def state(self, document: DocumentId, content: str) -> dict[str, Any] | None:
        with self._errors():
            entry = await self._store.state(self._space, document, ContentHash(content))
        return None if entry is None else entry.body

    async def close(self) -> None:
        self._mongo.close()

    # Deciding

    async def _decided(
        self, outgoing: Sequence[Outgoing], *, confirmed: bool, with_base: bool = False
    ) -> dict[DocumentId, UpstreamReply]:
        replies = refusals(outgoing)
        taken = [one for one in outgoing if one.id not in replies]
        device = DeviceId(self._facts["device"])
        items = items_of(taken, device, time.time(), confirmed=confirmed, with_base=with_base)
        with self._errors():
            await self._prepared()
            resolver = CachedResolver(self._max_bytes)
            decided, _ = await self._store.transact(
                self._space, lambda transaction: decide(transaction, resolver, items)
            )
        return {**replies, **{one.id: reply_of(one, reply) for one, reply in zip(taken, decided, strict=True)}}

    async def _prepared(self) -> None:
        """The indexes, of a database that is new to us."""
        if not self._facts.get("prepared"):
            await self._mongo.prepare()
            self._facts["prepared"] = True

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except NotThereError as error:
            raise UpstreamUnreachableError(
                f"{self._where} cannot be used: {error}. Is it running, is it a replica set, and are user and "
                "password right?"
            ) from error
