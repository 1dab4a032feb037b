"""hypertask import taskwarrior"""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlsplit

import click

from client.commands.push_report import show
from client.commands.reporting import reports
from client.commands.session import Session
from client.http_remote import connect
from client.push import Report, Survey, send, survey
from client.screen import INCOMPLETE, SHOWN, USAGE, Screen, tasks
from client.taskwarrior import keep_computed
from client.taskwarrior_export import ExportError, documents_of
from shared.core.documents import Body, DocumentId

CONNECTIONS = 32


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--url", envvar="HYPERTASK_URL", show_envvar=True, required=True, help="Address of the server.")
@click.option(
    "--token",
    envvar="HYPERTASK_TOKEN",
    show_envvar=True,
    required=True,
    help="Token of this device. Better given in the environment: other users of this machine can see the "
    "command line.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option(
    "--connections",
    type=click.IntRange(1, CONNECTIONS),
    default=CONNECTIONS,
    show_default=True,
    help="Most requests under way at a time.",
)
@reports
def taskwarrior(
    _: Session, screen: Screen, *, file: str, url: str, token: str, dry_run: bool, connections: int
) -> None:
    """Import FILE, the output of `task export` ("-": standard input).

    Every attribute is kept. A task becomes the document whose id is the task's uuid, so an import can be
    repeated: only what changed is sent, and what others changed on the server is merged, not overwritten.

    \b
    task export > tasks.json
    hypertask import taskwarrior tasks.json --url http://127.0.0.1:8480 --token TOKEN
    """
    url, token = _checked_url(url, screen), _checked_token(token)
    name = "standard input" if file == "-" else file
    documents = _documents(file, name, screen)
    screen.say(f"{tasks(len(documents))} in {name}; comparing with {url}")
    intent, report = asyncio.run(_bring(documents, screen, url, token, connections=connections, dry_run=dry_run))
    show(screen, intent, report)
    if report is not None and not report.complete:
        sys.exit(INCOMPLETE)


def _documents(file: str, name: str, screen: Screen) -> dict[DocumentId, Body]:
    try:
        with click.open_file(file, "rb") as source:
            return documents_of(source.read())
    except OSError as error:
        screen.fail("unreadable-file", f"{name} cannot be read: {error.strerror}", USAGE)
    except ExportError as error:
        lines = [f"{name} cannot be imported; nothing was sent."]
        lines += [f"  {problem}" for problem in error.problems[:SHOWN]]
        if (more := len(error.problems) - SHOWN) > 0:
            lines.append(f"  ... and {more} more; --json has all of them")
        problems = [{"line": p.line, "entry": p.entry, "detail": p.detail} for p in error.problems]
        screen.fail("unreadable-export", "\n".join(lines), USAGE, problems=problems)


async def _bring(
    documents: dict[DocumentId, Body],
    screen: Screen,
    url: str,
    token: str,
    *,
    connections: int,
    dry_run: bool,
) -> tuple[Survey, Report | None]:
    async with connect(url, token, connections=connections) as remote:
        with screen.progress("Compared", sending=False) as progress:
            intent = await survey(
                remote, documents, reconcile=keep_computed, progress=progress, connections=connections
            )
        if dry_run:
            return intent, None
        with screen.progress("Sent", sending=True) as progress:
            return intent, await send(remote, intent, progress=progress, connections=connections)


def _checked_url(text: str, screen: Screen) -> str:
    try:
        url = urlsplit(text.strip())
        url.port  # noqa: B018  raises ValueError
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no address: {error}", param_hint="'--url'") from None
    if url.scheme not in ("http", "https") or not url.hostname:
        detail = f"{text!r} is no address of a server; one looks like https://tasks.example.org"
        raise click.BadParameter(detail, param_hint="'--url'")
    if "@" in url.netloc or url.query or url.fragment:
        detail = "leave out user and password, ? and #; the token says who you are"
        raise click.BadParameter(detail, param_hint="'--url'")
    if url.scheme == "http" and url.hostname not in ("localhost", "::1") and url.hostname[:4] != "127.":
        screen.warn(f"the token travels to {url.hostname} unencrypted; use https outside a trusted network")
    return url.geturl().rstrip("/")


def _checked_token(text: str) -> str:
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        detail = "a token is one word of printable ASCII; was it copied whole?"
        raise click.BadParameter(detail, param_hint="'--token'")
    return token
