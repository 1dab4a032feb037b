"""Putting an import into a space: a few hundred documents a transaction, each with its whole history."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from api.representations.imports import Import
from shared import codec
from shared.core.documents import DocumentId, SpaceId
from shared.core.resolution.usage import NO_QUOTA, Quota
from shared.ports import Announcement, DocumentStore
from shared.restore import Chain, RestoreOutcome, restore

_DOCUMENTS: Final = 200
_STATES: Final = 1000
_BYTES: Final = 8 * 1024 * 1024
"""Of bodies. A transaction is ended when it takes a minute (docs/decisions/0007)."""

AnnounceImport = Callable[[Announcement], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ImportBounds:
    """`max_bytes`: of the body, decompressed. `quota`: of the space."""

    max_bytes: int
    quota: Quota = NO_QUOTA


Importer = Callable[[SpaceId, AsyncIterator[bytes], str, ImportBounds], Awaitable[dict[str, Any]]]
"""Takes the body of an import as it comes, and how it is compressed, and returns what `import_into` does. Raises
ProblemError, and UnavailableError: then what was stored is stored, and the same again goes on. Cancelled, it stores
nothing more."""
ImportProgress = Callable[[int, int], None]


async def import_into(
    store: DocumentStore,
    space: SpaceId,
    imported: Import,
    *,
    max_bytes: int,
    at: float,
    announce: AnnounceImport,
    quota: Quota = NO_QUOTA,
    progress: ImportProgress = lambda done, total: None,
) -> dict[str, Any]:
    """What became of it, in numbers of documents, as `POST /import` answers. Policies are set where the space has
    none. Raises UnavailableError; what was stored until then is stored, and the same again goes on."""
    policies = "none"
    if imported.policies.declared:
        current = await store.policies(space)
        policies = "unchanged" if current == imported.policies else "kept"
        if not current.declared:
            await store.set_policies(space, imported.policies)
            policies = "set"
    fates: Counter[RestoreOutcome] = Counter()
    done, chains = 0, imported.chains()
    while portion := await asyncio.to_thread(_portion, chains):
        work = partial(restore, chains=portion, max_bytes=max_bytes, at=at, quota=quota)
        counted, announcement = await store.transact(space, work)
        fates += counted
        done += len(portion)
        progress(done, imported.documents)
        if announcement is not None:
            await announce(announcement)
    return {
        "documents": imported.documents,
        **{fate.value: fates[fate] for fate in RestoreOutcome},
        "states": imported.states,
        "pruned": imported.pruned,
        "policies": policies,
        "left_out": list(imported.left_out),
    }


def _portion(chains: Iterator[tuple[DocumentId, Chain]]) -> dict[DocumentId, Chain]:
    portion: dict[DocumentId, Chain] = {}
    states = size = 0
    for document, chain in islice(chains, _DOCUMENTS):
        portion[document] = chain
        states += len(chain)
        size += sum(len(codec.dumps(state.body)) for state in chain if state.body is not None)
        if states >= _STATES or size >= _BYTES:
            break
    return portion
