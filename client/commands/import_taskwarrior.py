"""hypertask import taskwarrior"""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlsplit

import click

from client.commands.direct_report import show
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.transfer import DRY_RUN, FILE, bring_into_folder, context_of, import_, read_file
from client.formats import taskwarrior as formats
from client.formats.context import Reading
from client.formats.taskwarrior_export import documents_of
from client.formats.taskwarrior_fields import keep_computed
from client.screen import INCOMPLETE, Screen, tasks
from client.sync.direct import SendReport, Survey, send, survey
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import Channel
from shared.core.documents import Body, DocumentId

HOW_TO_GIVE_ONE = "--token or HYPERTASK_TOKEN"


@click.command()
@FILE
@click.option(
    "--url", envvar="HYPERTASK_URL", show_envvar=True, help="Send them straight to this server, not into the folder."
)
@click.option(
    "--token",
    envvar="HYPERTASK_TOKEN",
    show_envvar=True,
    help="Token of this device, with --url. Better given in the environment: other users of this machine can see the "
    "command line.",
)
@DRY_RUN
@reports
def taskwarrior(
    session: Session,
    screen: Screen,
    *,
    file: str,
    url: str | None,
    token: str | None,
    dry_run: bool,
) -> None:
    """Import FILE, the output of `task export` ("-": standard input).

    Every attribute is kept. A task becomes the document whose id is the task's uuid, so an import can be
    repeated: only what changed is brought, and what was changed here or by others is merged, not overwritten.

    \b
    task export > tasks.json
    hypertask import taskwarrior tasks.json
    hypertask import taskwarrior tasks.json --url http://127.0.0.1:8480 --token TOKEN
    """
    if url is None:
        if click.get_current_context().get_parameter_source("token") is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError("Missing option '--url' (env var: 'HYPERTASK_URL').")
        context = context_of(session, file)
        reading = read_file(screen, file, lambda raw: formats.read(raw, context))
        command = f"import taskwarrior {file}"
        bring_into_folder(session, screen, reading, command, reconcile=keep_computed, dry_run=dry_run)
        return
    if token is None:
        raise click.UsageError("Missing option '--token' (env var: 'HYPERTASK_TOKEN').")
    url, token = _checked_url(url, screen), _checked_token(token)
    name = "standard input" if file == "-" else file
    reading = read_file(screen, file, lambda raw: Reading(documents_of(raw)), otherwise="sent")
    documents = reading.documents
    screen.say(f"{tasks(len(documents))} in {name}; comparing with {url}")
    intent, report = asyncio.run(_bring(documents, screen, url, token, dry_run=dry_run))
    show(screen, intent, report)
    if report is not None and not report.complete:
        sys.exit(INCOMPLETE)


async def _bring(
    documents: dict[DocumentId, Body],
    screen: Screen,
    url: str,
    token: str,
    *,
    dry_run: bool,
) -> tuple[Survey, SendReport | None]:
    upstream = HttpUpstream(Channel(url, token, another_token=HOW_TO_GIVE_ONE), {})
    try:
        with screen.progress("Compared", sending=False) as progress:
            intent = await survey(upstream, documents, reconcile=keep_computed, progress=progress)
        if dry_run:
            return intent, None
        with screen.progress("Sent", sending=True) as progress:
            return intent, await send(upstream, intent, progress=progress)
    finally:
        await upstream.close()


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


import_.add_command(taskwarrior)
