"""The API with adapters in memory, and a worker beside it on the same event loop: routes are tested in milliseconds.
What runs for real is tests/acceptance and tests/protocol."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.applications import Starlette

from api.access.provision import Provision
from api.app import create_app
from api.assembly import Adapters, assembled
from api.authentication.auth import Devices
from api.http.codings import IDENTITY, Decoder
from api.imports.importing import ImportBounds, import_into
from api.lifespan import Lifespan
from api.representations.imports import read_export
from shared.adapters.argon2 import Argon2Hasher
from shared.adapters.memory.access_secrets import access_stores
from shared.adapters.memory.active_shares import MemoryActiveShares
from shared.adapters.memory.cache import MemoryAnnouncements, MemoryHashMapCache, MemoryMapAcknowledgements
from shared.adapters.memory.documents import MemoryDocumentStore
from shared.adapters.memory.queue import MemoryInbox, MemoryQueue, MemorySubmissionQueue
from shared.adapters.memory.streams import MemoryStreamCounter
from shared.adapters.rates import memory_rates
from shared.core.access.audit import BY_OPERATOR
from shared.core.documents import SpaceId, UserName
from shared.ports import ActiveShares, Announcement, StreamCounter
from shared.ports.access import AccessStores, PasswordHasher
from shared.ports.sign_in import OpenIdProvider
from shared.settings import Settings
from shared.space_quotas import SpaceQuotas
from tests.described import is_described
from worker.tasks.resolve import InboxDrain


@dataclass
class Service:
    """An API process and a worker process in one."""

    settings: Settings = field(default_factory=Settings)
    documents: MemoryDocumentStore = field(default_factory=MemoryDocumentStore)
    stores: AccessStores = field(default_factory=access_stores)
    provider: OpenIdProvider | None = None
    streams: StreamCounter = field(default_factory=MemoryStreamCounter)
    shares: ActiveShares = field(default_factory=MemoryActiveShares)
    passwords: PasswordHasher = field(default_factory=lambda: Argon2Hasher(threads=1, passes=1, memory_kib=8))
    """What passwords cost is tested with the adapter."""

    def __post_init__(self) -> None:
        self._announcements: list[MemoryAnnouncements] = []
        self._jobs: set[asyncio.Task[None]] = set()
        self.queue = MemoryQueue(
            deadline_seconds=self.settings.submit_deadline_seconds,
            lease_seconds=self.settings.lease_seconds,
            announce=self._announce,
            on_waiting=self._drain,
        )
        self.worker = InboxDrain(
            self.documents,
            MemoryInbox(self.queue),
            max_bytes=self.settings.max_document_bytes,
            quotas=SpaceQuotas(self.stores.spaces, self.settings),
        )

    async def _announce(self, space: SpaceId, announcement: Announcement) -> None:
        for announcements in self._announcements:
            await announcements.tell_changed(space, announcement)

    def _drain(self, space: SpaceId) -> None:
        job = asyncio.create_task(self.worker.drain(space))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    def _open_announcements(self, **callbacks: Any) -> MemoryAnnouncements:
        self._announcements.append(MemoryAnnouncements(**callbacks))
        return self._announcements[-1]

    async def _import(
        self, space: SpaceId, pieces: AsyncIterator[bytes], coding: str, bounds: ImportBounds
    ) -> dict[str, Any]:
        decoder = None if coding == IDENTITY else Decoder(coding)
        raw = b"".join([part async for piece in pieces for part in (decoder.feed(piece) if decoder else (piece,))])
        return await import_into(
            self.documents,
            space,
            read_export(io.BytesIO(raw), self.settings.limits),
            max_bytes=self.settings.limits.max_request_bytes,
            at=1.0,
            announce=lambda announcement: self._announce(space, announcement),
            quota=bounds.quota,
        )

    def lifespan_of(self, settings: Settings) -> Callable[[Starlette], AbstractAsyncContextManager[Lifespan]]:
        """As `api.lifespan.lifespan_of`."""
        acknowledgements = MemoryMapAcknowledgements()
        adapters = Adapters(
            documents=self.documents,
            stores=self.stores,
            passwords=self.passwords,
            cache=MemoryHashMapCache(),
            acknowledgements=acknowledgements,
            submissions=MemorySubmissionQueue(self.queue, acknowledgements),
            announcements=self._open_announcements,
            importer=self._import,
            provider=self.provider,
            rates=memory_rates(),
            rates_alone=memory_rates(),
            streams=self.streams,
            shares=self.shares,
            checks={},
        )

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[Lifespan]:
            async with assembled(settings, adapters) as state:
                self.state = state
                yield {"hypertask": state}

        return lifespan

    def is_followed(self, space: SpaceId) -> bool:
        """Whether an API process listens to what is announced for the space."""
        return any(space in announcements.listened_to for announcements in self._announcements)

    async def token(self, space: str = "s", user: str = "u") -> str:
        """Of a new device."""
        provision = Provision(self.stores, Devices(self.stores))
        _, token = await provision.device(
            user=UserName(user), name=uuid.uuid4().hex[:12], space=SpaceId(space), origin=BY_OPERATOR
        )
        return token

    @asynccontextmanager
    async def client(self, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        """Of a new device, whose token it sends."""
        app = create_app(self.settings, self.lifespan_of)
        token = await self.token()
        async with running(app) as transport:
            sent = {"authorization": f"Bearer {token}", **headers}
            async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=sent) as client:
                yield client


@asynccontextmanager
async def running(app: Any) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """The application between its start and its end, which one task must see."""
    state: dict[str, Any] = {}
    events: asyncio.Queue[str] = asyncio.Queue()
    answers: asyncio.Queue[str] = asyncio.Queue()

    async def receive() -> dict[str, str]:
        return {"type": await events.get()}

    async def send(message: Any) -> None:
        answers.put_nowait(message["type"])

    task = asyncio.create_task(app({"type": "lifespan", "state": state}, receive, send))
    events.put_nowait("lifespan.startup")
    assert await answers.get() == "lifespan.startup.complete"

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        async def described(message: Any) -> None:
            if message["type"] == "http.response.start":
                answered = (scope["method"], scope["path"], message["status"])
                assert is_described(*answered), f"api/openapi.yaml does not say: {answered}"
            await send(message)

        await app({**scope, "state": dict(state)}, receive, described)

    try:
        yield httpx.ASGITransport(with_state)
    finally:
        events.put_nowait("lifespan.shutdown")
        await task
