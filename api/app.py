"""The ASGI application; `python -m api.serve` runs it."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from operator import itemgetter
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api import errors
from api.authentication.nobody import is_of_nobody
from api.http.compression import Compression
from api.http.connection import connection_of
from api.http.cors import Cors
from api.http.router import Router
from api.large.large_answers import LargeAnswers
from api.lifespan import LifespanOf, lifespan_of
from api.limits.admission import UNCOUNTED
from api.limits.bounds import HOLDING, NOBODY, Holding
from api.metered import Metered
from api.pages.routes import PAGES
from api.pages.web_client import WEB_CLIENT
from api.routes import (
    accounts,
    admin,
    batch,
    devices,
    documents,
    events,
    export,
    hashes,
    imports,
    oauth,
    policies,
    service,
    sessions,
    spaces,
)
from api.traced import Traced
from shared.core.access.limits import rate_fields
from shared.core.documents import SpaceId
from shared.core.origins import origins_of
from shared.observability import begin_request
from shared.settings import Settings

_COMMON = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_NAME = itemgetter(0)
_IDENTITIES_AT_ONCE = 64
_COMMON_NAMES = frozenset(map(_NAME, _COMMON))
ROUTES = [
    Route("/task/{id}", documents.post_task, methods=["POST"]),
    Route("/hashes", hashes.get_hashes, methods=["GET"]),
    Route("/tasks", batch.post_tasks, methods=["POST"]),
    Route("/tasks", batch.get_tasks, methods=["GET"]),
    Route("/", service.about, methods=["GET"]),
    Route("/healthz", service.healthz, methods=["GET"]),
    Route("/readyz", service.readyz, methods=["GET"]),
    Route("/openapi.json", service.openapi, methods=["GET"]),
    Route("/hashes/diff", hashes.post_diff, methods=["POST"]),
    Route(events.PATH, events.get_events, methods=["GET"]),
    Route("/task/{id}", documents.get_task, methods=["GET"]),
    Route("/task/{id}", documents.delete_task, methods=["DELETE"]),
    Route("/task/{id}/revisions", documents.get_revisions, methods=["GET"]),
    Route("/task/{id}/revisions/{hash}", documents.get_revision, methods=["GET"]),
    Route("/task/{id}/restore", documents.post_restore, methods=["POST"]),
    Route("/export", export.get_export, methods=["GET"]),
    Route("/import", imports.post_import, methods=["POST"]),
    Route("/policies", policies.get_policies, methods=["GET"]),
    Route("/policies", policies.put_policies, methods=["PUT"]),
    Route("/devices", devices.list_devices, methods=["GET"]),
    Route("/devices", devices.create_device, methods=["POST"]),
    Route("/devices/{device}", devices.revoke_device, methods=["DELETE"]),
    Route("/devices/{device}/rotate", devices.rotate_device, methods=["POST"]),
    Route("/oauth/device", oauth.authorize_device, methods=["POST"]),
    Route("/oauth/token", oauth.fetch_token, methods=["POST"]),
    Route("/users", accounts.sign_up, methods=["POST"]),
    Route("/session", sessions.get_session, methods=["GET"]),
    Route("/session", sessions.sign_in, methods=["POST"]),
    Route("/session", sessions.sign_out, methods=["DELETE"]),
    Route("/sessions", sessions.list_sessions, methods=["GET"]),
    Route("/sessions/{session}", sessions.end_session, methods=["DELETE"]),
    Route("/me", accounts.get_me, methods=["GET"]),
    Route("/me", accounts.patch_me, methods=["PATCH"]),
    Route("/me", accounts.delete_me, methods=["DELETE"]),
    Route("/me/restore", accounts.restore_me, methods=["POST"]),
    Route("/me/password", accounts.put_password, methods=["PUT"]),
    Route("/me/export", accounts.export_me, methods=["GET"]),
    Route("/spaces", spaces.list_spaces, methods=["GET"]),
    Route("/spaces", spaces.add_space, methods=["POST"]),
    Route("/spaces/{space}", spaces.get_space, methods=["GET"]),
    Route("/spaces/{space}", spaces.patch_space, methods=["PATCH"]),
    Route("/spaces/{space}", spaces.delete_space, methods=["DELETE"]),
    Route("/spaces/{space}/restore", spaces.restore_space, methods=["POST"]),
    Route("/spaces/{space}/transfer", spaces.transfer_space, methods=["POST"]),
    Route("/spaces/{space}/members", spaces.list_members, methods=["GET"]),
    Route("/spaces/{space}/members/{user}", spaces.patch_member, methods=["PATCH"]),
    Route("/spaces/{space}/members/{user}", spaces.remove_member, methods=["DELETE"]),
    Route("/spaces/{space}/invitations", spaces.list_invitations, methods=["GET"]),
    Route("/spaces/{space}/invitations", spaces.add_invitation, methods=["POST"]),
    Route("/spaces/{space}/invitations/{invitation}", spaces.revoke_invitation, methods=["DELETE"]),
    Route("/invitations/show", spaces.show_invitation, methods=["POST"]),
    Route("/invitations/accept", spaces.accept_invitation, methods=["POST"]),
    Route("/admin", admin.overview, methods=["GET"]),
    Route("/admin/users", admin.list_users, methods=["GET"]),
    Route("/admin/users", admin.add_user, methods=["POST"]),
    Route("/admin/users/{user}", admin.get_user, methods=["GET"]),
    Route("/admin/users/{user}", admin.patch_user, methods=["PATCH"]),
    Route("/admin/users/{user}/reset", admin.reset_user, methods=["POST"]),
    Route("/admin/users/{user}/limits", admin.put_user_limits, methods=["PUT"]),
    Route("/admin/spaces", admin.list_all_spaces, methods=["GET"]),
    Route("/admin/spaces/{space}", admin.get_any_space, methods=["GET"]),
    Route("/admin/spaces/{space}/limits", admin.put_space_limits, methods=["PUT"]),
    Route("/admin/invitations", admin.list_server_invitations, methods=["GET"]),
    Route("/admin/invitations", admin.add_server_invitation, methods=["POST"]),
    Route("/admin/invitations/{invitation}", admin.revoke_server_invitation, methods=["DELETE"]),
    Route("/admin/audit", admin.read_audit, methods=["GET"]),
]


def create_app(settings: Settings | None = None, lifespan: LifespanOf = lifespan_of) -> ASGIApp:
    """The application; settings from the environment unless they are given."""
    settings = settings or Settings.from_env()
    routes = [*ROUTES, *PAGES, *WEB_CLIENT]
    app = Router(routes, Starlette(lifespan=lifespan(settings)))
    inner: ASGIApp = RequestEnvelope(events.Events(Compression(LargeAnswers(app))))
    if origins := origins_of(settings.cors_origins):
        inner = Cors(inner, origins)
    metered = Metered(inner, routes)
    return Traced(metered, routes) if settings.traces_url else metered


def _identities() -> Iterator[str]:
    """Of requests: 64 random bits each. They are asked for many at a time: in each call the system may let another
    thread go on."""
    while True:
        text = os.urandom(8 * _IDENTITIES_AT_ONCE).hex()
        for at in range(0, len(text), 16):
            yield text[at : at + 16]


class RequestEnvelope:
    """Gives each request an id, in its log lines and in the header of its answer; and each answer the headers that
    all have: no cache keeps it unless it says so itself, and it is what its content type says; and how much is left
    of a rate, if that is little. Counts the requests of an address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._identities = _identities()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        identity, app = next(self._identities), scope["state"]["hypertask"]
        begin_request(identity)
        connection = connection_of(scope)
        holding = scope[HOLDING] = Holding(connection)
        is_counted, is_nobodys = scope["path"] not in UNCOUNTED, False

        async def take_nobodys_turn() -> None:
            nonlocal is_nobodys
            if is_counted and not is_nobodys and holding.space == NOBODY:
                is_nobodys = True
                await app.pace.throttle(NOBODY, connection)  # they are paced as one space is

        def payer() -> SpaceId | None:
            return holding.space if is_nobodys or holding.space != NOBODY else None

        async def send_with_id(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                if holding.space == NOBODY:
                    with suppress(errors.ProblemError):  # the connection has ended
                        await take_nobodys_turn()  # its token is not known
                headers = message["headers"]
                more = _COMMON
                if not _COMMON_NAMES.isdisjoint(map(_NAME, headers)):
                    names = [name for name, _ in headers]
                    more = [header for header in _COMMON if header[0] not in names]
                if holding.rates:
                    low = rate_fields(holding.rates).items()
                    more = [*more, *((name.encode(), value.encode()) for name, value in low)]
                message["headers"] = [*headers, *more, (b"x-request-id", identity.encode())]
            await send(message)

        try:
            try:
                await app.admission.address(scope)
                if is_of_nobody(scope, app.callers.cookie.name):
                    await take_nobodys_turn()
            except errors.ProblemError as refusal:
                await errors.render(refusal)(scope, receive, send_with_id)
            else:
                await app.pace.billed(self._app(scope, receive, send_with_id), payer)
        finally:
            holding.end()
