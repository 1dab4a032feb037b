"""`/devices`: a person's devices. A token that opens one space alone neither shows nor revokes what was made for
another one; a session, or a token that opens all spaces of its user, reaches all of their devices."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.access.callers import Caller
from api.errors import MALFORMED_REQUEST, NOT_FOUND, ProblemError
from api.representations import people
from api.requests import parsing
from api.requests.body import read_json_body
from api.state import state
from shared import codec
from shared.core.access.roles import Act
from shared.core.display import MAX_NAME, is_name
from shared.core.documents import Device, DeviceId, SpaceId, share_of

_MAX_BYTES = 4096
_MAX_SECONDS = 10 * 366 * 86400.0


async def list_devices(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.of(request)
    devices = await app.devices.list_of(caller.user.id, caller.bound)
    heads = await app.documents.lineages({device.space for device in devices})
    current = None if caller.device is None else caller.device.id
    rows = [
        people.device_row(
            device,
            user=caller.user.name,
            head=heads[device.space].position.sequence,
            current=device.id == current,
        )
        for device in devices
        if not device.is_expired(time.time())
    ]
    return Response(codec.dumps({"devices": rows}), media_type="application/json")


async def create_device(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.of(request)
    holder = caller.bound or share_of(caller.user.id)
    members = _wanted(await read_json_body(request, holder, _MAX_BYTES), alone=caller.bound is not None)
    expires_in = parsing.seconds(members, "expires_in", _MAX_SECONDS)
    device, token = await app.devices.create_bounded(
        caller.user,
        name=members["name"],
        space=await _space(request, caller, members),
        origin=caller.origin,
        every_space=caller.bound is None and parsing.flag(members, "every_space") is not False,
        expires_at=None if expires_in is None else time.time() + expires_in,
    )
    return _with_token(device, token, 201)


async def rotate_device(request: Request) -> Response:
    """Another token for the same device; its old one opens nothing any more."""
    app = state(request)
    caller = await app.callers.of(request)
    device = DeviceId(request.path_params["device"])
    rotated = await app.devices.rotate(device, origin=caller.origin, owner=caller.user.id, space=caller.bound)
    if rotated is None:
        raise _unknown()
    await app.live.tell_revoked(rotated[0])
    return _with_token(*rotated, 200)


async def revoke_device(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.of(request)
    device = DeviceId(request.path_params["device"])
    revoked = await app.devices.revoke(device, origin=caller.origin, owner=caller.user.id, space=caller.bound)
    if revoked is None:
        raise _unknown()
    await app.live.tell_revoked(revoked)
    return Response(status_code=204)


async def _space(request: Request, caller: Caller, wanted: dict[str, Any]) -> SpaceId:
    """The space that the token opens where a request names none: the one that is asked for, that of the token that
    asks, or the oldest that the user is in."""
    app = state(request)
    if caller.bound is not None:
        return caller.bound
    asked = parsing.optional(wanted, "space", lambda text: True, "the id of a space of yours")
    if asked is None and caller.device is not None:
        asked = caller.device.space
    if asked is None:
        members = await app.stores.members.of_user(caller.user.id)
        asked = next((member.space for member in members), "")
    await app.spaces.entered(caller, asked, Act.READ)
    return SpaceId(asked)


def _wanted(raw: bytes, *, alone: bool) -> dict[str, Any]:
    """`alone`: the device can be for the caller's own space alone."""
    known = {"name", "expires_in"} if alone else {"name", "expires_in", "space", "every_space"}
    request = codec.parse(raw, max_depth=2)
    name = request.get("name") if isinstance(request, dict) else None
    if not isinstance(request, dict) or not isinstance(name, str) or not is_name(name) or request.keys() - known:
        detail = (
            f'The body must be {{"name": "..."}}: 1 to {MAX_NAME} characters, no control characters among them; and '
            f"may have {', '.join(sorted(known - {'name'}))}."
        )
        raise ProblemError(MALFORMED_REQUEST, detail, pointer="/name")
    return request


def _with_token(device: Device, token: str, status: int) -> Response:
    return Response(
        codec.dumps({"device": device.id, "token": token}),
        status,
        headers={"cache-control": "no-store"},
        media_type="application/json",
    )


def _unknown() -> ProblemError:
    return ProblemError(NOT_FOUND, "You have no such device, or it was revoked before. See GET /devices.")
