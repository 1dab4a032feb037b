"""What every upstream promises. Drivers are judged by it (tests/contract/test_upstream.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from asyncio import Task

    from client.sync.engine.records import Ancestor, Pending, UpstreamAnswer, UpstreamReply
    from shared.core.identifiers import ContentHash, DocumentId
    from shared.core.index.reconciliation import Fingerprint
    from shared.core.merge.policies import Policies


class UpstreamError(Exception):
    """Nothing more can be done with this upstream now. The message says what happened and what to do."""

    code = "upstream-error"
    passing = False
    """It may be over in a while without anybody doing anything."""


class UpstreamUnreachableError(UpstreamError):
    """No answer. What the last requests did is not known; pending states are sent again."""

    code = "unreachable"
    passing = True


class UpstreamUnavailableError(UpstreamError):
    """It answers that it cannot be done now."""

    code = "unavailable"
    passing = True


class RefusedAccessError(UpstreamError):
    """The token or the user is not let in, or not to this."""

    code = "token-not-accepted"


class NotAnUpstreamError(UpstreamError):
    """Something is there, and it is no upstream of this kind; or it is damaged."""

    code = "not-an-upstream"


class CursorGoneError(Exception):
    """The cursor is too old, or of another life of the upstream: ask for all of it."""


class Abilities(NamedTuple):
    """What an upstream can do beyond v1.0."""

    bases: bool = True
    """It decides by `base`, and knows tombstones."""
    history: bool = True
    """`history` and `restore` work."""
    versions: bool = True
    """It decides by the versions of states. Then it also tells its histories apart: after it was put back to an
    earlier state it knows which bases it has lost, and does not take them for ones that it has never seen."""
    local: bool = False
    """No server is asked. Versions are sent to it also by a folder that has no other upstream."""
    portion: int = 500
    """The number of documents that are best submitted at a time."""
    facts: Mapping[str, Any] = {}
    """Whatever a driver wants to be told again the next time, so that it need not ask."""


class UpstreamChanges(NamedTuple):
    """`hashes`: None is a document that is not live any more. `is_complete`: it is all of the upstream, not what
    changed since the cursor. `cursor`: None if the upstream has none; then the next answer is complete again."""

    hashes: Mapping[DocumentId, ContentHash | None]
    cursor: str | None
    is_complete: bool
    states: Mapping[DocumentId, UpstreamAnswer] = {}
    """Of some of them, or none: the state itself, as `submit` would answer it."""
    problems: Mapping[DocumentId, str] = {}
    """Documents of which somebody put a file into the upstream that cannot be taken in, and what to do. They stay as
    they were until it is corrected. All of them, whatever the cursor."""


def agreement(everything: UpstreamChanges, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
    """What `agrees` answers, by all that the upstream has."""
    from shared.core.index.reconciliation import sum_of  # noqa: PLC0415  it is asked for now and then

    live = {document: content for document, content in everything.hashes.items() if content is not None}
    if sum_of(live).fingerprint == fingerprint:
        return True
    return False if everything.cursor == cursor else None


class Outgoing(NamedTuple):
    """`pending` None: tell me what you have."""

    id: DocumentId
    pending: Pending | None = None
    says_versions: bool = False
    """The answer is to say what the state contains."""
    ancestors: Callable[[], tuple[Ancestor, ...]] = tuple
    """Earlier states that a merge of the pending one may be based on."""
    brings: bool = False
    """The upstream may not have seen them: they go along with the state, asked for or not."""


class Upstream(Protocol):
    """One space of one upstream. Every method may raise UpstreamError, and nothing else that a caller should
    expect (but CursorGoneError where it is named). Every one may be repeated."""

    @property
    def abilities(self) -> Abilities:
        """Known once `changes` has returned."""
        ...

    async def changes(self, cursor: str | None) -> UpstreamChanges:
        """What changed since the cursor; all of it without one. No acknowledged write is missing. Raises
        CursorGoneError."""
        ...

    def submit(
        self, outgoing: Sequence[Outgoing], *, confirmed: bool = False
    ) -> AsyncIterator[dict[DocumentId, UpstreamReply]]:
        """Decides each by the rules of docs/merge.md, durably before it is answered, and answers in portions.

        Each document once at most. A state that was sent before on the same base, by the same device, is no new
        edit, whatever happened since. `confirmed`: many deletions are meant. One that is refused does not stop the
        others. The first portion may be empty: the upstream is at work, and the caller may do something else.
        """
        ...

    async def agrees(self, cursor: str | None, fingerprint: Fingerprint) -> bool | None:
        """Whether what it has, all of it, has this fingerprint (shared/core/index/reconciliation.py). None: it
        changed since the cursor, or cannot tell."""
        ...

    async def policies(self) -> Policies:
        """How the space's fields merge."""
        ...

    async def wait(self, cursor: str | None) -> UpstreamChanges | None:
        """Returns when there may be something after the cursor, or after a while in any case: what `changes` would
        answer, where that was told; None: ask."""
        ...

    async def history(self, document: DocumentId) -> list[dict[str, Any]]:
        """Its revisions, newest first, as protocol.md lists them. Empty where there is no history."""
        ...

    async def state(self, document: DocumentId, content: str) -> dict[str, Any] | None:
        """The body of an earlier state, by its hash; None if it is not kept."""
        ...

    async def close(self) -> None: ...


@runtime_checkable
class Askable(Protocol):
    """An upstream that works on an answer while the caller does something else."""

    async def asked(self, cursor: str | None) -> Task[UpstreamChanges]:
        """As `changes` at this moment; returns when the question has left. Whoever does not await the task cancels
        it."""
        ...


@runtime_checkable
class Copyable(Protocol):
    """An upstream that can show all of its documents at once."""

    def copy(self) -> AsyncIterator[UpstreamChanges]:
        """Every live document, with its state, in pages; nothing if it cannot be done with this one. A cursor is of
        a moment before its page was read, so `changes` from the first page's says all that is missing."""
        ...
