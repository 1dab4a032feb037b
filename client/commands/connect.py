"""hypertask connect."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click

from client.commands.reporting import reports, warn_of_plain_http
from client.commands.session import Session
from client.commands.sync_report import result_report
from client.commands.whole_sync import NewTasks, hooks_runner, sync_once
from client.config.addresses import AddressError, address, name_for, without_password
from client.config.config_file import Profile, UpstreamConfig
from client.folder.locks import is_held
from client.screen import INCOMPLETE, Screen, tasks
from client.sync.upstream import UpstreamUnavailableError
from client.upstreams.http import HttpUpstream
from client.workspace.multi_sync import MultiSync
from client.workspace.workspace import SetUpError, Workspace, open_workspace, path_of

TOKEN_VARIABLE = "HYPERTASK_TOKEN"  # noqa: S105  a name


Command = TypeVar("Command", bound=Callable[..., Any])


def new_upstream_options(command: Command) -> Command:
    """The options that all commands have which add an upstream: `folder`, and `at_once` for --sync."""
    folder = click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        help="The folder of the profile; with --profile NAME a profile that is not there yet is made.",
    )
    return folder(click.option("--sync", "at_once", is_flag=True, help="Sync at once.")(command))


@click.command()
@click.argument("where", metavar="URL")
@click.option("--name", metavar="NAME", help="What to call it; by default a part of the address.")
@click.option("--space", metavar="SPACE", help="A space of the server other than the token's own.")
@new_upstream_options
@reports
def connect(
    session: Session,
    screen: Screen,
    *,
    where: str,
    name: str | None,
    space: str | None,
    folder: Path | None,
    at_once: bool,
) -> None:
    """Keep the folder in sync with URL: a server, a directory, a git repository, a database.

    The token of a server is asked for, or read from standard input or HYPERTASK_TOKEN; so is the password of a
    database's user, unless it is in the address; it is not written into the config. Nothing is synced yet,
    unless --sync says so.

    \b
    hypertask connect https://tasks.example.org --sync
    hypertask connect /media/stick/tasks
    hypertask connect git+ssh://git@example.org/tasks.git
    hypertask connect "mongodb://me@db.example.org/tasks?replicaSet=rs0"
    """
    try:
        url, password = without_password(address(where))
    except AddressError as error:
        raise click.BadParameter(str(error), param_hint="'URL'") from None
    if folder is not None:
        session.make_profile(folder)
    profile = session.profile
    known = {upstream.name: upstream for upstream in profile.upstreams}
    same = next((u.name for u in profile.upstreams if (u.url, u.space) == (url, space)), None)
    config = UpstreamConfig(name or same or name_for(url, known), url, space)
    warn_of_plain_http(screen, url)
    connect_with(session, screen, config, _secret(session, profile, config, password), at_once=at_once)


def connect_with(
    session: Session, screen: Screen, config: UpstreamConfig, token: str | None, *, at_once: bool
) -> None:
    """Keeps the token if what it opens can be read, and adds the address to the profile. Raises UpstreamError."""
    profile = session.profile
    created = _directory_to_create(config)
    with open_workspace(profile, session.tokens, make=True) as workspace:
        about = asyncio.run(_asked(workspace, config, token))
        watched = is_held(workspace.daemon_lock)
    if token is not None:
        session.tokens.put(profile.name, config.name, token)
    session.config_file.add_upstream(profile.name, config)
    if created is not None:
        screen.say(f"Created {created}.")
    sentence = f"Connected {profile.folder} with {config.name} ({config.url}), which has {tasks(about['tasks'])}."
    value = {"name": config.name, "url": config.url, "space": config.space, "folder": str(profile.folder), **about}
    if at_once:
        screen.say(sentence)
        _sync_now(session, screen, config, value)
    else:
        then = "Next: hypertask sync    (or, to stay in sync: hypertask daemon start)"
        screen.answer(value, sentence, "The daemon uses it from now on." if watched else then)


def _sync_now(session: Session, screen: Screen, config: UpstreamConfig, value: dict[str, Any]) -> None:
    arrivals = NewTasks(hooks_runner(session, screen))
    with open_workspace(session.profile, session.tokens) as workspace:
        result = asyncio.run(sync_once(MultiSync(workspace, [config], arrivals.note), screen, confirmed=False))
        synced, lines = result_report(result, workspace)
    if result.agreed and not result.waits:
        lines += [*arrivals.lines(), "Next: hypertask list    (and, to stay in sync: hypertask daemon start)"]
    screen.answer({**value, "sync": synced}, *lines)
    if not result.agreed or result.waits:
        sys.exit(INCOMPLETE)


def _secret(session: Session, profile: Profile, config: UpstreamConfig, password: str | None) -> str | None:
    """The token of a server, or the password of a database's user. None: the upstream needs none."""
    if config.url.startswith("http"):
        return _token(session, profile, config, "Token of this device")
    if password is None and config.url.startswith("mongodb") and urlsplit(config.url).username:
        return _token(session, profile, config, "Password of the database's user")
    return password


def _token(session: Session, profile: Profile, config: UpstreamConfig, called: str) -> str:
    if given := session.variables.get(TOKEN_VARIABLE):
        return given
    if sys.stdin.isatty():
        return str(click.prompt(called, hide_input=True, err=True))
    if given := sys.stdin.readline().strip():
        return given
    if (known := session.tokens.token_for(profile.name, config.name)) is not None:
        return known
    raise SetUpError(
        f"{called} is needed: {TOKEN_VARIABLE}=... hypertask connect {config.url}, or write it to standard input. A "
        "server prints one when it is started for the first time, and makes more with: POST /devices"
    )


def _directory_to_create(config: UpstreamConfig) -> Path | None:
    """The directory that will be made. Raises SetUpError where not even the one above it is there: that may be on a
    disk that is not connected, or mistyped."""
    if not config.url.startswith("folder://") or (place := path_of(config.url)).exists():
        return None
    if not place.parent.is_dir():
        raise SetUpError(
            f"{place.parent} is not there. Is its disk connected, and the path right? To create it: mkdir -p {place}"
        )
    return place


async def _asked(workspace: Workspace, config: UpstreamConfig, token: str | None) -> dict[str, Any]:
    """What the upstream says of itself: it is there, is what it should be, and lets us in. Raises UpstreamError."""
    driver = workspace.upstream(config, make=True, token=token)
    try:
        about: dict[str, Any] = {}
        if isinstance(driver, HttpUpstream):
            server = await driver.read_capabilities()
            about = {"server": str(server.get("version", "")), "v1_only": not driver.abilities.bases}
            ready = await driver.channel.request("GET", "/readyz") if server else None
            if ready is not None and ready.status_code != 200:
                raise UpstreamUnavailableError(
                    f"{config.url} is not ready: status {ready.status_code}. Try again in a moment."
                )
        changes = await driver.changes(None)
        workspace.store.set_facts(config.name, driver.abilities.facts)
        status = workspace.store.upstream(config.name).status
        if status.get("error"):  # it is over: the upstream answers, and lets us in
            workspace.store.set_status(config.name, {key: row for key, row in status.items() if key != "error"})
        return {"tasks": sum(content is not None for content in changes.hashes.values()), **about}
    finally:
        await driver.close()
