"""Answers to client states, and devices."""

from __future__ import annotations

from typing import Any

from shared.codec import dumps
from shared.core.documents import Body, Device, JsonText, Sequence, UserName
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


def device_row(
    device: Device, *, user: UserName | None = None, head: Sequence | None = None, current: bool = False
) -> dict[str, Any]:
    """A device as `GET /devices` shows it; times are seconds since 1970. `user`: what its user is called now.
    `head`: the sequence of its space, for how many changes it has not been told of."""
    synced = device.synced.get(device.space)
    return {
        "device": device.id,
        "user": device.user if user is None else user,
        "name": device.name,
        "space": device.space,
        "created_at": device.created_at,
        "last_seen": device.last_seen,
        "last_sync": None if synced is None else synced.at,
        "lag": None if synced is None or head is None else max(head - synced.sequence, 0),
        "client": device.client,
        "every_space": device.every_space,
        "expires_at": device.expires_at,
        "current": current,
    }
