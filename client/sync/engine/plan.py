"""What has to travel between a folder and one upstream.

| | here | there | since the last agreement | action |
|---|---|---|---|---|
| 1 | any | any | a state is on its way | Resend |
| 4 | A | A | | Adopt, if the memory does not say so yet |
| 5 | none | none | there was one | Fetch: the rev of the tombstone |
| 6 | A | other | not edited here | Fetch |
| 7 | none | A | deleted here | Delete |
| 8 | A | other | edited here | Send |

An upstream that was put back to an earlier state does not know what was agreed on since. So after a refused cursor,
or when fingerprints differ, each record is *unverified* until the upstream has answered what is here:

| | here | there | action for an unverified record |
|---|---|---|---|
| 2 | none, deletion agreed | any | Delete: it may have forgotten the deletion |
| 3 | A, as agreed | other, or none | Send: the upstream says who is behind |
| | the rest | | as above |

So it is with a document of which the file contains what the upstream has never seen though nothing was edited since
their last agreement: what came from another upstream, or an edit that was taken back (`ahead`).

An upstream whose documents vanished is not believed at once, nor is a folder (the deletion guard).

Laws (tests/unit/client/sync/engine/test_plan.py):
    what agrees in the files, in the memory and at the upstream needs no action
    a document is named once, and what cannot be read here not at all
    base "0" is said only of what the upstream does not have, by a client whose memory is whole
    a deletion is planned only for what was agreed on before
    what an unverified record agreed on is never fetched over
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from client.sync.engine.planned import Plan
from client.sync.engine.records import Outline, Pending, Record
from shared.codec import canonical, content_hash
from shared.core.identifiers import Body, ContentHash, DocumentId
from shared.core.protocol import CREATED, Limits
from shared.core.resolution.deletion_guard import ALWAYS_ALLOWED, SHARE
from shared.core.resolution.states import DELETED_KEY
from shared.core.version_vectors import Version

MAX_BYTES: Final = Limits().max_document_bytes
NO_OUTLINE: Final = Outline()


@dataclass(frozen=True, slots=True)
class Resend:
    """A state that was sent before and never answered."""

    id: DocumentId


@dataclass(frozen=True, slots=True)
class Send:
    """An edit, or a document that the upstream does not have."""

    id: DocumentId
    created: bool


@dataclass(frozen=True, slots=True)
class Delete:
    """It was deleted here."""

    id: DocumentId


@dataclass(frozen=True, slots=True)
class Fetch:
    """The upstream has something else, and nothing was edited here."""

    id: DocumentId
    removes: bool
    """It is gone there, so the file will go."""


@dataclass(frozen=True, slots=True)
class Adopt:
    """Both sides agree; only the memory has to be told."""

    id: DocumentId


Action = Resend | Send | Delete | Fetch | Adopt


def nothing_to_do(planned: Plan) -> bool:
    """Nothing travels any more, though something may wait for people (`waits`)."""
    return all(isinstance(action, Adopt) for action in planned.actions)


def plan(
    local: Mapping[DocumentId, ContentHash],
    unreadable: AbstractSet[DocumentId],
    outlines: Mapping[DocumentId, Outline],
    *,
    can_delete: bool = True,
    confirmed: bool = False,
    settled: int = 0,
    ahead: AbstractSet[DocumentId] = frozenset(),
) -> Plan:
    """`local`: what the files hold. `confirmed`: many deletions are meant. `settled`: so many documents that agree in
    the files, in the memory and at the upstream were left out of `local` and `outlines`. `ahead`: documents of which
    the file, or the deletion, contains more than was agreed on with this upstream."""
    actions: list[Action] = []
    waiting: dict[str, list[DocumentId]] = {"refused": [], "unreadable": [], "undeletable": []}
    for document in sorted({*local, *outlines}):
        outline, here = outlines.get(document, NO_OUTLINE), local.get(document)
        action = _action(document, here, outline, ahead=document in ahead)
        if action is None:
            continue
        if document in unreadable:
            waiting["unreadable"].append(document)
        elif _is_refused(action, outline, here) and not (confirmed and outline.refused and here is None):
            waiting["refused"].append(document)
        elif isinstance(action, Delete) and not can_delete:
            waiting["undeletable"].append(document)
        else:
            actions.append(action)
    planned = Plan(tuple(actions), **{name: tuple(ids) for name, ids in waiting.items()})
    agreed_on = settled + sum(outline.shadow_hash is not None for outline in outlines.values())
    return planned if confirmed else _guarded(planned, outlines, agreed_on)


def _action(
    document: DocumentId, here: ContentHash | None, outline: Outline, *, ahead: bool = False
) -> Action | None:
    """By the first row that matches, in the order of their numbers. None: both agree, and the memory says so."""
    there, before = outline.remote_hash, outline.shadow_hash
    if outline.is_pending:
        return Resend(document)  # 1
    unverified = outline.unverified and outline.base is not None
    if here is None and (unverified or (ahead and there is not None)):
        return Delete(document)  # 2
    if here is not None and here == before != there and (unverified or ahead):
        return Send(document, created=False)  # 3
    if here == there:
        if here == before and (outline.base is not None or here is None):
            return None
        return Adopt(document) if here is not None else Fetch(document, removes=False)  # 4, 5
    if here == before:
        return Fetch(document, removes=there is None)  # 6
    if here is None:
        return Delete(document)  # 7
    return Send(document, created=outline.base is None and there is None)  # 8


def removals_allowed(agreed_on: int) -> float:
    """So many of the documents that were agreed on may go without being confirmed."""
    return max(ALWAYS_ALLOWED, SHARE * agreed_on)


def _is_refused(action: Action, outline: Outline, here: ContentHash | None) -> bool:
    refused = outline.refused
    if refused is None or not isinstance(action, Send | Delete):
        return False
    # What was too much together with the one state may go with another.
    return refused.hash == here and (refused.file or refused.remote == outline.remote_hash)


def _guarded(planned: Plan, outlines: Mapping[DocumentId, Outline], agreed_on: int) -> Plan:
    """Holds back deletions, and removals, that are an unusual share of what was agreed on."""
    limit = removals_allowed(agreed_on)
    # A deletion that was agreed on before was let through then.
    here = tuple(a.id for a in planned.actions if isinstance(a, Delete) and outlines[a.id].shadow_hash is not None)
    there = tuple(action.id for action in planned.actions if isinstance(action, Fetch) and action.removes)
    held_here = here if len(here) > limit else ()
    held_there = there if len(there) > limit else ()
    held = {*held_here, *held_there}
    actions = tuple(action for action in planned.actions if action.id not in held)
    return planned._replace(actions=actions, held_here=held_here, held_there=held_there)


def pending_for(
    action: Send | Delete,
    record: Record,
    body: Body | None,
    *,
    agreed_once: bool,
    content: ContentHash | None = None,
    by_content: bool = False,
    version: Version | None = None,
    removed: Body | None = None,
) -> Pending | None:
    """The state to send, with its base. The first row that matches:

    | the file | the record | base | `base_state` |
    |---|---|---|---|
    | deleted | nothing is known to be deleted at the upstream, and there is no `version` | nothing is sent: None | |
    | deleted | unverified, `by_content` | the hash of the shadow | null, at once |
    | deleted | else | its base, or "0" | the shadow, if asked for |
    | there | unverified, `by_content` | its own hash | null, at once |
    | there | has a base | that | the shadow: at once on a tombstone, else if asked for |
    | there | no base, the upstream has none such, `agreed_once` | "0" | |
    | there | else: nobody knows whether it is new | its own hash | null, at once |

    With its own hash as base the upstream goes by the content. `by_content`: the upstream does not tell its histories
    apart, so it would take a base that it has forgotten for one that it has never seen, and the state for no edit of
    it. `body`: what the file holds now, `content` its hash, where it is known. `agreed_once`: this memory has agreed
    with the upstream on everything once. `version`: what the state contains. `removed`: what a deletion with a
    version removed, where that is known; it may be more than this upstream ever had.
    """
    outline = record.outline
    # One that an earlier release stored is taken by nobody; its hash says enough.
    shadow = record.shadow if record.shadow is not None and not _is_too_large(record.shadow) else None
    by_content = by_content and outline.unverified
    if body is None:
        unknown = outline.base is None or (record.shadow is None and not outline.unverified)
        if unknown and version is None:
            return None
        last_body = removed if version is not None else record.shadow
        tombstone: Body = {**(last_body or {}), "id": action.id, DELETED_KEY: True}
        if _is_too_large(tombstone):  # its base says enough
            tombstone = {"id": action.id, DELETED_KEY: True}
        if by_content and record.shadow is not None:
            return Pending(tombstone, content_hash(tombstone), content_hash(record.shadow), None, attach=True)
        base = outline.base if outline.base is not None else CREATED
        return Pending(tombstone, content_hash(tombstone), base, shadow, version=version)
    if content is None:
        content = content_hash(body)
    if by_content:
        return Pending(body, content, content, None, attach=True)
    if outline.base is not None:
        attach = outline.gone and record.shadow is not None
        return Pending(body, content, outline.base, shadow, attach, version)
    if outline.remote_hash is None and agreed_once:
        return Pending(body, content, CREATED, version=version)
    return Pending(body, content, content, None, attach=True, version=version)


def _is_too_large(body: Body) -> bool:
    return len(canonical(body)) > MAX_BYTES
