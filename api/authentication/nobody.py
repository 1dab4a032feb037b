"""Requests of nobody: those that carry neither a token nor a session, and those for what everybody may see."""

from __future__ import annotations

from typing import Final

from starlette.types import Scope

from api.authentication.cookies import cookie_in
from api.http.fields import fields_of

_OPEN: Final = frozenset(("/", "/app", "/docs", "/openapi.json"))
_OPEN_ROOTS: Final = ("/app/", "/assets/")
"""Who asks for these is not looked up."""


def is_of_nobody(scope: Scope, session_cookie: str) -> bool:
    """Whether it is known before anything is done that the request is nobody's. It is nobody's, too, if its token
    turns out to be none. `session_cookie`: its name."""
    path: str = scope["path"]
    return path in _OPEN or path.startswith(_OPEN_ROOTS) or not _carries_credential(scope, session_cookie)


def _carries_credential(scope: Scope, session_cookie: str) -> bool:
    fields = fields_of(scope)
    return "authorization" in fields or any(cookie_in(value, session_cookie) for value in fields.getlist("cookie"))
