"""What the server keeps beside the bodies: `python -m bench.costs`.

1,000 documents of about 250 bytes take each of the usual ways; after each, the bytes of BSON (uncompressed,
without indexes) that every collection gained for each document. Loopback only; ends by itself.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.documents import document
from shared.adapters.mongodb import Mongo
from tests.instance import Access, Instance

COUNT = 1000
COLLECTIONS = ("documents", "revisions", "memory")

Post = Callable[[str, dict[str, Any] | None, str | None], dict[str, Any]]


def _poster(access: Access, http: httpx.Client) -> Post:
    def post(identity: str, state: dict[str, Any] | None, base: str | None) -> dict[str, Any]:
        body = {"client_state": state} if base is None else {"client_state": state, "base": base}
        answer = http.post(f"/task/{identity}", json=body, headers=access.headers)
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    return post


def _sizes(instance: Instance) -> dict[str, int]:
    async def read() -> dict[str, int]:
        mongo = Mongo(instance.settings)
        found = {}
        for name in COLLECTIONS:
            found[name] = (await mongo.database.command("collStats", name))["size"]
        mongo.close()
        return found

    return asyncio.run(read())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(Path(folder) / "data").start()
        try:
            with httpx.Client(base_url=instance.url, timeout=30) as http:
                _measure(instance, http)
        finally:
            instance.stop()


def _measure(instance: Instance, http: httpx.Client) -> None:
    first = instance.access(name="first")
    other = instance.access(space=first.space, name="other")
    one, two = _poster(first, http), _poster(other, http)
    ids = [f"cost-{n:04}" for n in range(COUNT)]
    revs: dict[str, str] = {}

    def created(identity: str) -> None:
        revs[identity] = one(identity, document(identity), "0")["rev"]

    def edited(identity: str) -> None:
        state = {**document(identity), "description": f"Write to {identity} instead, that is quicker"}
        revs[identity] = one(identity, state, revs[identity])["rev"]

    def repeated(identity: str) -> None:
        state = {**document(identity), "description": f"Write to {identity} instead, that is quicker"}
        one(identity, state, revs[identity])

    def merged(identity: str) -> None:
        two(identity, {**document(identity), "project": "garden and shed"}, None)

    def asked(identity: str) -> None:
        two(identity, None, None)

    def deleted(identity: str) -> None:
        two(identity, {"id": identity, "_deleted": True}, None)

    ways: list[tuple[str, Callable[[str], None]]] = [
        ("created, with a base", created),
        ("edited, with a base", edited),
        ("the same sent again", repeated),
        ("an edit by v1.0 from an old state, merged", merged),
        ("asked for by v1.0 (null)", asked),
        ("a bare tombstone by v1.0: the edit wins", deleted),
    ]
    print(f"{'bytes gained for each document':<40}" + "".join(f"{name:>12}" for name in COLLECTIONS))
    before = _sizes(instance)
    for name, act in ways:
        for identity in ids:
            act(identity)
        now = _sizes(instance)
        gained = [round((now[c] - before[c]) / COUNT) for c in COLLECTIONS]
        print(f"{name:<42}" + "".join(f"{g:>+10}  " for g in gained))
        before = now


if __name__ == "__main__":
    main()
