"""What is measured: a library with the server that it is made for, which has the documents already."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.documents import Document
from bench.work import install
from bench.work.pouchdb import PouchDB
from bench.work.processes import Program, free_port
from tests.instance import Instance
from tests.web.browsers import Person, invited

BATCH = 500
SMALL_BATCH = 250
"""What express takes at most is 100 kB."""


@dataclass(frozen=True)
class Side:
    """A library in a bare page of its server's origin."""

    name: str
    means: str
    driver: str
    """A file of bench/peers."""
    origin: str
    options: dict[str, Any]
    """What the page is told."""


def batches(documents: list[Document], size: int) -> Iterator[list[Document]]:
    for first in range(0, len(documents), size):
        yield documents[first : first + size]


@contextmanager
def hypertask(server: Instance, documents: list[Document]) -> Iterator[tuple[Side, Person]]:
    """Somebody whose space has the documents, and a device of it."""
    person = invited(server, "anna")
    try:
        for batch in batches(documents, BATCH):
            tasks = {body["id"]: {"client_state": body, "base": "0"} for body in batch}
            person.call("POST", "/tasks", {"tasks": tasks})
        options = {"url": server.url, "token": person.token(), "space": person.space, "count": len(documents)}
        means = "the library of `web/sdk` with its IndexedDB store, which waits until each page is durable"
        yield Side("Hypertask SDK", means, "browser_hypertask.mjs", server.url, options), person
    finally:
        person.client.close()


def _sent(client: httpx.Client, path: str, body: object) -> Any:
    answer = client.post(path, content=json.dumps(body), headers={"content-type": "application/json"})
    answer.raise_for_status()
    return answer.json()


@contextmanager
def rxdb(folder: Path, documents: list[Document]) -> Iterator[Side]:
    node = install.node()
    port = free_port()
    program = Program(["node", str(node / "rxdb_server.mjs"), str(port), "1"], folder, folder / "rxdb-server.log")
    try:
        program.wait_for(port)
        origin = f"http://127.0.0.1:{port}"
        url = f"{origin}/tasks0/0"
        with httpx.Client(base_url=url, timeout=60) as client:
            for batch in batches(documents, SMALL_BATCH):
                conflicts = _sent(
                    client, "/push", [{"newDocumentState": {**body, "_deleted": False}} for body in batch]
                )
                if conflicts:
                    raise RuntimeError(f"rxdb-server refused {len(conflicts)} documents")
        means = "RxDB 15.22 with the Dexie storage, and rxdb-server with the memory storage; batches of 1,000"
        yield Side("RxDB", means, "browser_rxdb.mjs", origin, {"url": url, "count": len(documents)})
    finally:
        program.stop()


@contextmanager
def pouchdb(folder: Path, documents: list[Document]) -> Iterator[Side]:
    program = PouchDB()
    program.start(folder)
    try:
        url = program.empty()
        with httpx.Client(base_url=url, timeout=60) as client:
            for batch in batches(documents, BATCH):
                rows = [{"_id": body["id"], **{name: body[name] for name in body if name != "id"}} for body in batch]
                if any("error" in row for row in _sent(client, "/_bulk_docs", {"docs": rows})):
                    raise RuntimeError("pouchdb-server refused a document")
        origin = str(httpx.URL(url).copy_with(path="/")).rstrip("/")
        means = "PouchDB 9 with its IndexedDB adapter, and pouchdb-server 4.2 on LevelDB; batches of 1,000"
        yield Side("PouchDB", means, "browser_pouchdb.mjs", origin, {"url": url, "count": len(documents)})
    finally:
        program.stop()


@contextmanager
def all_sides(folder: Path, documents: list[Document]) -> Iterator[tuple[list[Side], Person]]:
    """Each with its own server, all of them up: what idles costs nothing."""
    with ExitStack() as stack:
        server = Instance(folder / "data")
        server.start()
        stack.callback(server.stop)
        ours, person = stack.enter_context(hypertask(server, documents))
        others = [stack.enter_context(other(folder, documents)) for other in (rxdb, pouchdb)]
        yield [ours, *others], person
