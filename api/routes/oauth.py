"""`/oauth`: how a terminal gets a token, by the device authorization grant (RFC 8628). Its errors are problems with a
member `error`, as OAuth names them (RFC 6749, 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from api.access.callers import address_of
from api.errors import MALFORMED_REQUEST, UNSUPPORTED_GRANT_TYPE, ProblemError
from api.requests.forms import form_of
from api.state import state
from shared import codec
from shared.core.access.device_grants import GRANT_SECONDS, shown
from shared.core.display import MAX_NAME, is_name

DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
_NAMELESS: Final = "A terminal"
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def _named(handler: Handler) -> Handler:
    """Gives errors the name that OAuth has for them."""

    async def named(request: Request) -> Response:
        try:
            return await handler(request)
        except ProblemError as error:
            if error.kind.status < 500:
                error.extensions.setdefault("error", "invalid_request")
            raise

    return named


@_named
async def authorize_device(request: Request) -> Response:
    """A code for a person to type, and a secret for the terminal to ask with."""
    fields = await form_of(request)
    _client_of(fields)
    name = fields.get("device_name", "").strip() or _NAMELESS
    if not is_name(name):
        detail = f"device_name has 1 to {MAX_NAME} characters and no control characters."
        raise ProblemError(MALFORMED_REQUEST, detail)
    grant, secret = await state(request).grants.begin(name, address_of(request))
    page = f"{public_url(request)}/device"
    code = shown(grant.user_code)
    return _json(
        {
            "device_code": secret,
            "user_code": code,
            "verification_uri": page,
            "verification_uri_complete": f"{page}?code={quote(code)}",
            "expires_in": int(GRANT_SECONDS),
            "interval": int(grant.interval),
        }
    )


@_named
async def fetch_token(request: Request) -> Response:
    """The token, once, when the code was approved."""
    fields = await form_of(request)
    _client_of(fields)
    kind, secret = fields.get("grant_type", ""), fields.get("device_code", "")
    if kind != DEVICE_GRANT:
        detail = f"grant_type must be {DEVICE_GRANT}."
        raise ProblemError(UNSUPPORTED_GRANT_TYPE, detail, extensions={"error": "unsupported_grant_type"})
    if not 0 < len(secret) <= 100:
        raise ProblemError(MALFORMED_REQUEST, "device_code is missing, or none.")
    device, token = await state(request).grants.token(secret, address_of(request))
    return _json({"access_token": token, "token_type": "Bearer", "device": device.id, "space": device.space})


def public_url(request: Request) -> str:
    """Where browsers find the server."""
    return state(request).settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")


def _client_of(fields: dict[str, str]) -> str:
    """Public clients, which register nowhere: any name does."""
    client = fields.get("client_id", "")
    if not is_name(client):
        raise ProblemError(MALFORMED_REQUEST, f"client_id is missing: 1 to {MAX_NAME} characters.")
    return client


def _json(value: object) -> Response:
    headers = {"cache-control": "no-store", "pragma": "no-cache"}
    return Response(codec.dumps(value), headers=headers, media_type="application/json")
