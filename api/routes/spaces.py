"""`/spaces`: a person's spaces, their members, and invitations to them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from api.access.accounts import unless_empty
from api.access.callers import Caller
from api.access.spaces import unknown_space
from api.representations import people
from api.requests import parsing
from api.state import state
from shared import codec
from shared.core.access.invitations import Invitation, InvitationId
from shared.core.access.roles import Access, Act, Role, SpaceState
from shared.core.documents import SpaceId, UserId

MAX_INVITATION_SECONDS = 90 * 86400.0


async def list_spaces(request: Request) -> Response:
    """A token that opens one space alone sees no other one. A deleted space is shown to its owner alone."""
    app = state(request)
    caller = await app.callers.of(request)
    members = [one for one in await app.stores.members.of_user(caller.user.id) if caller.bound in (None, one.space)]
    profiles = await app.stores.spaces.by_ids([member.space for member in members])
    rows = [
        people.space_row(profiles[member.space], member.role)
        for member in members
        if member.space in profiles
        and (profiles[member.space].state is not SpaceState.DELETED or member.role is Role.OWNER)
    ]
    return _json({"spaces": rows})


async def add_space(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.at_large(request)
    name = parsing.space_name(await parsing.members_of(request, {"name"}, key=caller.user.id))
    space = await app.spaces.add(caller, name)
    return _json(people.space_row(space, Role.OWNER), 201)


async def get_space(request: Request) -> Response:
    _, space, access = await _entered(request, Act.READ)
    return await _shown(request, space, access)


async def patch_space(request: Request) -> Response:
    app = state(request)
    caller, space, access = await _entered(request, Act.MANAGE)
    members = await parsing.members_of(request, {"name", "archived"}, key=caller.user.id)
    name = parsing.space_name(members) if "name" in members else None
    archived = parsing.flag(members, "archived")
    unless_empty({"name": name} if name is not None else {"archived": archived} if archived is not None else {})
    if name is not None:
        await app.spaces.rename(caller, space, name)
    if archived is not None:
        await app.spaces.archive(caller, space, archived=archived)
    return await _shown(request, space, access)


async def delete_space(request: Request) -> Response:
    caller, space, _ = await _entered(request, Act.MANAGE)
    delete_at = await state(request).spaces.delete(caller, space)
    return _json({"space": space, "delete_at": delete_at}, 202)


async def restore_space(request: Request) -> Response:
    caller, space, access = await _entered(request, Act.MANAGE)
    await state(request).spaces.restore(caller, space)
    return await _shown(request, space, access)


async def transfer_space(request: Request) -> Response:
    caller, space, _ = await _entered(request, Act.MANAGE)
    members = await parsing.members_of(request, {"user"}, key=caller.user.id)
    await state(request).spaces.transfer(caller, space, UserId(parsing.any_text(members, "user")))
    return Response(status_code=204)


async def list_members(request: Request) -> Response:
    app = state(request)
    _, space, _ = await _entered(request, Act.READ)
    members = await app.stores.members.of_space(space)
    users = await app.stores.users.by_ids([member.user for member in members])
    return _json({"members": [people.member_row(member, users.get(member.user)) for member in members]})


async def patch_member(request: Request) -> Response:
    caller, space, _ = await _entered(request, Act.MANAGE)
    role = parsing.role(await parsing.members_of(request, {"role"}, key=caller.user.id))
    await state(request).spaces.set_role(caller, space, UserId(request.path_params["user"]), role)
    return Response(status_code=204)


async def remove_member(request: Request) -> Response:
    """Everybody may leave; the owner may remove others."""
    app = state(request)
    caller = await app.callers.at_large(request)
    user = UserId(request.path_params["user"])
    space, _ = await _space(request, caller, Act.READ if user == caller.user.id else Act.MANAGE)
    await app.spaces.remove(caller, space, user)
    return Response(status_code=204)


async def list_invitations(request: Request) -> Response:
    _, space, _ = await _entered(request, Act.MANAGE)
    waiting = await state(request).stores.invitations.list_of(space)
    return _json({"invitations": [people.invitation_row(invitation) for invitation in waiting]})


async def add_invitation(request: Request) -> Response:
    app = state(request)
    caller, space, access = await _entered(request, Act.MANAGE)
    if access.space is SpaceState.DELETED:
        raise unknown_space()
    members = await parsing.members_of(request, {"role", "expires_in"}, key=caller.user.id)
    seconds = parsing.seconds(members, "expires_in", MAX_INVITATION_SECONDS)
    invitation, secret = await app.spaces.invite(caller.origin, space, parsing.role(members), seconds=seconds)
    return _json(invited(request, invitation, secret), 201)


async def revoke_invitation(request: Request) -> Response:
    caller, space, _ = await _entered(request, Act.MANAGE)
    invitation = InvitationId(request.path_params["invitation"])
    await state(request).spaces.revoke_invitation(caller.origin, space, invitation)
    return Response(status_code=204)


async def show_invitation(request: Request) -> Response:
    """For one who has its secret, before they sign in or up."""
    app = state(request)
    members = await parsing.members_of(request, {"secret"})
    preview = await app.spaces.preview(parsing.any_text(members, "secret"))
    role = preview.invitation.role
    return _json(
        {
            "space": None if preview.space is None else preview.space.name,
            "role": None if role is None else role.value,
            "by": preview.by,
            "expires_at": preview.invitation.expires_at,
        }
    )


async def accept_invitation(request: Request) -> Response:
    app = state(request)
    caller = await app.callers.at_large(request)
    members = await parsing.members_of(request, {"secret"}, key=caller.user.id)
    invitation = await app.spaces.accept(caller, parsing.any_text(members, "secret"))
    role = None if invitation.role is None else invitation.role.value
    return _json({"space": invitation.space, "role": role})


def invited(request: Request, invitation: Invitation, secret: str) -> dict[str, object]:
    """An invitation with its secret, which is shown this once. It stands behind the # of the link: browsers send that
    to no server, so no log has it."""
    public = state(request).settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    return {**people.invitation_row(invitation), "secret": secret, "url": f"{public}/join#{secret}"}


async def _entered(request: Request, act: Act) -> tuple[Caller, SpaceId, Access]:
    """Who asks, the space that the address names, and what they are in it."""
    caller = await state(request).callers.of(request)
    space, access = await _space(request, caller, act)
    return caller, space, access


async def _space(request: Request, caller: Caller, act: Act) -> tuple[SpaceId, Access]:
    name: str = request.path_params["space"]
    return SpaceId(name), await state(request).spaces.entered(caller, name, act)


async def _shown(request: Request, space: SpaceId, access: Access) -> Response:
    return _json(people.space_row(await state(request).spaces.profile(space), access.role))


def _json(value: object, status: int = 200) -> Response:
    return Response(codec.dumps(value), status, media_type="application/json")
