"""How commands end: every known error becomes a sentence, a code and an exit status, with --json an object."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlsplit

import click

from client.commands.session import Session
from client.screen import INCOMPLETE, USAGE, Screen, fitting_error

P = ParamSpec("P")


def reports(command: Callable[Concatenate[Session, Screen, P], None]) -> Callable[P, None]:
    """Gives a command --json, its session and its screen, and turns its errors into reports."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object to standard output.")
    @click.pass_context
    @wraps(command)
    def reported(context: click.Context, /, *args: Any, as_json: bool, **options: Any) -> None:
        screen = Screen(as_json=as_json)
        try:
            command(context.obj, screen, *args, **options)
        except click.UsageError as error:
            if as_json:
                screen.fail("wrong-usage", error.format_message(), USAGE)
            raise click.UsageError(fitting_error(error.format_message()), context) from None
        except (BrokenPipeError, click.ClickException):
            raise  # who read the output has enough of it; what click says it says itself
        except KeyboardInterrupt:
            screen.fail("interrupted", "stopped by you", INCOMPLETE)
        except Exception as error:
            from client.commands.failures import failure_of  # noqa: PLC0415  it loads the whole client

            if (failure := failure_of(error)) is None:
                raise
            code, text, status = failure
            screen.fail(code, text, status)

    return cast(Callable[P, None], reported)


def warn_of_plain_http(screen: Screen, url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "http" and host not in ("localhost", "::1") and not host.startswith("127."):
        screen.warn(f"the token travels to {host} unencrypted; use https outside a trusted network")
