"""Which route a request has, and what becomes of what its handler raises."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.app import ROUTES
from api.errors import NOT_FOUND, ProblemError
from api.http.router import Router
from api.pages.routes import PAGES
from api.pages.web_client import WEB_CLIENT
from shared import codec


async def say(request: Request) -> Response:
    return Response(codec.dumps([request.method, request.path_params, request.headers.get("x-field")]))


async def refuse(request: Request) -> Response:
    raise ProblemError(NOT_FOUND, "none")


async def fail(request: Request) -> Response:
    raise ZeroDivisionError


class Begun(Response):
    """Fails when its head has been sent."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        raise ProblemError(NOT_FOUND, "none")


async def begin(request: Request) -> Response:
    return Begun()


async def other(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "other"})


ROUTER = Router(
    [
        Route("/", say, methods=["GET"]),
        Route("/a", say, methods=["GET"]),
        Route("/a", say, methods=["POST"]),
        Route("/a/", refuse, methods=["GET"]),
        Route("/a/{one}", say, methods=["PUT"]),
        Route("/a/{one}", say, methods=["GET"]),
        Route("/a/{one}/b/{two}", say, methods=["GET"]),
        Route("/fail", fail, methods=["GET"]),
        Route("/begin", begin, methods=["GET"]),
    ],
    other,
)


async def sent_for(method: str, path: str, sent: list[Any]) -> None:
    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    headers = [(b"x-field", b"first"), (b"x-field", b"second")]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers, "state": {}}
    await ROUTER(scope, receive, send)


async def answered(method: str, path: str) -> tuple[int, dict[str, str], Any]:
    sent: list[Any] = []
    try:
        await sent_for(method, path, sent)
    finally:
        start, body = sent
        fields = {name.decode(): value.decode() for name, value in start["headers"]}
        answer = start["status"], fields, codec.loads(body["body"])
    return answer


@pytest.mark.parametrize(
    ("method", "path", "parameters"),
    [
        ("GET", "/", {}),
        ("GET", "/a", {}),
        ("POST", "/a", {}),
        ("HEAD", "/a", {}),
        ("GET", "/a/x", {"one": "x"}),
        ("PUT", "/a/x", {"one": "x"}),
        ("GET", "/a/x/b/y", {"one": "x", "two": "y"}),
    ],
)
async def test_a_route_is_found_by_path_and_method(method: str, path: str, parameters: dict[str, str]) -> None:
    status, _, said = await answered(method, path)
    assert (status, said) == (200, [method, parameters, "first"])


@pytest.mark.parametrize("route", [*ROUTES, *PAGES, *WEB_CLIENT], ids=lambda route: f"{route.path} {route.name}")
def test_all_routes_are_found(route: Route) -> None:
    """None of them is hidden by another one, or has a parameter where the router looks for none."""
    router = Router([*ROUTES, *PAGES, *WEB_CLIENT], other)
    for method in route.methods or ():
        scope = {"path": re.sub(r"\{[^}]*\}", "x", route.path), "method": method}
        assert router._route(scope) is route


@pytest.mark.parametrize("path", ["", "*", "//", "/b", "/a/x/", "/a/x/b", "/a/x/b/y/", "/A", "/a\n"])
async def test_an_address_that_is_none_is_not_found(path: str) -> None:
    status, _, problem = await answered("GET", path)
    assert (status, problem["code"], problem["detail"]) == (404, "not-found", "Not Found")


async def test_a_method_that_an_address_does_not_take_is_told_which_it_takes() -> None:
    for path, allowed in (("/a", "GET, HEAD, POST"), ("/a/x", "GET, HEAD, PUT")):
        status, fields, problem = await answered("DELETE", path)
        assert (status, fields["allow"], problem["code"]) == (405, allowed, "method-not-allowed")


async def test_a_refusal_is_answered_and_a_fault_is_answered_and_raised_on() -> None:
    assert (await answered("GET", "/a/"))[0] == 404
    with pytest.raises(ZeroDivisionError):
        await answered("GET", "/fail")


async def test_what_fails_when_its_answer_has_begun_is_not_answered_once_more() -> None:
    sent: list[Any] = []
    with pytest.raises(ProblemError):
        await sent_for("GET", "/begin", sent)
    assert [message["type"] for message in sent] == ["http.response.start"]
