"""One request and a plain answer: what is taken for one h11 takes for the same, and whatever else comes is none."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from client.upstreams.plain_request import (
    MAX_BYTES,
    NotPlainError,
    PlainAnswer,
    Target,
    answer_in,
    plain_answer,
    request_to,
    target_of,
)
from client.upstreams.trust import trusted
from tests.certificate import certificate
from tests.patience import PATIENCE_SECONDS
from tests.unit.client.workspace.since_server import SinceServer

OK, UNCHANGED = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 304 Not Modified\r\n"
PLAIN = [
    (OK + b"content-length: 2\r\n\r\n{}", PlainAnswer(200, b"{}")),
    (OK + b"Content-Length:2 \r\nDate: x\r\nx-empty:\r\n\r\n{}", PlainAnswer(200, b"{}")),
    (b"HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n", PlainAnswer(200, b"")),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n01\r\n}\r\n0\r\n\r\n", PlainAnswer(200, b"{}")),
    (UNCHANGED + b'etag: "x"\r\n\r\n', PlainAnswer(304)),
    (UNCHANGED + b"content-length: 9\r\n\r\n", PlainAnswer(304)),
    (UNCHANGED + b"transfer-encoding: chunked\r\n\r\n", PlainAnswer(304)),
]
NONE = [
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN[0][0],
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1  200 OK\r\ncontent-length: 2\r\n\r\n{}",
    OK + b"\r\n{}",
    OK + b"content-length: 2\r\ncontent-length: 2\r\n\r\n{}",
    OK + b"content-length: 2, 2\r\n\r\n{}",
    OK + b"content-length: +2\r\n\r\n{}",
    OK + b"content-length: 99999999\r\n\r\n{}",
    OK + b"content-length : 2\r\n\r\n{}",
    OK + b"content-length: 2\r\n folded: 2\r\n\r\n{}",
    OK + b"content-length: 2\r\nx: a\x00b\r\n\r\n{}",
    OK + b"content-length: 2\r\nx: \xc3\xa9\r\n\r\n{}",
    OK + b"content-length: 2\nx: y\r\n\r\n{}",
    OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
    OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n2\r\n{}}\r\n0\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n0\r\nx: y\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n\r\n\r\n",
    UNCHANGED + b"content-length: x\r\n\r\n",
    b"SSH-2.0-x\r\n\r\n",
    b"\r\n\r\n",
]


@pytest.mark.parametrize(("came", "answer"), PLAIN)
def test_plain_answers(came: bytes, answer: PlainAnswer) -> None:
    assert answer_in(came) == answer
    assert [answer_in(came[:length]) for length in range(len(came))] == [None] * len(came)


@pytest.mark.parametrize("came", NONE)
def test_other_answers(came: bytes) -> None:
    with pytest.raises(NotPlainError):
        answer_in(came)


def h11_s(came: bytes) -> PlainAnswer:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(came)
    response = connection.next_event()
    assert isinstance(response, h11.Response)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    return PlainAnswer(response.status_code, body)


PIECES = [
    *(b"HTTP/1.1 ", b"200", b"304", b" OK", b" Not Modified", b"\r\n", b"\r\n\r\n", b"\n", b":", b" ", b"\t", b"_"),
    *(b"content-length", b": 2", b": 3", b": 0", b"transfer-encoding", b": chunked", b"content-encoding", b": gzip"),
    *(
        b"x: y",
        b"{}",
        b"2",
        b"0",
        b"etag",
        b'"x"',
        b"\x00",
        b"\xff",
        b"\x0b",
        b",",
        b";",
        b"0\r\n\r\n",
        b"2\r\n{}\r\n",
    ),
]
whole = st.sampled_from([came for came, _ in PLAIN] + NONE)


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A plain answer, or another one, in which a few pieces were put in, taken out or put in the place of others."""
    came = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(came)))
        came = came[:at] + draw(st.sampled_from([b"", *PIECES])) + came[at + draw(st.integers(0, 4)) :]
    return came


