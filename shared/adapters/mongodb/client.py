"""The connection, and what its errors mean."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final

from bson import Int64
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo import ASCENDING, IndexModel
from pymongo.errors import ConfigurationError, InvalidURI, PyMongoError
from pymongo.monitoring import CommandListener
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.server_api import ServerApi
from pymongo.write_concern import WriteConcern

from shared import tracing
from shared.adapters.mongodb.command_spans import CommandSpans
from shared.adapters.mongodb.faults import codes, may_be_duplicate, not_now
from shared.adapters.mongodb.kept import Connections
from shared.adapters.mongodb.primary import Primary
from shared.observability import event
from shared.ports import UnavailableError
from shared.settings import Settings

logger = logging.getLogger(__name__)

Row = dict[str, Any]

DURABLE: Final = WriteConcern(w="majority", j=True)
MAJORITY: Final = ReadConcern("majority")
_STABLE: Final = ServerApi("1", strict=True, deprecation_errors=True)
"""MongoDB's stable API, which all versions from 5.0 on keep: what is not in it is refused, so whatever runs on one of
them runs on the others."""


_TAKE_WRITES: Final = {"RSPrimary", "Standalone"}
_BEHIND_ROUTERS: Final = {"Sharded", "LoadBalanced"}


class _PlainInt(TypeDecoder):
    """BSON's 64-bit integers come back as int, not as the driver's subclass of it."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


CODEC: Final[CodecOptions[Row]] = CodecOptions(type_registry=TypeRegistry([_PlainInt()]))
RAW: Final[CodecOptions[RawBSONDocument]] = CodecOptions(RawBSONDocument)


class Mongo:
    """One client and its database."""

    def __init__(self, settings: Settings, listeners: Sequence[CommandListener] = ()) -> None:
        """`listeners` are told of each command. Raises ValueError if the address is none."""
        milliseconds = int(settings.store_timeout_seconds * 1000)
        try:
            self.client: AsyncIOMotorClient[Row] = AsyncIOMotorClient(
                settings.mongo_url,
                serverSelectionTimeoutMS=milliseconds,
                connectTimeoutMS=milliseconds,
                socketTimeoutMS=4 * milliseconds,
                appname="hypertask",
                server_api=_STABLE,
                event_listeners=[*listeners, *([CommandSpans()] if tracing.is_on() else [])],
            )
        except (InvalidURI, ConfigurationError) as error:
            raise ValueError(f"not an address of a MongoDB: {error}") from None
        self.database: AsyncIOMotorDatabase[Row] = self.client.get_database(
            settings.mongo_database,
            codec_options=CODEC,
            read_preference=ReadPreference.PRIMARY,
            read_concern=MAJORITY,
            write_concern=DURABLE,
        )

        self.primary = Primary(self.client.delegate)
        self.connections = Connections(self.client.delegate, self.primary)

    async def prepare(self) -> None:
        """Makes the collections and indexes that are missing. Idempotent; safe from several processes."""
        with errors_mapped():
            await self.database["documents"].create_indexes(
                [IndexModel([("space", ASCENDING), ("seq", ASCENDING)], name="space_seq")]
            )
            await self.database["revisions"].create_indexes(
                [
                    IndexModel([("space", ASCENDING), ("id", ASCENDING), ("hash", ASCENDING)], name="space_id_hash"),
                    IndexModel([("space", ASCENDING), ("id", ASCENDING), ("seq", ASCENDING)], name="space_id_seq"),
                    IndexModel(
                        [("space", ASCENDING), ("id", ASCENDING), ("seq", ASCENDING)],
                        name="space_id_version",
                        partialFilterExpression={"version": {"$exists": True}},
                    ),
                    IndexModel(
                        [("space", ASCENDING), ("id", ASCENDING), ("gone", ASCENDING)],
                        name="space_id_gone",
                        partialFilterExpression={"gone": {"$exists": True}},
                    ),
                ]
            )
            await self.database["devices"].create_indexes(
                [
                    IndexModel([("token_hash", ASCENDING)], name="token_hash", unique=True),
                    IndexModel([("user", ASCENDING)], name="user"),
                ]
            )

    def process(self) -> str | None:
        """Names the process that takes the writes, once one has been reached. Another process may have data that are
        older than what this one told; None: not known, or it only passes on what others store."""
        known = self.client.delegate.topology_description.server_descriptions().values()
        for server in known:
            if server.server_type_name in _TAKE_WRITES and server.topology_version is not None:
                return str(server.topology_version["processId"])
        return None

    @property
    def streams(self) -> bool:
        """Whether, once it has been reached, it sends one batch of a cursor after another without being asked for
        each: it reads on while somebody looks at what came. Of routers only the newer ones do."""
        return self.client.delegate.topology_description.topology_type_name not in _BEHIND_ROUTERS

    async def ping(self) -> None:
        """Raises UnavailableError unless a primary answers."""
        with errors_mapped():
            await self.database.command("ping")

    def close(self) -> None:
        self.connections.close()
        self.client.close()


class _ErrorsMapped:
    """Not of `contextlib`: each transaction is in such a block, and errors are rare."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if isinstance(error, PyMongoError):
            _map(error)


_ERRORS_MAPPED: Final = _ErrorsMapped()


def errors_mapped() -> _ErrorsMapped:
    """Driver errors that mean 'not now' become UnavailableError; others are faults of ours and stay. Their numbers
    are logged: their messages, which are not, may show documents."""
    return _ERRORS_MAPPED


def _map(error: PyMongoError) -> None:
    reason = not_now(error)
    if reason is not None:
        raise UnavailableError(reason) from error
    if not may_be_duplicate(error):
        event(logger, logging.ERROR, "database_refused", codes=codes(error))


@asynccontextmanager
async def opened(settings: Settings, listeners: Sequence[CommandListener] = ()) -> AsyncIterator[Mongo]:
    """A client that is closed at the end."""
    mongo = Mongo(settings, listeners)
    try:
        yield mongo
    finally:
        mongo.close()
