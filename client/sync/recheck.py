"""What may have changed since it was looked at, and is looked at before the next plan of the same sync."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.core.identifiers import DocumentId


@dataclass(slots=True)
class Recheck:
    """Of one run of a sync. At its beginning all is looked at, or what its caller names."""

    files: set[DocumentId] = field(default_factory=set)
    """Documents whose files may hold something else than was seen or written."""
    documents: set[DocumentId] = field(default_factory=set)
    """Documents that were not settled at some time of this run; no others need to be compared again."""
    upstream: bool = True
    """It is to be asked for its changes."""
    arrivals: bool = False
    """Something that arrived could not be placed in its file."""
    forgotten: bool = False
    """An answer showed that the upstream does not know any more what was agreed on."""
