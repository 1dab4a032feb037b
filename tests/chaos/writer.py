"""A client process: edits documents of its own and a field of its own in shared documents, posts each edit
until it is acknowledged, and syncs by the v1.0 procedure when it is told to.

    python -m tests.chaos.writer <<< '{"url": ..., "token": ..., "name": ..., "seed": ..., "journal": ...,
        "shared": [ids], "own": [ids], "edits": how many, or null: until it is told to stop}'

Then, a line each: "stop" is answered when the editing has ended, "settle" when client and server agree; the
answers are lines of JSON. The end of the input ends it all.

It knows nothing of the server but the protocol, and believes in nothing but an answer 200. Every attempt is a
line in the journal, written before the next one begins. Its user does not wait for the server: while a
document cannot be posted he may edit it once more, and then only the newer state is sent.
"""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import random
import select
import sys
import time
from collections.abc import Callable
from typing import IO, Any
from urllib.parse import urlsplit

import rfc8785

Document = dict[str, Any]

PATIENCE_SECONDS = 150.0
"""For one request, all its repetitions together."""
LONGEST_PAUSE_SECONDS = 0.2
MOST_ROUNDS = 6


def content_hash(value: Any) -> str:
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()[:32]


class Client:
    """`documents` is the client's own copy."""

    def __init__(self, config: dict[str, Any], journal: IO[str]) -> None:
        address = urlsplit(config["url"])
        assert address.hostname == "127.0.0.1"
        self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=PATIENCE_SECONDS)
        self._headers = {"authorization": f"Bearer {config['token']}", "content-type": "application/json"}
        self._journal = journal
        self.documents: dict[str, Document] = {}

    def post(self, document: str, state: Callable[[], Document | None]) -> None:
        """Until it is acknowledged; `state` is asked before each attempt."""
        path = f"/task/{document}"
        answer = self._insist("POST", path, lambda: {"client_state": state()})["server_state"]
        if answer is None:
            self.documents.pop(document, None)
        else:
            self.documents[document] = answer

    def hashes(self) -> dict[str, str]:
        found: dict[str, str] = self._insist("GET", "/hashes", lambda: None)
        return found

    def settle(self) -> dict[str, Any]:
        """Rounds of the v1.0 procedure until nothing differs."""
        rounds = 0
        while (differing := self._differing()) and rounds < MOST_ROUNDS:
            rounds += 1
            for document in differing:
                state = self.documents.get(document)
                self.post(document, lambda state=state: state)
        return {"rounds": rounds, "differing": differing, "documents": self.documents}

    def _differing(self) -> list[str]:
        theirs = self.hashes()
        mine = {document: content_hash(state) for document, state in self.documents.items()}
        return sorted(d for d in theirs.keys() | mine.keys() if theirs.get(d) != mine.get(d))

    def _insist(self, method: str, path: str, body: Callable[[], Any]) -> Any:
        pause = 0.01
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            sent = body()
            start = time.monotonic()
            status, answer = self._attempt(method, path, sent)
            row = {"at": start, "took": time.monotonic() - start, "path": path, "status": status}
            if sent is not None:
                row |= {"document": path.removeprefix("/task/"), "sent": sent["client_state"]}
            if sent is not None or status != 200:
                row["answer"] = answer
            self._journal.write(json.dumps(row) + "\n")
            self._journal.flush()
            if status == 200:
                return answer
            assert time.monotonic() < deadline, f"{method} {path}: {status} {answer}"
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _attempt(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and answer; status 0 and the reason where the connection was lost."""
        try:
            content = None if body is None else json.dumps(body)
            self._connection.request(method, path, content, self._headers)
            response = self._connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            return 0, repr(error)
        if response.status == 200:
            return 200, json.loads(text)
        kept = ("content-type", "retry-after", "x-request-id")
        headers = {name: response.headers.get(name) for name in kept}
        return response.status, {"headers": headers, "text": text.decode("utf-8", "replace")}


class Editor:
    """The user: every edit has a number of its own, later ones higher ones."""

    def __init__(self, client: Client, config: dict[str, Any]) -> None:
        self._client = client
        self._chance = random.Random(config["seed"])
        self._name: str = config["name"]
        self._shared: list[str] = config["shared"]
        self._own: list[str] = config["own"]
        self.number = 0

    def edit(self) -> None:
        """Acknowledged when this returns, under the number that it then has."""
        own = self._chance.random() < 0.3
        document = self._chance.choice(self._own if own else self._shared)
        state: Document = {}

        def newest() -> Document:
            nonlocal state
            if not state or self._chance.random() < 0.5:
                self.number += 1
                state = self._rewritten(document) if own else self._changed(document)
            return state

        self._client.post(document, newest)
        found = self._client.documents[document]
        assert found == state if own else found[self._name] == self.number, (state, found)
        if self._chance.random() < 0.1:
            self._look()

    def _rewritten(self, document: str) -> Document:
        text = f"{self._name} wrote this as number {self.number}"
        return {"id": document, "number": self.number, "text": text}

    def _changed(self, document: str) -> Document:
        return {**self._client.documents.get(document, {"id": document}), self._name: self.number}

    def _look(self) -> None:
        """What nobody else can have changed is in the map as it was acknowledged."""
        theirs = self._client.hashes()
        for own in self._own:
            if own in self._client.documents:
                assert theirs.get(own) == content_hash(self._client.documents[own]), f"{own} is stale"


def main(commands: io.RawIOBase) -> None:
    config = json.loads(commands.readline())
    with open(config["journal"], "w") as journal:  # noqa: PTH123
        client = Client(config, journal)
        editor = Editor(client, config)
        most = config["edits"]
        edits = 0
        while edits != most and (most is not None or not select.select([commands], [], [], 0)[0]):
            editor.edit()
            edits += 1
        for command in commands:
            if command == b"stop\n":
                print(json.dumps({"edits": edits}), flush=True)
            elif command == b"settle\n":
                print(json.dumps(client.settle()), flush=True)


if __name__ == "__main__":
    with io.FileIO(sys.stdin.fileno(), closefd=False) as unbuffered:
        main(unbuffered)
