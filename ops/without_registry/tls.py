"""nginx with TLS, by a certificate that is mounted, and by another one after a reload."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from without_registry import project
from without_registry.scratch import Scratch, StepFailedError

FILES = ("docker-compose.yml", "ops/compose.tls.yml")


def show(scratch: Scratch) -> None:
    """Raises StepFailedError."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port = one.getsockname()[1]
    listen = {"HYPERTASK_TLS_LISTEN": f"127.0.0.1:{port}"}
    first = _certificate(scratch)
    scratch.compose("up", "--detach", "--wait", "--no-deps", "nginx", files=FILES, env=listen)
    trusting = {"SSL_CERT_FILE": str(scratch.clone / "secrets/tls/certificate.pem")}
    project.sync_through_nginx(scratch, url=f"https://127.0.0.1:{port}", env=trusting)
    second = _certificate(scratch)
    scratch.compose("exec", "-T", "nginx", "nginx", "-s", "reload", files=FILES, env=listen)
    project.until(lambda: _served(port) == second, "the other certificate is not served")
    if first == second:
        raise StepFailedError("Both certificates are the same.")
    scratch.compose("up", "--detach", "--wait", "--no-deps", "nginx")


def _certificate(scratch: Scratch) -> str:
    """A new one, where docker-compose.yml expects it; its text."""
    folder = scratch.clone / "secrets" / "tls"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    request = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost")
    names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    scratch.run("openssl", *request, *names, "-keyout", key, "-out", certificate)
    for path in (key, certificate):
        path.chmod(0o444)  # users of containers read it; the folder `secrets` keeps others out
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(Path(certificate).read_text()))


def _served(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port))
