"""`python -m api.serve`: one API process. uvicorn with our HTTP protocol."""

from __future__ import annotations

import click
import uvicorn

from api.http_protocol import HttpProtocol

KEEP_ALIVE_SECONDS = 75
"""Longer than clients and load balancers keep an idle connection, so that it is theirs to close."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8480, show_default=True)
@click.option("--fd", type=int, help="Accept from this socket, which was inherited, instead of host and port.")
@click.option("--behind-proxy", is_flag=True, help="Believe the X-Forwarded headers of whoever connects.")
@click.option("--grace", default=3, show_default=True, help="Seconds that requests may still take at the end.")
def main(*, host: str, port: int, fd: int | None, behind_proxy: bool, grace: int) -> None:
    """Run one API process; settings are in the environment (docs/operations.md)."""
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=host,
        port=port,
        fd=fd,
        http=HttpProtocol,
        loop="uvloop",
        ws="none",
        access_log=False,
        server_header=False,
        proxy_headers=behind_proxy,
        forwarded_allow_ips="*" if behind_proxy else None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace,
    )


if __name__ == "__main__":
    main()
