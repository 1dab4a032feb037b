"""What follows when somebody has proved who they are: their session, and the invitation that they came with."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.access.callers import Caller, address_of
from api.errors import ProblemError
from api.state import AppState, state
from shared.core.access.audit import Origin
from shared.core.access.invitations import Invitation
from shared.core.access.people import User


async def begun(request: Request, user: User, response: Response) -> tuple[Caller, Response]:
    """A session of the user, who has proved who they are; the response brings its cookie."""
    app, address = state(request), address_of(request)
    session, token = await app.sign_in.begin(user, address=address, agent=request.headers.get("user-agent", ""))
    app.callers.cookie.put(response, token, user.id)
    return Caller(user, Origin(f"session {session.id}", user.id, address), session=session), response


async def joined(app: AppState, caller: Caller, secret_hash: str) -> str:
    """Accepts the invitation; the page to go to, which says so if it is of no use."""
    try:
        return page_of(await app.spaces.accept_hashed(caller, secret_hash))
    except ProblemError:
        return "/account/spaces?done=of-no-use"


def page_of(invitation: Invitation) -> str:
    return "/account/spaces" if invitation.space is None else f"/account/spaces/{invitation.space}?done=joined"
