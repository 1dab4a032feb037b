"""What pages of other sites can have a browser do that is signed in here, by any address that changes something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from api.app import ROUTES
from api.pages.routes import PAGES
from api.pages.web_client import WEB_CLIENT
from tests.unit.api.people import People, people

SAFE: Final = {"GET", "HEAD", "OPTIONS"}
WITHOUT_COOKIE: Final = {"/oauth/device", "/oauth/token", "/invitations/show"}
"""They look at no session, and change nothing for whoever has one."""
FOREIGN: Final[list[dict[str, str]]] = [
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]
FORMS: Final = ("application/x-www-form-urlencoded", "text/plain", "application/json")
"""What a page can have a browser send, and what it cannot: it must not matter."""


def changing() -> Iterator[tuple[str, str]]:
    for route in (*ROUTES, *PAGES, *WEB_CLIENT):
        for method in sorted((route.methods or set()) - SAFE):
            if route.path not in WITHOUT_COOKIE:
                yield method, re.sub(r"\{[^}]*\}", "x", route.path)


async def stored(server: People) -> list[Any]:
    """What such a request could change."""
    stores = server.service.stores
    spaces = await stores.spaces.search("", "", 99)
    users = await stores.users.search("", "", 99)
    return [*spaces, *users, *[session for user in users for session in await stores.sessions.list_of(user.id)]]


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
async def test_a_page_of_another_site_changes_nothing_even_if_it_knew_the_secret(foreign: dict[str, str]) -> None:
    async with people() as server:
        alice = await server.join("alice")
        csrf = alice.client.headers["hypertask-csrf"]
        before = await stored(server)
        asked = list(changing())
        assert len(asked) > 40
        for method, path in asked:
            answer = await alice.client.request(
                method, path, headers={**foreign, "content-type": FORMS[0]}, content=f"csrf={csrf}"
            )
            assert answer.status_code == 403, (method, path, answer.status_code, answer.text[:200])
        assert await stored(server) == before


async def test_a_form_of_another_site_that_no_browser_marks_changes_nothing() -> None:
    """Old browsers send neither `Origin` nor `Sec-Fetch-Site`; what they cannot send is the header or the field."""
    async with people() as server:
        alice = await server.join("alice")
        del alice.client.headers["hypertask-csrf"]
        before = await stored(server)
        for method, path in changing():
            for kind in FORMS:
                if (method, path) in {("POST", "/session"), ("POST", "/users")}:
                    continue  # nobody is signed in before; the answer to the body is another test's
                answer = await alice.client.request(method, path, headers={"content-type": kind}, content="{}")
                assert answer.status_code in (400, 401, 403, 415), (method, path, kind, answer.status_code)
        assert await stored(server) == before


async def test_no_page_is_shown_in_a_frame_or_runs_what_stands_in_it() -> None:
    async with people() as server:
        alice = await server.join("alice")
        for route in (*PAGES, *WEB_CLIENT):
            path = re.sub(r"\{[^}]*\}", "x", route.path)
            answer = await alice.client.get(path)
            if "html" not in answer.headers.get("content-type", ""):
                continue
            policy = dict(
                part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";")
            )
            assert policy["frame-ancestors"] == "'none'" and policy["default-src"] == "'none'", path
            assert policy["script-src"] == "'self'" and policy["form-action"] == "'self'", path
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-credentials" not in answer.headers
