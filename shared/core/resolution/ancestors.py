"""Earlier states that a client knows of a document."""

from __future__ import annotations

from typing import NamedTuple

from shared.core.identifiers import Body, ContentHash
from shared.core.version_vectors import Version


class Ancestor(NamedTuple):
    """An earlier state of the document that a client knows. `state` None: there was no document."""

    version: Version
    state: Body | None
    hash: ContentHash | None
    """Of `state`."""
