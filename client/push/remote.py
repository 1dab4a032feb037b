"""The server as the client sees it: what it promises, and how it can fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shared.core.documents import Body, DocumentId, HashMap


class RemoteError(Exception):
    """No further request makes sense. The message says what happened and what to do."""

    code = "remote-error"


class UnreachableError(RemoteError):
    """No answer, after all attempts. What the last requests did is not known; they may be repeated."""

    code = "unreachable"


class UnavailableError(RemoteError):
    """The server turned the request away for now (429, 502, 503, 504), after all attempts."""

    code = "unavailable"


class TokenNotAcceptedError(RemoteError):
    """401."""

    code = "token-not-accepted"


class ForbiddenError(RemoteError):
    """403."""

    code = "forbidden"


class NotHypertaskError(RemoteError):
    """Something answers, but not as the protocol says: a wrong address, a proxy, a fault of the server."""

    code = "not-hypertask"


@dataclass(frozen=True, slots=True)
class Correct:
    """What the server says is now the state of the document; None: there is no such document."""

    state: Body | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not take this document as it is; nothing was changed. Others are not concerned."""

    reason: str
    code: str


class Remote(Protocol):
    """One space of one server, by the Network Interchange Format v1.0.

    Every method may raise RemoteError and nothing else that a caller should expect. Each of them may be
    repeated: a state that was sent twice counts once. They may run concurrently.
    """

    async def hashes(self) -> HashMap:
        """Content hashes of all live documents; no acknowledged write is missing."""
        ...

    async def submit(self, document: DocumentId, state: Body | None) -> Correct | Refused:
        """Says what the client thinks the state is and returns what it now is, durably."""
        ...

    async def read(self, document: DocumentId) -> Body | None:
        """The state of a document, without a word about the client's own; None: there is none. By v1.0 alone
        that is `submit(document, None)`."""
        ...
