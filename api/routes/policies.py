"""`/policies`: how the client's schema says that its fields merge."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.errors import INVALID_POLICIES, ProblemError
from api.requests.body import read_body
from api.state import state
from shared import codec, representations
from shared.core.access.roles import Act
from shared.core.merge.policies import InvalidPolicies, Policies, parse

_MAX_BYTES = 256 * 1024


async def get_policies(request: Request) -> Response:
    app = state(request)
    device = await app.devices.of(request)
    return _rendered(await app.documents.policies(device.space))


async def put_policies(request: Request) -> Response:
    app = state(request)
    device = await app.devices.of(request, Act.WRITE)
    declared = await app.parser_pool.value(
        device.share, await read_body(request, device.share, _MAX_BYTES), max_depth=3
    )
    try:
        policies = parse(declared)
    except InvalidPolicies as error:
        raise ProblemError(INVALID_POLICIES, f"{error.detail}.", pointer=error.pointer) from error
    await app.documents.set_policies(device.space, policies)
    return _rendered(policies)


def _rendered(policies: Policies) -> Response:
    return Response(codec.dumps(representations.policies_row(policies)), media_type="application/json")
