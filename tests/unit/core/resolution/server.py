"""A document on a server without a store: what tests of the rules submit to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shared.core.documents import Body, DeviceId, DocumentId
from shared.core.json.canonical import content_hash
from shared.core.merge.policies import NO_POLICIES, Policies
from shared.core.resolution.context import (
    Decision,
    Refusal,
    Submission,
)
from shared.core.resolution.revs import Rev
from shared.testing.document_state import DocumentState

ID = "pb67wndxge8293xd"


def doc(**fields: Any) -> Body:
    return {"id": ID, **fields}


def tombstone(**fields: Any) -> Body:
    return {"id": ID, "_deleted": True, **fields}


@dataclass
class Server:
    """Submits with little to write; the decision and the rev of the last answer are kept."""

    state: DocumentState = field(default_factory=DocumentState)
    policies: Policies = NO_POLICIES
    at: float = 1_000_000.0
    last: Decision | Refusal | None = None

    def request(
        self, state: Body | None, base: str | None = None, device: str | None = None, **more: Any
    ) -> Submission:
        self.at += 1.0
        return Submission(
            DocumentId(ID),
            state,
            content_hash(state) if state is not None else None,
            self.at,
            base=base,
            device=DeviceId(device) if device else None,
            single_device=device is not None,
            **more,
        )

    def send(self, request: Submission) -> Rev:
        self.last, rev = self.state.submit(request, self.policies)
        return rev if rev is not None else Rev("")

    def post(self, state: Body | None, base: str | None = None, device: str | None = None, **more: Any) -> Rev:
        return self.send(self.request(state, base, device, **more))

    @property
    def decision(self) -> Decision:
        assert isinstance(self.last, Decision)
        return self.last

    @property
    def head(self) -> Body | None:
        return self.state.head.body if self.state.head else None

    def got(self) -> tuple[str, str, Body | None]:
        return self.decision.outcome, self.decision.rule, self.decision.state
