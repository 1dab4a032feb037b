"""`/devices`: the devices of the caller's own user that open the caller's space. What a token can reach is one space,
so it neither shows nor revokes what opens another one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.body import read_json_body
from api.errors import MALFORMED_REQUEST, NOT_FOUND, ProblemError
from api.representations import answers
from api.state import state
from shared import codec
from shared.core.access.audit import Origin
from shared.core.display import MAX_NAME, is_name
from shared.core.documents import Device, DeviceId, UserId

_MOST_BYTES = 4096


async def list_devices(request: Request) -> Response:
    app = state(request)
    caller = await app.devices.of(request)
    devices = await app.devices.list_of(owner_of(caller), caller.space)
    rows = [answers.device_row(device, current=device.id == caller.id) for device in devices]
    return Response(codec.dumps({"devices": rows}), media_type="application/json")


async def create_device(request: Request) -> Response:
    app = state(request)
    caller = await app.devices.of(request)
    name = _name(await read_json_body(request, caller.space, _MOST_BYTES))
    owner = (await app.stores.users.by_ids([owner_of(caller)]))[owner_of(caller)]
    device, token = await app.devices.create_bounded(
        owner, name=name, space=caller.space, origin=_origin(request, caller)
    )
    return _created(device, token)


async def revoke_device(request: Request) -> Response:
    app = state(request)
    caller = await app.devices.of(request)
    device = DeviceId(request.path_params["device"])
    revoked = await app.devices.revoke(
        device, origin=_origin(request, caller), owner=owner_of(caller), space=caller.space
    )
    if revoked is None:
        raise ProblemError(NOT_FOUND, "You have no such device, or it was revoked before. See GET /devices.")
    await app.live.tell_revoked(revoked)
    return Response(status_code=204)


def owner_of(device: Device) -> UserId:
    """Of a device whose token was looked up."""
    assert device.owner is not None
    return device.owner


def _origin(request: Request, device: Device) -> Origin:
    address = None if request.client is None else request.client.host
    return Origin(f"device {device.id}", device.owner, address)


def _name(raw: bytes) -> str:
    request = codec.parse(raw, max_depth=2)
    name = request.get("name") if isinstance(request, dict) else None
    if not isinstance(name, str) or not is_name(name) or set(request) != {"name"}:
        detail = f'The body must be {{"name": "..."}}: 1 to {MAX_NAME} characters, no control characters among them.'
        raise ProblemError(MALFORMED_REQUEST, detail, pointer="/name")
    return name


def _created(device: Device, token: str) -> Response:
    return Response(
        codec.dumps({"device": device.id, "token": token}),
        201,
        headers={"cache-control": "no-store"},
        media_type="application/json",
    )
