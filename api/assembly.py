"""What an API process is made of, whatever adapters it has."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from api.access.accounts import Accounts
from api.access.administration import Administration
from api.access.callers import Callers
from api.access.grants import Grants
from api.access.identities import Identities
from api.access.sign_in import SignIn
from api.access.spaces import Spaces
from api.authentication.auth import Devices
from api.authentication.cookies import SessionCookie
from api.imports.importing import Importer
from api.large.parser_pool import ParserPool
from api.limits.admission import Admission
from api.limits.bounds import (
    DECISIONS_BESIDE_OTHERS,
    DECISIONS_OF_SHARE,
    IMPORTS,
    LARGE_ANSWER_SECONDS,
    LARGE_ANSWERS,
    LARGE_ANSWERS_BESIDE_OTHERS,
    LARGE_ANSWERS_OF_SPACE,
    LARGE_BODIES,
    LARGE_BODIES_OF_SPACE,
    ArrivingBody,
    ByteBudget,
    Gate,
)
from api.limits.limits_in_force import LimitsInForce
from api.limits.pace import Pace
from api.limits.rates import RequestRates
from api.limits.share_exchange import exchanging
from api.reads.acknowledgements import DeviceAcknowledgements
from api.reads.change_feed import ChangeFeed
from api.reads.filled_spaces import FilledSpaces
from api.reads.hash_maps import HashMaps
from api.reads.page_cache import PageCache
from api.state import AppState
from api.streams.live import Live
from api.streams.stream_counts import StreamCounts
from shared.core.documents import DeviceId, SpaceId
from shared.ports import (
    ActiveShares,
    Announcements,
    DocumentStore,
    HashMapCache,
    MapAcknowledgements,
    RateCounter,
    StreamCounter,
    SubmissionQueue,
)
from shared.ports.access import AccessStores, PasswordHasher
from shared.ports.sign_in import OpenIdProvider
from shared.settings import Settings


class OpenAnnouncements(Protocol):
    """Opens Announcements that call back: what they mean is said at `Live`."""

    def __call__(
        self,
        *,
        changed: Callable[[SpaceId, bytes], None],
        lost: Callable[[SpaceId], None],
        revoked: Callable[[SpaceId, DeviceId], None],
        access: Callable[[SpaceId], None],
    ) -> AbstractAsyncContextManager[Announcements]: ...


@dataclass(frozen=True, slots=True)
class Adapters:
    """One of every port."""

    documents: DocumentStore
    stores: AccessStores
    passwords: PasswordHasher
    cache: HashMapCache
    acknowledgements: MapAcknowledgements
    submissions: SubmissionQueue
    announcements: OpenAnnouncements
    importer: Importer
    provider: OpenIdProvider | None
    """Where people sign in; None: with passwords alone."""
    rates: RateCounter
    rates_alone: RateCounter
    """See RequestRates."""
    streams: StreamCounter
    shares: ActiveShares
    checks: Mapping[str, Callable[[], Awaitable[None]]]
    """See AppState."""


@asynccontextmanager
async def assembled(settings: Settings, adapters: Adapters) -> AsyncIterator[AppState]:
    """The state of a process, which follows what is announced until the end of the block."""
    async with (
        Pace() as pace,
        ParserPool(settings.limits, pace) as parser_pool,
        _reads(settings, adapters, pace) as (maps, pages, filled_spaces),
    ):
        limits = LimitsInForce(adapters.stores, settings)
        admission = Admission(RequestRates(adapters.rates, adapters.rates_alone), limits)
        cookie = SessionCookie(settings)
        devices = Devices(adapters.stores, pace, limits=limits, admission=admission, cookie=cookie)
        live = Live(ChangeFeed(adapters.documents, maps), devices, limits, StreamCounts(adapters.streams), pace)
        async with (
            adapters.announcements(
                changed=live.on_announcement, lost=live.lost, revoked=live.revoked, access=live.access_changed
            ) as announcements,
            live.following(announcements),
            exchanging(pace, adapters.shares),
        ):
            yield AppState(
                settings=settings,
                pace=pace,
                bodies=ByteBudget(settings.bodies_bytes, settings.space_bodies_bytes),
                arriving=ArrivingBody(),
                answers=_answers_budget(settings),
                large_bodies=Gate(pace, LARGE_BODIES, LARGE_BODIES_OF_SPACE),
                large_answers=_large_answers(pace),
                imports=Gate(pace, IMPORTS, 1),
                decisions=Gate(pace, sys.maxsize, DECISIONS_OF_SHARE, beside_others=DECISIONS_BESIDE_OTHERS),
                parser_pool=parser_pool,
                stores=adapters.stores,
                devices=devices,
                limits=limits,
                admission=admission,
                callers=Callers(adapters.stores, devices, admission, cookie),
                sign_in=SignIn(adapters.stores, adapters.passwords, settings.session_days),
                accounts=Accounts(adapters.stores, adapters.passwords, settings, live),
                spaces=Spaces(adapters.stores, devices, live, settings, limits),
                administration=Administration(
                    adapters.stores,
                    adapters.documents,
                    adapters.passwords,
                    settings,
                    tell=lambda spaces: live.tell_access(*spaces),
                ),
                grants=Grants(adapters.stores, devices),
                identities=Identities(adapters.stores, settings, live, adapters.provider),
                hash_maps=maps,
                pages=pages,
                filled_spaces=filled_spaces,
                live=live,
                acknowledgements=DeviceAcknowledgements(adapters.acknowledgements),
                documents=adapters.documents,
                submissions=adapters.submissions,
                importer=adapters.importer,
                checks=adapters.checks,
            )
        await devices.close()


@asynccontextmanager
async def _reads(
    settings: Settings, adapters: Adapters, pace: Pace
) -> AsyncIterator[tuple[HashMaps, PageCache, FilledSpaces]]:
    maps = HashMaps(adapters.documents, adapters.cache, max_bytes=settings.map_cache_bytes)
    pages = PageCache(adapters.documents, settings)
    filled_spaces = FilledSpaces(pages, maps, most=settings.limits.max_batch_documents, is_alone=pace.is_alone)
    try:
        yield maps, pages, filled_spaces
    finally:
        await filled_spaces.close()
        await pages.close()
        await maps.close()


def _large_answers(pace: Pace) -> Gate:
    return Gate(
        pace,
        LARGE_ANSWERS,
        LARGE_ANSWERS_OF_SPACE,
        beside_others=LARGE_ANSWERS_BESIDE_OTHERS,
        most_seconds=LARGE_ANSWER_SECONDS,
    )


def _answers_budget(settings: Settings) -> ByteBudget:
    return ByteBudget(settings.answers_bytes, settings.space_answers_bytes, "answers", first_always=True)
