"""A running server as the clients of a run see it: every request goes over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx

from shared.core.documents import Body
from shared.core.merge.objects import ABSENT
from tests.convergence.servers import Answer, Request

Token = Callable[[str, bool], str]
"""(name, shared) -> a token of the space; `shared` says that several devices use it."""


class OverHttp:
    """`tests.convergence.servers.Server` on the routes of the API.

    Time is the real time. The conflicts that a v1.0 client is not told are read from the history of the document.
    That is read once after each request that may add to it, and a state, which its hash names, once.
    """

    def __init__(self, http: httpx.Client, token: Token) -> None:
        self._http = http
        self._token = token
        self._tokens: dict[str | None, str] = {}
        self._told: set[tuple[Any, ...]] = set()
        self._stories: dict[str, list[dict[str, Any]]] = {}
        self._states: dict[tuple[str, str], Body] = {}

    def now(self) -> float:
        return time.time()

    def advance(self, seconds: float) -> None:
        return None

    def post(self, device: str | None, document: str, request: Request) -> Answer:
        body = {name: value for name, value in request.items() if name != "_edits"}
        self._stories.pop(document, None)
        answer = self._http.post(f"/task/{document}", json=body, headers=self._headers(device))
        if answer.status_code == 409:
            return {"error": answer.json()["code"]}
        found: Answer = answer.raise_for_status().json()
        rows = [*found.get("conflicts", ()), *self._recorded(document)]
        conflicts = [{"kept": ABSENT, "dropped": ABSENT, **row} for row in rows]
        rev = found.get("rev", "v1.0" if self.size(document) else "0")
        return {"server_state": found["server_state"], "rev": rev, "conflicts": conflicts}

    def hashes(self, device: str | None) -> dict[str, str]:
        found: dict[str, str] = self._http.get("/hashes", headers=self._headers(device)).raise_for_status().json()
        return found

    def bodies(self, document: str) -> Iterable[Body]:
        """Every body that the history of the document says can be read."""
        return [self._state(document, row["hash"]) for row in self._story(document) if row["has_body"]]

    def size(self, document: str) -> int:
        return len(self._story(document))

    def prune(self, document: str, before: float) -> None:
        return None

    def saved(self) -> Callable[[], None]:
        return lambda: None

    def write_others(self, count: int) -> None:
        return None

    def _recorded(self, document: str) -> list[dict[str, Any]]:
        new = []
        for row in self._story(document):
            name = (document, row["rev"], row["hash"], row["received"], row["at"])
            if row["conflicts"] and name not in self._told:
                self._told.add(name)
                new += row["conflicts"]
        return new

    def _state(self, document: str, content: str) -> Body:
        if (document, content) not in self._states:
            answer = self._http.get(f"/task/{document}/revisions/{content}", headers=self._headers(None))
            self._states[document, content] = answer.raise_for_status().json()
        return self._states[document, content]

    def _story(self, document: str) -> list[dict[str, Any]]:
        if document not in self._stories:
            self._stories[document] = self._read_story(document)
        return self._stories[document]

    def _read_story(self, document: str) -> list[dict[str, Any]]:
        answer = self._http.get(f"/task/{document}/revisions", headers=self._headers(None))
        if answer.status_code == 404:
            return []
        rows: list[dict[str, Any]] = answer.raise_for_status().json()["revisions"]
        return rows

    def _headers(self, device: str | None) -> dict[str, str]:
        if device not in self._tokens:
            self._tokens[device] = self._token(device or "several", device is None)
        return {"Authorization": f"Bearer {self._tokens[device]}"}
