"""What the walk asks each route for. A route, or a parameter, without a row here fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Names(StrEnum):
    """How a request names what is the victim's."""

    BY_HEADER = "the space, in Hypertask-Space; documents in the path"
    BY_PATH = "the space, in the path"
    BY_ID = "a device or a session, by its id"
    NOTHING = "nothing: it is about who asks, or about nobody"


@dataclass(frozen=True)
class Row:
    """`reader`: the status that a reader gets with a token; None: any. `body` may name things as `{space}`. `form`:
    fields of a page, of which there may be several sets."""

    names: Names
    reader: int | None = None
    body: Any = None
    form: tuple[Mapping[str, str], ...] = ()
    without_csrf: bool = False
    """It would sign out whoever asks, or count as a wrong code: it is sent without the secret that forms have."""


_H, _P, _I, _N = Names.BY_HEADER, Names.BY_PATH, Names.BY_ID, Names.NOTHING
_STATE: Final = {"client_state": {"id": "{document}", "text": "overwritten"}}
_FORMS_OF_A_SPACE: Final = (
    {"act": "rename", "name": "x"},
    {"act": "archive", "archived": "yes"},
    {"act": "delete"},
    {"act": "restore"},
    {"act": "invite", "role": "editor"},
    {"act": "withdraw", "invitation": "{invitation}"},
    {"act": "role", "user": "{user}", "role": "reader"},
    {"act": "remove", "user": "{user}"},
    {"act": "transfer", "user": "{user}"},
)

