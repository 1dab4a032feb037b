"""Bodies of requests about people and spaces. Every function raises ProblemError with the member that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from starlette.requests import Request

from api.access.callers import address_of
from api.errors import MALFORMED_REQUEST, ProblemError
from api.requests.body import read_json_body
from shared import codec
from shared.core.access.people import EMAIL_RULE, NAME_RULE, PASSWORD_RULE, email_key, is_password, is_user_name
from shared.core.access.roles import GRANTED, Role
from shared.core.display import MAX_NAME, is_name
from shared.core.documents import share_of

T = TypeVar("T")
MAX_BYTES: Final = 16 * 1024


async def members_of(request: Request, known: Collection[str], *, key: str | None = None) -> dict[str, Any]:
    """The members of the body, which is a JSON object and has no others than those. `key`: whose share of memory the
    body takes; of the address that it comes from, if nobody is known."""
    raw = await read_json_body(request, share_of(key or str(address_of(request))), MAX_BYTES)
    members = codec.parse(raw, max_depth=3)
    if not isinstance(members, dict):
        raise ProblemError(MALFORMED_REQUEST, "The body must be a JSON object.")
    for name in members:
        if name not in known:
            shown = ", ".join(sorted(known))
            raise ProblemError(MALFORMED_REQUEST, f"A member is not known; there are: {shown}.", pointer=f"/{name}")
    return members


def wanted(members: dict[str, Any], name: str, fits: Callable[[str], bool], rule: str) -> str:
    """A text that must be there."""
    value = members.get(name)
    if not isinstance(value, str) or not fits(value):
        raise ProblemError(MALFORMED_REQUEST, f'"{name}" must be a text: {rule}.', pointer=f"/{name}")
    return value


def optional(members: dict[str, Any], name: str, fits: Callable[[str], bool], rule: str) -> str | None:
    """A text, or null, or left out."""
    return None if members.get(name) is None else wanted(members, name, fits, rule)


def user_name(members: dict[str, Any]) -> str:
    return wanted(members, "name", is_user_name, NAME_RULE)


def email(members: dict[str, Any]) -> str | None:
    return optional(members, "email", lambda text: email_key(text) is not None, EMAIL_RULE)


def new_password(members: dict[str, Any], name: str) -> str:
    return wanted(members, name, is_password, PASSWORD_RULE)


def space_name(members: dict[str, Any]) -> str:
    return wanted(members, "name", is_name, f"1 to {MAX_NAME} characters without control characters")


def any_text(members: dict[str, Any], name: str) -> str:
    """Something that is looked up or verified."""
    return wanted(members, name, lambda text: 0 < len(text) <= 1000, "1 to 1000 characters")


def role(members: dict[str, Any]) -> Role:
    """One that can be given."""
    return Role(wanted(members, "role", lambda text: text in set(GRANTED), " or ".join(GRANTED)))


def flag(members: dict[str, Any], name: str) -> bool | None:
    value = members.get(name)
    if value is not None and not isinstance(value, bool):
        raise ProblemError(MALFORMED_REQUEST, f'"{name}" is true or false.', pointer=f"/{name}")
    return value


def seconds(members: dict[str, Any], name: str, most: float) -> float | None:
    """How long something holds, from a second on."""
    value = members.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= most:
        detail = f'"{name}" is a number of seconds from 1 to {most:g}.'
        raise ProblemError(MALFORMED_REQUEST, detail, pointer=f"/{name}")
    return float(value)
