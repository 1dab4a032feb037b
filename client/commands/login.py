"""hypertask login, logout."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from client.commands.connect import connect_with, new_upstream_options
from client.commands.reporting import reports, warn_of_plain_http
from client.commands.session import Session
from client.commands.sync import chosen
from client.config.addresses import AddressError, address, name_for, server_address
from client.config.config_file import UpstreamConfig
from client.screen import Screen
from client.sync.upstream import UpstreamError
from client.upstreams.http_channel import Channel
from client.upstreams.login import Granted, LoginCode, begin_login, finish_login, log_out, space_named
from client.workspace.workspace import SetUpError, device_name
from shared.core.display import shown


@click.command()
@click.argument("where", metavar="URL")
@click.option("--name", metavar="NAME", help="What to call the server; by default a part of the address.")
@click.option("--space", metavar="SPACE", help="A space of yours, by name or id; by default your first one.")
@click.option("--device", metavar="NAME", help="What to call this device; by default as the machine is called.")
@new_upstream_options
@reports
def login(
    session: Session,
    screen: Screen,
    *,
    where: str,
    name: str | None,
    space: str | None,
    device: str | None,
    folder: Path | None,
    at_once: bool,
) -> None:
    """Connect the folder with a server where you have an account.

    Shows a code and an address. Open the address in a browser, on this machine or another one, sign in, and type the
    code: this device then gets a token of its own. hypertask logout takes it back.

    \b
    hypertask login https://tasks.example.org --sync
    hypertask --profile plans login https://tasks.example.org --space Plans --folder ~/plans
    """
    try:
        url = server_address(address(where))
    except AddressError as error:
        raise click.BadParameter(str(error), param_hint="'URL'") from None
    if folder is not None:
        session.make_profile(folder)
    profile = session.profile
    warn_of_plain_http(screen, url)
    granted, space_id = asyncio.run(_logged_in(url, device or device_name(), space))
    taken = {upstream.name: upstream for upstream in profile.upstreams}
    same = next((u.name for u in profile.upstreams if (u.url, u.space) == (url, space_id)), None)
    config = UpstreamConfig(name or same or name_for(url, taken), url, space_id)
    connect_with(session, screen, config, granted.token, at_once=at_once)


async def _logged_in(url: str, device: str, space: str | None) -> tuple[Granted, str | None]:
    """A token that a person has approved, and the id of the space that is wanted. Raises UpstreamError."""
    channel = Channel(url, None)
    try:
        code = await begin_login(channel, device)
        _show(code)
        granted = await finish_login(channel, code, tell=_show_no_room)
    finally:
        await channel.close()
    if space is None:
        return granted, None
    channel = Channel(url, granted.token)
    try:
        return granted, await space_named(channel, space)
    except UpstreamError:
        await log_out(channel)  # nobody keeps the token
        raise
    finally:
        await channel.close()


def _show(code: LoginCode) -> None:
    """On standard error, with --json as well: somebody has to read it."""
    lines = (
        f"Open {code.page} in a browser and type the code:  {code.user_code}",
        f"Or open {code.page_with_code}",
        f"Waiting until it is approved ({code.expires_in / 60:.0f} minutes at most). Ctrl-C stops.",
    )
    for line in lines:
        click.echo(shown(line), err=True)


def _show_no_room(why: str) -> None:
    click.echo(shown(f"It is approved, but there is no room: {why} Then this goes on by itself."), err=True)


@click.command()
@click.argument("names", metavar="[UPSTREAM]...", nargs=-1)
@reports
def logout(session: Session, screen: Screen, *, names: tuple[str, ...]) -> None:
    """Revoke this device's token at a server, and forget it here. The folder and the address stay."""
    profile = session.profile
    servers = [config for config in chosen(profile, names) if config.url.startswith("http")]
    if not servers:
        raise SetUpError(f"{profile.folder} is connected with no server")
    lines, value = [], {}
    for config in servers:
        token = session.tokens.token_for(profile.name, config.name)
        if token is not None:
            revoked = asyncio.run(_logged_out(config.url, token))
            session.tokens.drop(profile.name, config.name)
            value[config.name] = {"revoked": revoked is not None}
            what = "revoked" if revoked is not None else "of no use before"
            lines.append(f"{config.name}: the token is forgotten here, and {what} at {config.url}.")
        else:
            value[config.name] = {"revoked": False}
            lines.append(f"{config.name}: there was no token.")
    screen.answer({"upstreams": value}, *lines, f"Once more: hypertask login {servers[0].url}")


async def _logged_out(url: str, token: str) -> str | None:
    channel = Channel(url, token)
    try:
        return await log_out(channel)
    finally:
        await channel.close()
