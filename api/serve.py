"""`python -m api.serve`: one API process. uvicorn with our HTTP protocol."""

from __future__ import annotations

import resource
from typing import Final

import click
import uvicorn

from api.http.http_protocol import Bounds, HttpProtocol
from shared import observability
from shared.settings import Settings

KEEP_ALIVE_SECONDS = 75
"""Longer than clients and load balancers keep an idle connection, so that it is theirs to close."""


_BESIDE_CONNECTIONS: Final = 256
"""Open files that a process needs beside its connections."""


def _connections(most: int) -> int:
    """As many as are wanted and the system lets a process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        most = max(min(most, hard - _BESIDE_CONNECTIONS), 1)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < most + _BESIDE_CONNECTIONS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most + _BESIDE_CONNECTIONS, hard))
    return most


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8480, show_default=True)
@click.option("--fd", type=int, help="Accept from this socket, which was inherited, instead of host and port.")
@click.option("--behind-proxy", is_flag=True, help="Believe the X-Forwarded headers of whoever connects.")
@click.option("--grace", default=3, show_default=True, help="Seconds that requests may still take at the end.")
def main(*, host: str, port: int, fd: int | None, behind_proxy: bool, grace: int) -> None:
    """Run one API process; settings are in the environment (docs/operations.md)."""
    settings = Settings.from_env()
    observability.configure(settings.log_level)  # before uvicorn says anything
    HttpProtocol.bounds = Bounds(_connections(settings.connections), settings.header_seconds)
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=host,
        port=port,
        fd=fd,
        http=HttpProtocol,
        loop="uvloop",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=behind_proxy,
        forwarded_allow_ips="*" if behind_proxy else None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace,
    )


if __name__ == "__main__":
    main()
