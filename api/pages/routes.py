"""The addresses of all pages."""

from __future__ import annotations

from typing import Final

from starlette.routing import Route

from api.pages import account, entrance, provider, spaces, terminal
from api.pages.assets import asset, show_docs
from api.pages.site import page

_BOTH: Final = ["GET", "POST"]
PAGES: Final = [
    Route("/sign-in", page(entrance.show_sign_in, entrance.sign_in, signed_in=False), methods=_BOTH),
    Route("/sign-up", page(entrance.show_sign_up, entrance.sign_up, signed_in=False), methods=_BOTH),
    Route("/sign-out", page(entrance.show_sign_out, entrance.sign_out, signed_in=False), methods=_BOTH),
    Route("/join", page(entrance.show_join, entrance.join, signed_in=False), methods=_BOTH),
    Route("/device", page(terminal.show_device, terminal.device), methods=_BOTH),
    Route("/account", page(account.show_account, account.account), methods=_BOTH),
    Route("/account/devices", page(account.show_devices, account.devices), methods=_BOTH),
    Route("/account/sessions", page(account.show_sessions, account.sessions), methods=_BOTH),
    Route("/account/spaces", page(spaces.show_spaces, spaces.spaces), methods=_BOTH),
    Route("/account/spaces/{space}", page(spaces.show_space, spaces.space), methods=_BOTH),
    Route("/oidc/start", page(provider.start, signed_in=False), methods=["GET"]),
    Route(provider.CALLBACK, page(provider.callback, signed_in=False), methods=["GET"]),
    Route("/docs", page(show_docs, signed_in=False), methods=["GET"]),
    Route("/assets/{name}", asset, methods=["GET"]),
]
"""They answer with HTML, not with what the OpenAPI document describes."""
