"""One request to a server over one connection, for who takes a plain answer or none: no redirect, no proxy, no
compressed or long answer, no second try. To load httpx takes longer than a command that finds nothing to do.

Law (tests/unit/client/upstreams/test_plain_request.py): what `answer_in` takes for an answer, h11, with which httpx
reads, takes for the same.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from threading import Thread
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

SECONDS: Final = 5.0
"""For all of it."""
CONNECT_SECONDS: Final = 1.0
"""httpx tries several addresses of a host at a time, and waits for longer."""
MAX_BYTES: Final = 16 * 1024
"""Of an answer with its head."""
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
_LENGTH_DIGITS: Final = 6
_PORTS: Final = {"http": 80, "https": 443}
_HEX: Final = b"0123456789abcdefABCDEF"


class PlainAnswer(NamedTuple):
    status: int
    body: bytes = b""


class Target(NamedTuple):
    """`port` None: the usual one. `base`: the path that the paths of requests are added to."""

    host: str
    port: int | None
    base: str
    is_https: bool = False


class NotPlainError(ValueError):
    """It may be an answer to somebody else."""


def target_of(url: str, variables: Mapping[str, str]) -> Target | None:
    """Where to connect for an address; None: httpx has to say that, or the system."""
    if sys.platform in ("win32", "darwin"):  # their settings may name a proxy, too
        return None
    if any(value for name, value in variables.items() if name.lower().endswith("_proxy")):
        return None
    url = url.rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or parts.query or parts.fragment or "@" in parts.netloc or port == 0:
        return None
    if parts.geturl() != url or not {".", ".."}.isdisjoint(parts.path.split("/")):  # httpx reads them otherwise
        return None
    if not host.isascii() or not host.replace("-", "").replace(".", "").isalnum() or quote(parts.path) != parts.path:
        return None
    return Target(host, None if port == _PORTS[parts.scheme] else port, parts.path, parts.scheme == "https")


def request_to(target: Target, path: str, headers: Mapping[str, str]) -> bytes:
    """A GET. Raises NotPlainError."""
    host = target.host if target.port is None else f"{target.host}:{target.port}"
    fields = {"host": host, "accept": "*/*", **headers}
    lines = [f"GET {target.base}{path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise NotPlainError
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def plain_answer(
    target: Target, path: str, headers: Mapping[str, str], seconds: float = SECONDS
) -> PlainAnswer | None:
    """None: there is no plain answer, or not so soon."""
    deadline = time.monotonic() + seconds
    try:
        request = request_to(target, path, headers)
        with _connected(target, deadline) as connection:
            connection.settimeout(_left(deadline))
            connection.sendall(request)
            came = b""
            while (answer := answer_in(came)) is None:
                connection.settimeout(_left(deadline))
                more = connection.recv(MAX_BYTES)
                if not more or len(came) + len(more) > MAX_BYTES:
                    return None
                came += more
            return answer
    except (OSError, ValueError):
        return None


def _connected(target: Target, deadline: float) -> socket.socket:
    """Raises OSError, ValueError."""
    connection = _reached(target, min(deadline, time.monotonic() + CONNECT_SECONDS))
    if not target.is_https:
        return connection
    with closing(connection):  # what speaks TLS takes it over
        from client.upstreams.trust import trusted  # noqa: PLC0415  only https needs it

        context = trusted()
        connection.settimeout(_left(deadline))
        return context.wrap_socket(connection, server_hostname=target.host)


def _reached(target: Target, deadline: float) -> socket.socket:
    """The first of its addresses that answers. Raises OSError."""
    failure = OSError()
    port = target.port or _PORTS["https" if target.is_https else "http"]
    for family, kind, protocol, _, place in _addresses(target.host, port, _left(deadline)):
        try:
            connection = socket.socket(family, kind, protocol)
        except OSError as error:  # the system has no addresses of that family
            failure = error
            continue
        try:
            connection.settimeout(_left(deadline))
            connection.connect(place)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def _addresses(host: str, port: int, seconds: float) -> Sequence[tuple[int, int, int, str, Any]]:
    """Empty if the system does not know them in time: it waits far longer for a name server that does not answer."""
    known: list[tuple[int, int, int, str, Any]] = []

    def ask() -> None:
        with suppress(OSError, ValueError):
            known.extend(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return tuple(known)


def _left(deadline: float) -> float:
    """Raises TimeoutError."""
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return left


def answer_in(came: bytes) -> PlainAnswer | None:
    """The answer in what has come so far; None: more has to come. Raises NotPlainError."""
    head, end, rest = came.partition(b"\r\n\r\n")
    if not end:
        return None
    first, *lines = head.split(b"\r\n")
    if not all(line.isascii() and line.decode("ascii").isprintable() for line in (first, *lines)):
        raise NotPlainError
    status = first[9:12]
    if first[:9] != b"HTTP/1.1 " or status not in (b"200", b"304") or first[12:13] not in (b"", b" "):
        raise NotPlainError
    fields: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        lower = name.lower()
        if not colon or not name.replace(b"-", b"").isalnum() or (lower in fields and lower in _FRAMING):
            raise NotPlainError
        fields[lower] = value.strip()
    coding, length = fields.get(b"transfer-encoding"), fields.get(b"content-length")
    if b"content-encoding" in fields or coding not in (None, b"chunked"):
        raise NotPlainError
    if length is not None and not (length.isdigit() and len(length) <= _LENGTH_DIGITS):
        raise NotPlainError
    if status == b"304":
        return PlainAnswer(304)
    if coding is not None:
        body = _chunks(rest)
    elif length is not None:
        body = rest[: int(length)] if len(rest) >= int(length) else None
    else:
        raise NotPlainError
    return None if body is None else PlainAnswer(200, body)


def _chunks(data: bytes) -> bytes | None:
    """What is in the chunks; None: more has to come. Raises NotPlainError, also for what a chunk's size or the last
    chunk may bring along."""
    body = b""
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            return None
        if not line or len(line) > 8 or line.strip(_HEX):
            raise NotPlainError
        size = int(line, 16)
        if len(data) < size + 2:
            return None
        if data[size : size + 2] != b"\r\n":
            raise NotPlainError
        if size == 0:
            return body
        body, data = body + data[:size], data[size + 2 :]
