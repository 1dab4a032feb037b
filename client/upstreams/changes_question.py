"""What a server is asked for its changes, and whether its answer says that there are none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote

from client.upstreams.server_facts import ServerFacts
from shared.codec import loads_answer
from shared.core.protocol import SPACE_HEADER

SINCE: Final = "since"
ETAG: Final = "etag"
"""What the position in a cursor of a server is: of `GET /hashes?since=`, or of a map's ETag."""


def cursor_at(kind: str, position: str | None) -> str | None:
    """None if the server gave no position."""
    return f"{kind}:{position}" if position else None


def position_in(cursor: str | None, kind: str) -> str | None:
    """None if there is no cursor, or it is of another kind: the server learned, or forgot, something since."""
    its_kind, _, position = (cursor or "").partition(":")
    return position if its_kind == kind else None


def since_path(position: str) -> str:
    return f"/hashes?since={quote(position, safe='')}"


def known_tag(etag: str) -> dict[str, str]:
    return {"if-none-match": etag}


def headers_of(token: str | None, space: str | None, *, accept_encoding: str) -> dict[str, str]:
    """Of every request. `token` None: for what needs none."""
    headers = {"user-agent": "hypertask", "accept-encoding": accept_encoding}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    if space is not None:
        headers[SPACE_HEADER] = space
    return headers


class ChangesQuestion(NamedTuple):
    """Whether anything changed since a position, for who wants to know no more than that."""

    kind: str
    position: str

    @classmethod
    def about(cls, facts: ServerFacts, cursor: str | None) -> ChangesQuestion | None:
        """None: the server can only be asked for all that it has."""
        kind = SINCE if facts.offers("since") else ETAG
        position = position_in(cursor, kind)
        return cls(kind, position) if position else None

    @property
    def path(self) -> str:
        return f"{since_path(self.position)}&limit=1" if self.kind == SINCE else "/hashes"

    @property
    def headers(self) -> Mapping[str, str]:
        return {} if self.kind == SINCE else known_tag(self.position)

    def is_denied(self, status: int, body: bytes) -> bool:
        """Whether the answer says that nothing changed. Whatever else it says is for who can take it in."""
        if self.kind == ETAG:
            return status == 304
        try:
            value = loads_answer(body) if status == 200 else None
        except ValueError:
            return False
        if not isinstance(value, dict) or value.get("cursor") != self.position:
            return False
        return value.get("hashes") == {} and not value.get("more") and not value.get("tasks")
