"""hypertask import taskwarrior"""

from __future__ import annotations

import asyncio
import sys

import click

from client.commands.direct_report import show
from client.commands.reporting import reports, warn_of_plain_http
from client.commands.session import Session
from client.commands.transfer import DRY_RUN, FILE, bring_into_folder, context_of, import_, read_file
from client.config.addresses import AddressError, server_address
from client.config.tokens import TokenError, checked
from client.formats import taskwarrior as formats
from client.formats.context import Reading
from client.formats.taskwarrior_export import documents_of
from client.formats.taskwarrior_fields import keep_computed
from client.screen import INCOMPLETE, Screen, tasks
from client.sync.direct import SendReport, Survey, send, survey
from client.upstreams.http import HttpUpstream
from client.upstreams.http_channel import Channel
from shared.core.identifiers import Body, DocumentId
from shared.retry import Backoff

HOW_TO_GIVE_ONE = "To give another one: --token or HYPERTASK_TOKEN"


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
    try:
        url = server_address(url)
    except AddressError as error:
        raise click.BadParameter(str(error), param_hint="'--url'") from None
    try:
        token = checked(token)
    except TokenError as error:
        raise click.BadParameter(str(error), param_hint="'--token'") from None
    warn_of_plain_http(screen, url)
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
    upstream = HttpUpstream(Channel(url, token, another_token=HOW_TO_GIVE_ONE, backoff=Backoff()), {})
    try:
        with screen.progress("Compared", sending=False) as progress:
            intent = await survey(upstream, documents, reconcile=keep_computed, progress=progress)
        if dry_run:
            return intent, None
        with screen.progress("Sent", sending=True) as progress:
            return intent, await send(upstream, intent, progress=progress)
    finally:
        await upstream.close()


import_.add_command(taskwarrior)
