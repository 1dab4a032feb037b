"""Clients of the simulator (tests/convergence) that decide in the SDK's code, in a Node process.

What the simulator sees of a client, its `Disk`, is a copy of what the SDK has stored.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Any

from shared.codec import content_hash
from shared.core.documents import Body
from shared.core.merge.objects import ABSENT, Conflict
from shared.core.resolution.states import is_tombstone
from tests.convergence.clients import Client, Disk, Pending, live
from tests.convergence.ledger import Seen
from tests.convergence.run import Run, Schedule, make_schedule
from tests.convergence.servers import Answer, Request, Server
from tests.patience import PATIENCE_SECONDS


class Node:
    """The process; any number of clients are in it."""

    def __init__(self, program: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            program, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(PATIENCE_SECONDS) == 0

    def ask(self, client: str, document: str, op: str, **given: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"op": op, "client": client, "id": document, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the SDK's process has ended"
        return json.loads(line)


class SdkClient(Client):
    """A client whose edits, requests and answers are the SDK's."""

    sends_base = True

    def __init__(self, node: Node, name: str, head: Callable[[str], Seen | None], *given: Any) -> None:
        """`head`: of a hash, what the server's document contains; None: it has another one by now."""
        super().__init__(*given)
        self._head = head
        self._node = node
        self._name = name
        self._asked_for_base = False
        self._ask("open")

    def _ask(self, op: str, **given: Any) -> Any:
        return self._node.ask(self._name, self.document, op, **given)

    def close(self) -> None:
        self._ask("close")

    def save(self, doc: Body | None, serials: frozenset[int]) -> None:
        super().save(doc, serials)
        self._ask("save", doc=live(doc))

    def crash(self) -> None:
        super().crash()
        self._ask("crash")

    def differs(self, server: str | None) -> bool:
        kind = self._ask("differs", heard=server)
        if kind != "adopt":
            return bool(kind != "none")
        doc = live(self.disk.doc)
        assert doc is not None
        seen = self._head(content_hash(doc))
        if seen is not None:  # both made the same of it: nothing is sent, and the server's state is agreed on
            found = self._ask("adopt")
            self.disk = replace(
                self.disk,
                seen=self.disk.seen | seen,
                base=found["base"],
                shadow=found["shadow"],
                over_tombstone=False,
                agreed=doc,
                agreed_seen=seen,
                answered=doc,
                answered_seen=seen,
            )
        return False

    def request(self) -> tuple[Pending, Request]:
        request: Request = self._ask("request")["request"]
        assert request is not None, "there is nothing to be sent"
        disk = self.disk
        state = request["client_state"]
        pending = disk.pending
        if pending is None or state is None:
            over = "base_state" in request
            pending = Pending(state, request["base"], request.get("base_state"), over, disk.seen, disk.edits)
            if state is not None:
                self.disk = replace(disk, pending=pending, agreed=live(disk.doc), agreed_seen=disk.seen)
        assert pending.state == state
        self.sent = replace(pending)
        self._asked_for_base = False
        return self.sent, {**request, "_edits": disk.edits}

    def answered(self, sent: Pending, answer: Answer, seen: Seen) -> Request | None:
        if self.sent is not sent:
            return None
        if "error" in answer:
            if self._asked_for_base:
                return None  # a copy of an answer that came before: no connection gives it to the second request
            self._asked_for_base = True
            problem = {"status": 409, "code": answer["error"]}
            again: Request = self._ask("answer", answer={"error": problem})["again"]
            return {**again, "_edits": sent.edits}
        self.sent = None
        server = answer["server_state"]
        found = self._ask("answer", answer={"server_state": server, "rev": answer["rev"]})
        for row in found["conflicts"]:
            self.conflicts.append(
                Conflict(row["path"], row.get("kept", ABSENT), row.get("dropped", ABSENT), row["rule"])
            )
        if found["base"] != answer["rev"]:
            return None  # edited meanwhile: the edit goes first
        disk = self.disk
        doc = found["doc"]
        if doc is None and disk.doc is not None and is_tombstone(disk.doc) and found["deletes"]:
            doc = disk.doc
        kept = server is None and live(doc) is not None
        agreed = (live(sent.state), sent.seen) if kept else (server, seen)
        self.disk = Disk(
            doc=doc,
            seen=disk.seen | seen,
            edits=max(disk.edits, answer.get("_edits", 0)),
            base=found["base"],
            shadow=found["shadow"],
            over_tombstone=kept,
            agreed=agreed[0],
            agreed_seen=agreed[1],
            answered=agreed[0],
            answered_seen=agreed[1],
        )
        return None


class SdkRun(Run):
    """A run all of whose clients are the SDK's."""

    def __init__(self, node: Node, schedule: Schedule, server: Server, document: str = "pb67wndxge8293xd") -> None:
        self._node = node
        super().__init__(schedule, server, document)

    def _client(self, number: int, kind: str) -> Client:
        schedule = self.schedule
        device = f"{self.document}-{number}"
        given = (number, device, self.document, schedule.skews[number], schedule.has_clock)

        def head(content: str) -> Seen | None:
            return self.ledger.server_seen if self.server.hashes(device).get(self.document) == content else None

        return SdkClient(self._node, f"{schedule.seed} {number}", head, *given)

    def close(self) -> None:
        for client in self.clients:
            if isinstance(client, SdkClient):
                client.close()


def sdk_schedule(seed: int) -> Schedule:
    """That of clients with a base; what is put back to a backup is a folder, and no store of the SDK."""
    schedule = make_schedule(seed, "base")
    return replace(schedule, steps=tuple(step for step in schedule.steps if step[0] not in {"backup", "restore"}))
