"""From a request to its route, and from what its handler raises to an answer.

The framework's own application tries one route after another, and hands each message of a request and of its answer
through six layers. Here the path says where to look, and there is one layer (docs/decisions/0070).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from starlette import requests
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api import errors
from api.errors import METHOD_NOT_ALLOWED, NOT_FOUND, ProblemError
from api.http.fields import Fields, fields_of


class Request(requests.Request):
    """What handlers are given."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._fields = fields_of(scope)

    @property
    def headers(self) -> Fields:
        return self._fields


class Router:
    """The application of all routes, whose endpoints are functions of a request. An address that has several routes,
    one for each of its methods, has them under one path. An address is what it is: a redirect to the one without a
    slash at its end would go to whatever the Host header says, and lose the body."""

    def __init__(self, routes: Sequence[Route], lifespan: ASGIApp) -> None:
        """`lifespan`: what opens the process's state, and closes it."""
        self._lifespan = lifespan
        self._of_path: dict[str, list[Route]] = {}
        self._of_segment: dict[str, list[Route]] = {}
        """Those that have parameters, by the first segment of the path, which is none."""
        for route in routes:
            known, key = (
                (self._of_segment, _first_segment(route.path))
                if route.param_convertors
                else (self._of_path, route.path)
            )
            known.setdefault(key, []).append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._lifespan(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await self._route(scope).endpoint(request)
        except Exception as error:
            answer = errors.respond(request, error)
            is_expected = isinstance(error, errors.EXPECTED)
            if not is_expected:
                answer.headers["connection"] = "close"
            await answer(scope, receive, send)
            if not is_expected:
                raise  # to the server, which logs it, and ends the connection
            error.__traceback__ = None  # several requests may be told of one error
        else:
            await response(scope, receive, send)

    def _route(self, scope: Scope) -> Route:
        """The route, of which the scope is told. ProblemError 404 or 405."""
        path, method = scope["path"], scope["method"]
        others: list[Route] = []
        for route in self._of_path.get(path) or self._of_segment.get(_first_segment(path)) or ():
            match = route.path_regex.match(path)
            if match is None:
                continue
            if method in (route.methods or ()):
                scope["endpoint"], scope["path_params"] = route.endpoint, match.groupdict()
                return route
            others.append(route)
        if not others:
            raise ProblemError(NOT_FOUND, "Not Found")
        scope["endpoint"] = others[0].endpoint
        raise ProblemError(METHOD_NOT_ALLOWED, "Method Not Allowed", headers={"allow": ", ".join(_methods(others))})


def _first_segment(path: str) -> str:
    return path[1:].partition("/")[0]


def _methods(routes: Iterable[Route]) -> list[str]:
    methods: set[str] = set()
    for route in routes:
        methods |= route.methods or set()
    return sorted(methods)
