"""Answers to client states."""

from __future__ import annotations

from shared.codec import dumps
from shared.core.documents import Body, JsonText
from shared.core.resolution.batch import Answer
from shared.representations import stored_version


def answer_body(answer: Answer, sent: Body | JsonText | None, *, additions: bool) -> bytes:
    """The body of the answer to a state: `server_state` alone unless the request used the additions."""
    server_state = sent if answer.same else answer.body
    if not additions:
        return dumps({"server_state": server_state})
    return dumps(
        {
            "server_state": server_state,
            "rev": answer.rev,
            "hash": answer.hash,
            "outcome": answer.outcome,
            "rule": answer.rule,
            "conflicts": answer.conflicts,
            **stored_version(answer.version),
        }
    )