ROWS: Final[Mapping[tuple[str, str], Row]] = {
    ("/", "GET"): Row(_N, 200),
    ("/healthz", "GET"): Row(_N, 200),
    ("/readyz", "GET"): Row(_N, 200),
    ("/openapi.json", "GET"): Row(_N, 200),
    ("/hashes", "GET"): Row(_H, 200),
    ("/hashes/diff", "POST"): Row(_H, 200, {"ranges": {"": "0" * 32}}),
    ("/events", "GET"): Row(_H, 200),
    ("/tasks", "GET"): Row(_H, 200),
    ("/tasks", "POST"): Row(_H, 200, {"tasks": {"{document}": _STATE}}),
    ("/task/{id}", "GET"): Row(_H, 200),
    ("/task/{id}", "POST"): Row(_H, 403, _STATE),
    ("/task/{id}", "DELETE"): Row(_H, 403),
    ("/task/{id}/revisions", "GET"): Row(_H, 200),
    ("/task/{id}/revisions/{hash}", "GET"): Row(_H, 200),
    ("/task/{id}/restore", "POST"): Row(_H, 403, {"hash": "{hash}"}),
    ("/export", "GET"): Row(_H, 200),
    ("/import", "POST"): Row(_H, 403, {"kind": "space"}),
    ("/policies", "GET"): Row(_H, 200),
    ("/policies", "PUT"): Row(_H, 403, {"/a": "lww"}),
    ("/devices", "GET"): Row(_N, 200),
    ("/devices", "POST"): Row(_N, None, {"name": "phone", "space": "{space}"}),
    ("/devices/{device}", "DELETE"): Row(_I, 404),
    ("/devices/{device}/rotate", "POST"): Row(_I, 404),
    ("/oauth/device", "POST"): Row(_N, form=({"device_name": "x"},)),
    ("/oauth/token", "POST"): Row(_N, form=({"client_id": "x"},)),
    ("/users", "POST"): Row(_N, None, {"name": "Mallory", "password": "a long password"}),
    ("/session", "GET"): Row(_N, 403),
    ("/session", "POST"): Row(_N, None, {}),
    ("/session", "DELETE"): Row(_N, without_csrf=True),
    ("/sessions", "GET"): Row(_N, 403),
    ("/sessions/{session}", "DELETE"): Row(_I, 403),
    ("/me", "GET"): Row(_N, 200),
    ("/me", "PATCH"): Row(_N, 403, {"name": "Mallory", "unknown": 1}),
    ("/me", "DELETE"): Row(_N, 403, {"unknown": 1}),
    ("/me/restore", "POST"): Row(_N, 403),
    ("/me/password", "PUT"): Row(_N, 403, {"unknown": 1}),
    ("/me/export", "GET"): Row(_N, 403),
    ("/spaces", "GET"): Row(_N, 200),
    ("/spaces", "POST"): Row(_N, 201, {"name": "x"}),
    ("/spaces/{space}", "GET"): Row(_P, 200),
    ("/spaces/{space}", "PATCH"): Row(_P, 403, {"name": "x"}),
    ("/spaces/{space}", "DELETE"): Row(_P, 403),
    ("/spaces/{space}/restore", "POST"): Row(_P, 403),
    ("/spaces/{space}/transfer", "POST"): Row(_P, 403, {"user": "{user}"}),
    ("/spaces/{space}/members", "GET"): Row(_P, 200),
    ("/spaces/{space}/members/{user}", "PATCH"): Row(_P, 403, {"role": "reader"}),
    ("/spaces/{space}/members/{user}", "DELETE"): Row(_P, 403),
    ("/spaces/{space}/invitations", "GET"): Row(_P, 403),
    ("/spaces/{space}/invitations", "POST"): Row(_P, 403, {"role": "editor"}),
    ("/spaces/{space}/invitations/{invitation}", "DELETE"): Row(_P, 403),
    ("/invitations/show", "POST"): Row(_N, 410, {"secret": "{invitation}"}),
    ("/invitations/accept", "POST"): Row(_N, 410, {"secret": "{invitation}"}),
    ("/sign-in", "GET"): Row(_N),
    ("/sign-in", "POST"): Row(_N, form=({},)),
    ("/sign-up", "GET"): Row(_N),
    ("/sign-up", "POST"): Row(_N, form=({},)),
    ("/sign-out", "GET"): Row(_N),
    ("/sign-out", "POST"): Row(_N, form=({},), without_csrf=True),
    ("/join", "GET"): Row(_N),
    ("/join", "POST"): Row(_N, form=({"invitation": "{invitation}", "act": "accept"},)),
    ("/device", "GET"): Row(_N),
    ("/device", "POST"): Row(_N, form=({"code": "x"},), without_csrf=True),
    ("/account", "GET"): Row(_N),
    ("/account", "POST"): Row(_N, form=({"act": "unknown"},)),
    ("/account/devices", "GET"): Row(_N),
    ("/account/devices", "POST"): Row(_I, form=({"device": "{device}"},)),
    ("/account/sessions", "GET"): Row(_N),
    ("/account/sessions", "POST"): Row(_I, form=({"session": "{session}"},)),
    ("/account/spaces", "GET"): Row(_N),
    ("/account/spaces", "POST"): Row(_N, form=({"name": "x"},)),
    ("/account/spaces/{space}", "GET"): Row(_P),
    ("/account/spaces/{space}", "POST"): Row(_P, form=_FORMS_OF_A_SPACE),
    ("/oidc/start", "GET"): Row(_N),
    ("/oidc/callback", "GET"): Row(_N),
    ("/docs", "GET"): Row(_N),
    ("/assets/{name}", "GET"): Row(_N),
}
ADMIN: Final = Row(_N, 404)
"""Of every route below /admin: nobody here is an administrator, and nobody is told that there is such a route."""

PARAMETERS: Final[Mapping[str, tuple[str, ...]]] = {
    "since": ("{cursor}",),
    "after": ("{document}",),
    "ids": ("{document}", "a,{document}"),
    "limit": ("1",),
    "wait": ("0",),
    "states": ("1",),
    "dry_run": ("1",),
    "if-none-match": ('"{cursor}"', '"{hash}"', "*"),
    "if-match": ('"{hash}"', "*"),
    "last-event-id": ("{cursor}",),
    "hypertask-confirm": ("deletions",),
    "hypertask-space": ("{space}",),
    "hypertask-csrf": (),
}
"""Of the OpenAPI document: the values that each is tried with. The CSRF secret goes with every request."""
