"""What a request needs and every process makes once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from api.access.accounts import Accounts
from api.access.administration import Administration
from api.access.callers import Callers
from api.access.grants import Grants
from api.access.identities import Identities
from api.access.sign_in import SignIn
from api.access.spaces import Spaces
from api.authentication.auth import Devices
from api.imports.importing import Importer
from api.large.parser_pool import ParserPool
from api.limits.admission import Admission
from api.limits.bounds import ArrivingBody, ByteBudget, Gate
from api.limits.limits_in_force import LimitsInForce
from api.limits.pace import Pace
from api.reads.acknowledgements import DeviceAcknowledgements
from api.reads.filled_spaces import FilledSpaces
from api.reads.hash_maps import HashMaps
from api.reads.page_cache import PageCache
from api.streams.live import Live
from shared.ports import DocumentStore, SubmissionQueue
from shared.ports.access import AccessStores
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class AppState:
    """Made by the lifespan, read by the routes."""

    settings: Settings
    pace: Pace
    bodies: ByteBudget
    arriving: ArrivingBody
    answers: ByteBudget
    large_bodies: Gate
    large_answers: Gate
    imports: Gate
    decisions: Gate
    parser_pool: ParserPool
    stores: AccessStores
    devices: Devices
    limits: LimitsInForce
    admission: Admission
    callers: Callers
    sign_in: SignIn
    accounts: Accounts
    administration: Administration
    spaces: Spaces
    grants: Grants
    identities: Identities
    hash_maps: HashMaps
    pages: PageCache
    filled_spaces: FilledSpaces
    live: Live
    acknowledgements: DeviceAcknowledgements
    documents: DocumentStore
    submissions: SubmissionQueue
    importer: Importer
    checks: Mapping[str, Callable[[], Awaitable[None]]]
    """What must answer for the process to be ready; each raises UnavailableError if it does not."""


def state(request: Request) -> AppState:
    """The process's state."""
    return cast("AppState", request.scope["state"]["hypertask"])
