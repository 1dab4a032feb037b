"""Each parameter that a route reads is in api/openapi.yaml, and each one that stands there is read."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request

from api.app import ROUTES
from api.http import router
from api.pages.routes import PAGES
from api.representations.imports import InvalidExportError
from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.documents import UserId
from tests.described import openapi_document
from tests.instance import ROOT
from tests.unit.api.people import People, people

DOCUMENT = openapi_document()
OF_HTTP = {
    "accept", "accept-encoding", "authorization", "connection", "content-encoding", "content-length", "content-type",
    "cookie", "host", "origin", "sec-fetch-site", "user-agent",
}  # fmt: skip
"""Headers that are not parameters of one operation; OpenAPI wants the first ones left out."""
BODIES: dict[str, Any] = {
    "/task/{id}": {"client_state": {"id": "a", "n": 1}},
    "/tasks": {"tasks": {"a": {"client_state": None}}},
    "/hashes/diff": {"ranges": {}},
    "/policies": {},
}
QUERIES = ("", "?ids=a", "?since=junk")


class Recorder:
    """Which query parameters and headers were asked for, by operation."""

    def __init__(self) -> None:
        self.read: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self.operation = ("", "")

    def note(self, name: object) -> None:
        self.read[self.operation].add(str(name).lower())


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()

    class Query(QueryParams):
        def get(self, key: str, default: Any = None) -> Any:  # type: ignore[override]
            found.note(key)
            return super().get(key, default)

        def __contains__(self, key: object) -> bool:
            found.note(key)
            return super().__contains__(key)

    class Fields(Headers):
        def __getitem__(self, key: str) -> str:
            found.note(key)
            return super().__getitem__(key)

        def __contains__(self, key: object) -> bool:
            found.note(key)
            return super().__contains__(key)

    monkeypatch.setattr(Request, "query_params", property(lambda self: Query(self.scope["query_string"])))
    for kind in (Request, router.Request):
        monkeypatch.setattr(kind, "headers", property(lambda self: Fields(scope=self.scope)))
    return found


def operations() -> Iterator[tuple[str, str]]:
    for route in ROUTES:
        for method in (route.methods or set()) - {"HEAD"}:
            yield route.path, method


def documented(path: str, method: str) -> set[str]:
    item = DOCUMENT["paths"][path]
    rows = [*item.get("parameters", []), *item[method.lower()].get("parameters", [])]
    rows = [resolved(row) for row in rows]
    return {row["name"].lower() for row in rows if row["in"] in ("query", "header")}


def kinds_of(path: str, method: str) -> set[str]:
    """How whoever asks shows who he is."""
    needed = DOCUMENT["paths"][path][method.lower()].get("security", DOCUMENT["security"])
    return {kind for one in needed for kind in one}


def resolved(row: dict[str, Any]) -> dict[str, Any]:
    found: Any = row
    while "$ref" in found:
        name = found["$ref"]
        found = DOCUMENT
        for part in name.removeprefix("#/").split("/"):
            found = found[part]
    return dict(found)


async def asked(server: People, client: httpx.AsyncClient, method: str, path: str, **names: str) -> None:
    """What comes of it is of no interest here; of a stream its head."""
    body = BODIES.get(path, {"name": "x", "secret": "x", "user": "u", "role": "reader"})
    body = {"hash": names["hash"]} if path.endswith("/restore") else body
    for query in QUERIES:
        more = {} if method in ("GET", "DELETE") else {"json": body}
        with contextlib.suppress(InvalidExportError):  # by the importer in memory
            await client.request(method, path.format(**names) + query, **more)  # type: ignore[arg-type]


async def test_what_is_read_is_what_is_documented(recorder: Recorder) -> None:
    async with people() as server:
        for path, method in operations():
            if path == "/events":
                continue
            owner = await server.join(f"{method} {path}".replace("@", ""))
            recorder.operation = ("", "")
            token, space = await owner.token(), await owner.home()
            entry = BY_OPERATOR.entry(AuditAct.USER_ADMINISTRATOR, 1.0)
            await server.service.stores.users.set_administrator(UserId(owner.user), True, entry)
            names = {
                "id": "a",
                "hash": "0" * 32,
                "device": "d",
                "session": "w",
                "invitation": "i",
                "user": owner.user,
            }
            await server.device(token).post("/task/a", json={"client_state": {"id": "a"}})
            names["hash"] = (await server.device(token).get("/hashes")).json()["a"]
            recorder.operation = (path, method)
            for client in (server.device(token), owner.client):
                await asked(server, client, method, path, space=space, **names)
    wrong = {}
    for path, method in operations():
        read, written = recorder.read[path, method] - OF_HTTP, documented(path, method)
        if "bearer" not in kinds_of(path, method):
            read.discard("hypertask-space")  # of a token, which is refused
        if path != "/events" and read != written:
            wrong[f"{method} {path}"] = {"not documented": read - written, "not read": written - read}
    assert wrong == {}


def test_every_page_is_on_the_page_about_hosting() -> None:
    text = (ROOT / "docs" / "hosting.md").read_text()
    assert [route.path for route in PAGES if f"`{route.path}`" not in text] == []
