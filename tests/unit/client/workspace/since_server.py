"""A server on loopback that says what changed since a cursor, or by the tag of its map, and does as it is told to."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from shared.core.identifiers import ContentHash, DocumentId
from shared.core.index.reconciliation import sum_of
from tests.patience import PATIENCE_SECONDS
from tests.unit.client.stub_server import StubServer, hash_of

Raw = Callable[[httpx.Request], Iterable[bytes] | None]
"""What is sent in the place of an answer, piece by piece; None: the answer."""


@dataclass
class SinceServer(StubServer):
    """`by_tag`: it knows v1.0 and conditional requests. `raw`: for every request but those to `/`."""

    by_tag: bool = False
    history: str = "h1"
    sequence: int = 0
    changes: list[tuple[int, str]] = field(default_factory=list)
    asked: list[httpx.Request] = field(default_factory=list)
    raw: Raw = lambda request: None

    def __post_init__(self) -> None:
        self.after_post = self.note

    def note(self, document: str) -> None:
        self.sequence += 1
        self.changes.append((self.sequence, document))

    def put(self, document: str, **members: object) -> None:
        """By another device."""
        self.documents[document] = {"id": document, **members}
        self.note(document)

    @property
    def cursor(self) -> str:
        return f"{self.history}-{self.sequence}"

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/":
            supports = [] if self.by_tag else ["since", "diff"]
            return httpx.Response(200, json={"protocol_versions": ["1.0"], "version": "1", "supports": supports})
        if request.url.path == "/hashes/diff":
            live = {DocumentId(name): ContentHash(hash_of(body)) for name, body in self.documents.items()}
            differs = json.loads(request.content)["ranges"] != {"": sum_of(live).fingerprint}
            body = {"ranges": {}, "documents": live if differs else {}, "cursor": self.cursor}
            return httpx.Response(200, json=body)
        answer = super().answer(request)
        if request.url.path != "/hashes" or answer.status_code != 200:
            return answer
        if self.by_tag:
            tag = f'"{self.cursor}"'
            known = request.headers.get("if-none-match") == tag
            return httpx.Response(
                304 if known else 200, headers={"etag": tag}, content=b"" if known else answer.content
            )
        since = request.url.params.get("since")
        if since is None:
            answer.headers["hypertask-cursor"] = self.cursor
            return answer
        history, _, sequence = since.partition("-")
        if history != self.history:
            return httpx.Response(410, json={"code": "cursor-gone"})
        changed = dict.fromkeys(document for at, document in self.changes if at > int(sequence))
        hashes = {one: hash_of(self.documents[one]) if one in self.documents else None for one in changed}
        limit = int(request.url.params.get("limit", 5000))
        if more := len(hashes) > limit:
            hashes = dict(list(hashes.items())[:limit])
        return httpx.Response(200, json={"hashes": hashes, "cursor": self.cursor, "more": more})

    # On loopback

    def start(self, certificates: Path | None = None) -> str:
        """Its address. `certificates`: where what is needed for https is (tests/certificate.py)."""
        self._tls = None
        if certificates is not None:
            self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._tls.load_cert_chain(certificates / "certificate.pem", certificates / "key.pem")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._closing = False
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()
        scheme = "http" if certificates is None else "https"
        return f"{scheme}://127.0.0.1:{self._listening.getsockname()[1]}"

    def stop(self) -> None:
        self._closing = True
        with socket.create_connection(self._listening.getsockname()):  # wakes it
            pass
        self._accepting.join()
        self._listening.close()

    def _accept(self) -> None:
        threads: list[threading.Thread] = []
        while True:
            connection, _ = self._listening.accept()
            if self._closing:
                connection.close()
                break
            threads.append(threading.Thread(target=self._serve, args=(connection,)))
            threads[-1].start()
        for thread in threads:
            thread.join()

    def _serve(self, connection: socket.socket) -> None:
        """One request a connection."""
        connection.settimeout(PATIENCE_SECONDS)
        with closing(connection):
            if self._tls is not None:
                try:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                except OSError:  # it is not trusted
                    return
            self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            came = b""
            while b"\r\n\r\n" not in came:
                if not (more := connection.recv(65536)):
                    return
                came += more
            head, _, body = came.partition(b"\r\n\r\n")
            line, *fields = head.decode().split("\r\n")
            method, path, _ = line.split(" ")
            headers = [(name, value.strip()) for name, _, value in (one.partition(":") for one in fields)]
            length = int(httpx.Headers(headers).get("content-length", 0))
            while len(body) < length:
                body += connection.recv(65536)
            request = httpx.Request(
                method, f"http://{httpx.Headers(headers)['host']}{path}", headers=headers, content=body
            )
            self.asked.append(request)
            try:
                pieces = None if request.url.path == "/" else self.raw(request)
                for piece in self._written(request) if pieces is None else pieces:
                    connection.sendall(piece)
            except OSError:  # nobody waits for it any more
                return

    def _written(self, request: httpx.Request) -> Iterable[bytes]:
        answer = self.answer(request)
        fields = {**answer.headers, "content-length": str(len(answer.content)), "connection": "close"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        yield f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}\r\n{lines}\r\n".encode() + answer.content


def json_answer(value: object, *fields: str) -> bytes:
    body = json.dumps(value).encode()
    lines = "".join(f"{field}\r\n" for field in fields)
    return f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n{lines}\r\n".encode() + body