@given(st.one_of(changed(), st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)))
@example(OK + b"content-length: 2\r\nx:\r\n\r\n{}")
def test_h11_takes_the_same(came: bytes) -> None:
    try:
        answer = answer_in(came)
    except NotPlainError:
        return
    if answer is not None:
        assert h11_s(came) == answer


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://h", Target("h", None, "")),
        ("http://H.example:80/", Target("h.example", None, "")),
        ("http://127.0.0.1:8000/a/b/", Target("127.0.0.1", 8000, "/a/b")),
        ("https://h:443/a", Target("h", None, "/a", is_https=True)),
        ("https://h:80", Target("h", 80, "", is_https=True)),
        ("ftp://h", None),
        ("http://[::1]:8000", None),
        ("http://me@h", None),
        ("http://h/?a", None),
        ("http://h/#a", None),
        ("http://h/a b", None),
        ("http://h/%20", None),
        ("http://b\u00fccher.example", None),
        ("http://h:99999", None),
        ("http://h:0", None),
        ("http://h/a/../b", None),
        ("http://h/.", None),
        ("http://h/a\tb", None),
        ("HTTP://h", None),
        ("http://h:x", None),
        ("http://", None),
        ("http://a_b", None),
    ],
)
def test_where_to(url: str, target: Target | None) -> None:
    assert target_of(url, {}) == target


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "All_Proxy", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY"])
def test_a_proxy(name: str) -> None:
    assert target_of("http://h", {name: "x"}) is None
    assert target_of("http://h", {name: ""}) is not None


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_where_settings_may_name_a_proxy(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert target_of("http://h", {}) is None


def test_a_request() -> None:
    written = request_to(Target("h", 8000, "/a"), "/hashes?since=x", {"user-agent": "hypertask"})
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(written)
    request = connection.next_event()
    assert isinstance(request, h11.Request) and isinstance(connection.next_event(), h11.EndOfMessage)
    assert (request.method, request.target) == (b"GET", b"/a/hashes?since=x")
    assert dict(request.headers) == {b"host": b"h:8000", b"accept": b"*/*", b"user-agent": b"hypertask"}


@pytest.mark.parametrize("value", ["x\r\ny: z", "x\n", "\u00e9", "\x00"])
def test_what_would_be_another_request(value: str) -> None:
    with pytest.raises(NotPlainError):
        request_to(Target("h", None, ""), "/", {"if-none-match": value})
    assert plain_answer(Target("h", None, ""), "/", {"if-none-match": value}) is None


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[Target]:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def work() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(PATIENCE_SECONDS)
                connection.recv(65536)
                talk(connection)

        thread = threading.Thread(target=work)
        thread.start()
        yield Target("127.0.0.1", listening.getsockname()[1], "")
        thread.join()


def test_in_pieces() -> None:
    def talk(connection: socket.socket) -> None:
        for one in PLAIN[0][0]:
            connection.sendall(bytes([one]))

    with serving(talk) as target:
        assert plain_answer(target, "/", {}, PATIENCE_SECONDS) == PLAIN[0][1]


@pytest.mark.parametrize("came", [b"", PLAIN[0][0][:-1], OK, NONE[0], OK + b"x: y\r\n" * MAX_BYTES])
def test_no_plain_answer(came: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        try:
            connection.sendall(came)
        except OSError:  # more than is read
            return

    with serving(talk) as target:
        assert plain_answer(target, "/", {}, PATIENCE_SECONDS) is None


def test_silence_and_drops_that_go_on() -> None:
    """They end with the time for all of it."""
    is_over = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not is_over.wait(0.01):
            connection.sendall(b"x")

    for talk in (lambda connection: is_over.wait(PATIENCE_SECONDS), drip):
        is_over.clear()
        with serving(talk) as target:  # type: ignore[arg-type]
            assert plain_answer(target, "/", {}, 0.1) is None
            is_over.set()


def test_https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is to be of a trusted authority, and of that host."""
    certificate(tmp_path, "server")
    server = SinceServer()
    target = target_of(server.start(tmp_path), {})
    assert target is not None and target.is_https
    asked = "/hashes", {"authorization": f"Bearer {server.token}"}
    assert plain_answer(target, *asked, PATIENCE_SECONDS) is None
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    assert plain_answer(target, *asked, PATIENCE_SECONDS) == PlainAnswer(200, b"{}")
    assert plain_answer(target._replace(host="localhost"), *asked, PATIENCE_SECONDS) is None
    assert plain_answer(target._replace(is_https=False), *asked, PATIENCE_SECONDS) is None
    server.stop()
    assert len(server.asked) == 1


def test_who_is_trusted_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate(tmp_path, "server")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    contexts = [trusted()]
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    contexts.append(trusted())
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    contexts.append(trusted())
    many, *few = [context.cert_store_stats()["x509"] for context in contexts]
    assert many > 50 and few == [0, 1] and trusted() is contexts[2]
    assert all(context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname for context in contexts)


def test_nobody_is_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert plain_answer(Target("127.0.0.1", port, ""), "/", {}) is None
    assert plain_answer(Target(f"{'a' * 64}.invalid", port, ""), "/", {}) is None


def test_the_third_address_of_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at the second one, and of the first one's family the system has none."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()
    with serving(lambda connection: connection.sendall(PLAIN[0][0])) as target:
        places = [
            (family, socket.SOCK_STREAM, 0, "", place)
            for family, place in (
                (-2, nobody),
                (socket.AF_INET, nobody),
                (socket.AF_INET, ("127.0.0.1", target.port)),
            )
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: places)
        assert plain_answer(target._replace(host="h"), "/", {}, PATIENCE_SECONDS) == PLAIN[0][1]


def test_a_name_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for as long as the system waits."""
    is_over, has_waited = threading.Event(), threading.Event()

    def waiting(*arguments: object) -> list[object]:
        is_over.wait(PATIENCE_SECONDS)
        has_waited.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", waiting)
    assert plain_answer(Target("h", None, ""), "/", {}, 0.1) is None
    assert not has_waited.is_set()
    is_over.set()
    assert has_waited.wait(PATIENCE_SECONDS)
