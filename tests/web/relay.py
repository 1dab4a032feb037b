"""What stands between browsers and a server: it can be cut, as if the server were gone, and go on at its address."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

REQUEST = re.compile(rb"^(GET|POST|PUT|PATCH|DELETE) (/[^ ?]*)\S* HTTP/1\.1\r$", re.MULTILINE)


class Relay:
    """Copies bytes both ways. `requests`: what was asked for through it, as `GET /hashes`."""

    requests: list[str]

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 80)
        self.requests = []
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._silent = threading.Event()
        self._silent_after = b""
        self._listener = self._listening(0)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Nobody answers any more; what is open ends at once."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # who waits in accept would keep it open
        self._accepting.join()
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def restore(self) -> None:
        self._silent.clear()
        self._silent_after = b""
        self._listener = self._listening(self.port)

    def hush_after(self, request: bytes) -> None:
        """From the next request that begins so on: what is sent arrives at the server, and no answer comes back."""
        self._silent_after = request

    def _listening(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port))
        self._accepting = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._accepting.start()
        return listener

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                inner, _ = listener.accept()
            except OSError:  # it was cut
                listener.close()
                return
            outer = socket.create_connection(self._target)
            with self._lock:
                self._open |= {inner, outer}
            threading.Thread(target=self._copy, args=(inner, outer, False), daemon=True).start()
            threading.Thread(target=self._copy, args=(outer, inner, True), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not answers:
                    self.requests += [b" ".join(match.groups()).decode() for match in REQUEST.finditer(data)]
                if not answers and self._silent_after and self._silent_after in data:
                    self._silent.set()
                if not (answers and self._silent.is_set()):
                    sink.sendall(data)
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {source, sink}
        source.close()


@contextmanager
def relayed(url: str) -> Iterator[Relay]:
    relay = Relay(url)
    try:
        yield relay
    finally:
        relay.cut()
