"""One client's connection to a server that has several addresses, as behind a balancer."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PATIENCE_SECONDS = 120.0
"""For one request with all its repetitions."""
PAUSE_SECONDS = 0.05
_ANSWER_SECONDS = 15.0
"""For one attempt; the server gives up after ten."""
_SILENCE_SECONDS = 45.0
"""Of a stream of events, before it is opened again; the server says something every 15."""
_REPEATED = (0, 502, 503, 504)


@dataclass
class Device:
    """`failed` has the status of each answer that was to be repeated; 0: there was none."""

    urls: Sequence[str]
    token: str
    at: int = 0
    failed: list[int] = field(default_factory=list)
    moves: bool = False
    """It asks at the next address from the next request on."""
    repeats: Collection[int] = _REPEATED
    """Statuses of answers that help nobody yet."""

    def __post_init__(self) -> None:
        self._connection = self._opened()

    def _opened(self, seconds: float = _ANSWER_SECONDS) -> http.client.HTTPConnection:
        address = urlsplit(self.urls[self.at % len(self.urls)])
        return http.client.HTTPConnection(address.hostname or "", address.port, timeout=seconds)

    def ask(self, method: str, path: str, body: object = None, *, also: Collection[int] = ()) -> Any:
        """The answer, however often it takes; None for a status of `also`. AssertionError for one that repeating does
        not help, or no more."""
        headers, text = self.ask_whole(method, path, body, also=also)
        return json.loads(text) if headers is not None else None

    def ask_whole(
        self, method: str, path: str, body: object = None, *, also: Collection[int] = ()
    ) -> tuple[http.client.HTTPMessage | None, bytes]:
        """The same, with the headers and the text; no headers for a status of `also`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        sent = {**self._headers, "Content-Type": "application/json", "Hypertask-Confirm": "deletions"}
        content = None if body is None else json.dumps(body)
        if self.moves:
            self.moves = False
            self._next()
        while True:
            try:
                self._connection.request(method, path, content, sent)
                answer = self._connection.getresponse()
                status, text = answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                status, text = 0, b""
            if 200 <= status < 300:
                return answer.headers, text
            if status in also:
                return None, text
            assert status in self.repeats, (method, path, status, text)
            self.failed.append(status)
            assert time.monotonic() < deadline, f"{method} {path} is not answered"
            self._next()
            time.sleep(PAUSE_SECONDS)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def events(self, since: str) -> Iterator[tuple[str, Any]]:
        """Names and data of a stream, until it ends, fails, or nothing comes for too long; then another address is
        tried the next time. `close` from another thread ends it, too."""
        if self.moves:
            self.moves = False
            self._next()
        self._connection.close()
        self._connection = self._opened(_SILENCE_SECONDS)
        status = 0
        with suppress(OSError, http.client.HTTPException):
            self._connection.request("GET", f"/events?since={since}", headers=self._headers)
            answer = self._connection.getresponse()
            status = answer.status
            event = ""
            while status == 200 and (line := answer.readline()):
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    yield event, json.loads(value)
        assert status in (200, 410, *self.repeats), ("GET", "/events", status)
        if status == 410:
            yield "gone", {}
        self.failed.append(0)
        self._next()
        time.sleep(PAUSE_SECONDS)

    def _next(self) -> None:
        """Another address is tried."""
        self._connection.close()
        self.at += 1
        self._connection = self._opened()

    def close(self) -> None:
        with suppress(OSError):
            if self._connection.sock is not None:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()
