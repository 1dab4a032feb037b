"""Requests of every shape to pages and to what administrators ask for: every answer is a page, or JSON, and none is a
fault of ours. `tests/protocol/test_generated.py` asks what the OpenAPI document describes; its people are no
administrators."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from starlette.routing import Route

from api.app import ROUTES
from api.authentication.cookies import csrf_of
from api.pages.routes import PAGES
from api.pages.web_client import WEB_CLIENT
from tests.unit.api.people import PASSWORD, People, Person, people
from tests.unit.api.test_admin import administrator

OURS = [*PAGES, *WEB_CLIENT, *(route for route in ROUTES if route.path.startswith("/admin"))]
ACTS = [
    "names",
    "password",
    "restore",
    "rename",
    "archive",
    "invite",
    "withdraw",
    "role",
    "remove",
    "transfer",
    "leave",
]
ACTS += ["approve", "deny", "accept"]
TEXTS = [
    "",
    "a",
    "\0",
    "\ud800",
    "%",
    "x" * 300,
    "../..",
    "http://[",
    "//evil",
    "/account",
    "1e999",
    "nan",
    "-1",
    "0",
]
TEXTS += [
    "9" * 400,
    "yes",
    "editor",
    "owner",
    "a\r\nb",
    "\x1b[2J",
    "anna",
    PASSWORD,
    "a@example.org",
    "\u202e",
    *ACTS,
]
FIELDS = [
    "act",
    "name",
    "password",
    "new",
    "email",
    "invitation",
    "code",
    "space",
    "user",
    "role",
    "archived",
    "next",
]
FIELDS += ["device", "session", ""]
QUERY = [
    "next",
    "done",
    "code",
    "link",
    "invitation",
    "error",
    "state",
    "search",
    "after",
    "limit",
    "before",
    "space",
]
MEMBERS = [*FIELDS, "limits", "administrator", "disabled", "devices", "expires_in"]
VALUES: list[Any] = [None, True, 0, -1, 2**63, 1e300, [], {}, {"spaces_per_user": 5}, {"x": -1}, {"space_bytes": "1"}]
HEADERS = [("origin", "http://["), ("host", "[zz]"), ("sec-fetch-site", "x"), ("content-type", "text/plain")]
HEADERS += [
    ("accept-encoding", "gzip;q=nan"),
    ("if-none-match", '"' * 500),
    ("hypertask-csrf", "x"),
    ("range", "bytes=9-"),
]


def escaped(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def request(random: Random, client: httpx.AsyncClient, texts: list[str]) -> httpx.Request:
    route: Route = random.choice(OURS)
    path = route.path
    for name in ("space", "user", "name", "invitation"):
        path = path.replace(f"{{{name}}}", escaped(random.choice(texts)) or "x")
    query = "&".join(
        f"{random.choice(QUERY)}={escaped(random.choice(texts))}" for _ in range(random.choice([0, 0, 1, 2]))
    )
    method = random.choice(sorted(route.methods or ()))
    headers: dict[str, str] = {}
    body = b""
    if method not in ("GET", "HEAD") and route.path.startswith("/admin"):
        names = random.sample(MEMBERS, random.randrange(5))
        body = json.dumps({name: random.choice([*texts, *VALUES]) for name in names}).encode()
    elif method not in ("GET", "HEAD"):
        headers["content-type"] = "application/x-www-form-urlencoded"
        pairs = [(name, random.choice(texts)) for name in random.sample(FIELDS, random.randrange(5))]
        pairs += [("csrf", csrf_of(client.cookies["hypertask-session"]))] * (random.random() < 0.9)
        body = "&".join(f"{escaped(name)}={escaped(value)}" for name, value in pairs).encode()
    headers.update(random.sample(HEADERS, random.choice([0, 0, 0, 1])))
    return client.build_request(method, f"{path}?{query}", headers=headers, content=body)


async def signed_in(server: People, person: Person, number: int) -> Person:
    """The person, or another one if a request has taken the session away."""
    if (await person.client.get("/me")).status_code == 200:
        return person
    return await server.join(f"anna{number}")


@pytest.mark.parametrize(("count", "seed"), [(150, 1), pytest.param(5_000, 2, marks=pytest.mark.soak)])
async def test_pages_and_administration_have_no_faults(count: int, seed: int) -> None:
    random = Random(seed)
    told: Counter[int] = Counter()
    async with people() as server:
        root, anna = await administrator(server), await server.join("anna")
        texts = [*TEXTS, root.user, anna.user, await anna.home()]
        for number in range(count):
            anna = await signed_in(server, anna, number)
            root = await signed_in(server, root, count + number)
            person = random.choice([root, anna])
            sent = request(random, person.client, texts)
            answer = await person.client.send(sent)
            about = (
                f"{sent.method} {sent.url} {sent.headers} {sent.content!r}: {answer.status_code} {answer.text[:300]}"
            )
            assert answer.status_code < 500, about
            kind = answer.headers.get("content-type", "").partition(";")[0]
            assert answer.status_code < 400 or kind in ("text/html", "application/problem+json"), about
            location = answer.headers.get("location", "/")
            assert location.startswith("/") and not location.startswith(("//", "/\\")), about
            told[answer.status_code] += 1
    assert {200, 303, 400, 404} <= told.keys(), told
