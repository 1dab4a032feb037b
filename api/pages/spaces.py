"""`/account/spaces`: spaces, their members, and invitations to them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.responses import Response

from api.access.spaces import unknown_space
from api.errors import MALFORMED_REQUEST, ProblemError
from api.pages.site import Visit, to
from api.requests import parsing
from api.routes.spaces import invited
from shared.core.access.invitations import InvitationId
from shared.core.access.roles import GRANTED, Access, Act, Role, SpaceState
from shared.core.documents import SpaceId, UserId

LIST: Final = "/account/spaces"


async def show_spaces(visit: Visit) -> Response:
    app = visit.app
    members = await app.stores.members.of_user(visit.person.user.id)
    profiles = await app.stores.spaces.by_ids([member.space for member in members])
    rows = [
        (profiles[member.space], member.role)
        for member in members
        if member.space in profiles
        and (profiles[member.space].state is not SpaceState.DELETED or member.role is Role.OWNER)
    ]
    return visit.render("spaces.html", rows=rows)


async def spaces(visit: Visit) -> Response:
    space = await visit.app.spaces.add(visit.person, parsing.space_name(dict(visit.fields)))
    return to(_path(space.id), done="created")


async def show_space(visit: Visit) -> Response:
    return await _shown(visit)


async def space(visit: Visit) -> Response:
    act = _ACTS.get(visit.fields.get("act", ""))
    if act is None:
        raise ProblemError(MALFORMED_REQUEST, "The form is not known. Load the page again.")
    needed, done = act
    return await done(visit, _space(visit), await _entered(visit, needed))


async def _shown(visit: Visit, link: str | None = None) -> Response:
    """`link`: of an invitation that was just made; it is shown this once."""
    app, identity = visit.app, _space(visit)
    access = await _any_access(visit)
    profile = await app.spaces.profile(identity)
    members = await app.stores.members.of_space(identity)
    users = await app.stores.users.by_ids([member.user for member in members])
    is_owner = access.role is Role.OWNER
    invitations = await app.stores.invitations.list_of(identity) if is_owner else []
    return visit.render(
        "space.html",
        space=profile,
        role=access.role,
        is_owner=is_owner,
        members=[(member, users.get(member.user)) for member in members],
        invitations=invitations,
        roles=GRANTED,
        link=link,
        server=str(visit.request.base_url).rstrip("/"),
    )


async def _any_access(visit: Visit) -> Access:
    """Whoever may read it sees it; its owner also if it is deleted."""
    try:
        return await _entered(visit, Act.READ)
    except ProblemError:
        return await _entered(visit, Act.MANAGE)


async def _entered(visit: Visit, act: Act) -> Access:
    return await visit.app.spaces.entered(visit.person, visit.request.path_params["space"], act)


async def _rename(visit: Visit, space: SpaceId, access: Access) -> Response:
    await visit.app.spaces.rename(visit.person, space, parsing.space_name(dict(visit.fields)))
    return to(_path(space), done="saved")


async def _archive(visit: Visit, space: SpaceId, access: Access) -> Response:
    await visit.app.spaces.archive(visit.person, space, archived=visit.fields.get("archived") == "yes")
    return to(_path(space), done="saved")


async def _delete(visit: Visit, space: SpaceId, access: Access) -> Response:
    await visit.app.spaces.delete(visit.person, space)
    return to(LIST, done="deleted")


async def _restore(visit: Visit, space: SpaceId, access: Access) -> Response:
    await visit.app.spaces.restore(visit.person, space)
    return to(_path(space), done="restored")


async def _invite(visit: Visit, space: SpaceId, access: Access) -> Response:
    if access.space is SpaceState.DELETED:
        raise unknown_space()
    role = parsing.role(dict(visit.fields))
    invitation, secret = await visit.app.spaces.invite(visit.person.origin, space, role)
    return await _shown(visit, str(invited(visit.request, invitation, secret)["url"]))


async def _withdraw(visit: Visit, space: SpaceId, access: Access) -> Response:
    invitation = InvitationId(visit.fields.get("invitation", ""))
    await visit.app.spaces.revoke_invitation(visit.person.origin, space, invitation)
    return to(_path(space), done="withdrawn")


async def _set_role(visit: Visit, space: SpaceId, access: Access) -> Response:
    await visit.app.spaces.set_role(visit.person, space, _member(visit), parsing.role(dict(visit.fields)))
    return to(_path(space), done="saved")


async def _remove(visit: Visit, space: SpaceId, access: Access) -> Response:
    await visit.app.spaces.remove(visit.person, space, _member(visit))
    return to(_path(space), done="removed")


async def _leave(visit: Visit, space: SpaceId, access: Access) -> Response:
    await visit.app.spaces.remove(visit.person, space, visit.person.user.id)
    return to(LIST, done="left")


async def _transfer(visit: Visit, space: SpaceId, access: Access) -> Response:
    await visit.app.spaces.transfer(visit.person, space, _member(visit))
    return to(_path(space), done="handed-over")


_ACTS: Final[Mapping[str, tuple[Act, Callable[[Visit, SpaceId, Access], Awaitable[Response]]]]] = {
    "rename": (Act.MANAGE, _rename),
    "archive": (Act.MANAGE, _archive),
    "delete": (Act.MANAGE, _delete),
    "restore": (Act.MANAGE, _restore),
    "invite": (Act.MANAGE, _invite),
    "withdraw": (Act.MANAGE, _withdraw),
    "role": (Act.MANAGE, _set_role),
    "remove": (Act.MANAGE, _remove),
    "transfer": (Act.MANAGE, _transfer),
    "leave": (Act.READ, _leave),
}


def _space(visit: Visit) -> SpaceId:
    return SpaceId(visit.request.path_params["space"])


def _member(visit: Visit) -> UserId:
    return UserId(visit.fields.get("user", ""))


def _path(space: SpaceId) -> str:
    return f"{LIST}/{space}"
