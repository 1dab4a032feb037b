"""What a server says of itself, remembered so that it is asked once a day."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

ASK_AGAIN_SECONDS: Final = 86_400.0
BATCH_DOCUMENTS: Final = 500
BATCH_BYTES: Final = 4 * 1024 * 1024


class ServerFacts(NamedTuple):
    """Without any: a server of v1.0 that was not asked so far."""

    asked_at: float = 0.0
    """Seconds since 1970."""
    version: str = ""
    supports: tuple[str, ...] = ()
    """What it offers beyond v1.0, by the names of docs/protocol.md."""
    limits: Mapping[str, Any] = {}

    @classmethod
    def from_answer(cls, about: Mapping[str, Any]) -> Self:
        """From the answer to `GET /`; {} of a server that has nothing there."""
        limits = about.get("limits")
        return cls(
            time.time(),
            str(about.get("version", "")),
            tuple(str(word) for word in about.get("supports") or ()),
            limits if isinstance(limits, dict) else {},
        )

    @classmethod
    def stored(cls, facts: Mapping[str, Any]) -> Self:
        """From what `as_stored` gave."""
        return cls(
            float(facts.get("asked_at", 0)),
            str(facts.get("version", "")),
            tuple(facts.get("supports", ())),
            facts.get("limits", {}),
        )

    def as_stored(self) -> dict[str, Any]:
        """As JSON: `hypertask status` reads it, too."""
        if not self.asked_at:
            return {}
        return {
            "asked_at": self.asked_at,
            "version": self.version,
            "supports": list(self.supports),
            "limits": self.limits,
        }

    def offers(self, feature: str) -> bool:
        return feature in self.supports

    def is_old(self, now: float) -> bool:
        """It is time to ask again. `now`: seconds since 1970."""
        return now - self.asked_at > ASK_AGAIN_SECONDS

    def max_documents(self, wanted: int = BATCH_DOCUMENTS) -> int:
        """In one request or answer."""
        return min(wanted, int(self.limits.get("batch_documents", BATCH_DOCUMENTS)))

    @property
    def max_bytes(self) -> int:
        """Of one request."""
        return min(BATCH_BYTES, int(self.limits.get("batch_bytes", BATCH_BYTES)))
