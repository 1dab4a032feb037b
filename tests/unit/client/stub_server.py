"""A v1.0 server in memory, for httpx.MockTransport. It takes the arriving fields, as simply as can be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import rfc8785

Body = dict[str, Any]


def hash_of(body: Body) -> str:
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()[:32]


def union(stored: Body, arriving: Body) -> Body:
    return {**stored, **arriving}


@dataclass
class StubServer:
    """`trouble` is consulted before every request: a response or an exception in its place, or None."""

    token: str = "good-token"
    documents: dict[str, Body] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    refused: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    resolve: Callable[[Body, Body], Body] = union
    trouble: Callable[[httpx.Request], httpx.Response | Exception | None] = lambda request: None
    log: list[str] = field(default_factory=list)
    """Every request that was not lost in trouble, as "GET /hashes"."""
    after_post: Callable[[str], None] = lambda document: None

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self.answer)

    @property
    def posts(self) -> list[str]:
        return [entry.removeprefix("POST /task/") for entry in self.log if entry.startswith("POST")]

    def answer(self, request: httpx.Request) -> httpx.Response:
        match self.trouble(request):
            case Exception() as error:
                raise error
            case httpx.Response() as response:
                return response
        self.log.append(f"{request.method} {request.url.path}")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return problem(401, "unauthenticated", "The token is not known.")
        if request.method == "GET" and request.url.path == "/hashes":
            return httpx.Response(200, json={name: hash_of(body) for name, body in self.documents.items()})
        document = request.url.path.removeprefix("/task/")
        if request.method == "GET":
            return self._read(document)
        return self._post(document, json.loads(request.content))

    def _read(self, document: str) -> httpx.Response:
        if document not in self.documents:
            return problem(404, "not-found", "There is no such document.")
        return httpx.Response(200, json=self.documents[document])

    def _post(self, document: str, envelope: Any) -> httpx.Response:
        assert envelope.keys() == {"client_state"}
        state = envelope["client_state"]
        if document in self.refused:
            status, members = self.refused[document]
            return httpx.Response(status, json=members)
        if state is not None and document not in self.deleted:
            assert state["id"] == document
            stored = self.documents.get(document)
            self.documents[document] = state if stored is None else self.resolve(stored, state)
        answer = httpx.Response(200, json={"server_state": self.documents.get(document)})
        self.after_post(document)
        return answer


def problem(status: int, code: str, detail: str, **more: Any) -> httpx.Response:
    members = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code, **more}
    headers = {"content-type": "application/problem+json"}
    return httpx.Response(status, json=members, headers=headers)
