"""`hypertask-server user|space|invite`: what administrators do with people and spaces over HTTP, at a shell."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from api.access.administration import PAGE, Administration
from api.access.spaces import new_invitation
from api.commands.administrators import JSON, administer, print_table, print_value, time_shown
from api.commands.operating import connection_of, settings_of
from api.representations import people
from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.access.invitations import InvitationId
from shared.core.access.people import EMAIL_RULE, NAME_RULE, email_key, is_user_name
from shared.core.access.roles import GRANTED, Role
from shared.core.display import shown
from shared.core.documents import SpaceId


@click.group()
def user() -> None:
    """People: list, add, disable, reset."""


@user.command("add")
@click.argument("name")
@click.option("--email", help="Another name to sign in with.")
@click.option("--administrator", is_flag=True, help="Of the whole server.")
@JSON
@click.pass_obj
def add_user(data: Path | None, name: str, email: str | None, *, administrator: bool, as_json: bool) -> None:
    """Make an account, and print its password, this once."""
    if not is_user_name(name):
        raise click.BadParameter(NAME_RULE, param_hint="NAME")
    if email is not None and email_key(email) is None:
        raise click.BadParameter(EMAIL_RULE, param_hint="--email")

    async def call(admin: Administration) -> dict[str, Any]:
        added, password = await admin.add_user(BY_OPERATOR, name, email=email, administrator=administrator)
        return {"user": added.id, "name": added.name, "password": password}

    print_value(administer(data, call), as_json=as_json)


@user.command("list")
@click.argument("text", default="")
@click.option("--after", default="", help="The last id of the page before.")
@JSON
@click.pass_obj
def list_users(data: Path | None, text: str, after: str, *, as_json: bool) -> None:
    """Users whose name or e-mail address has TEXT in it, with what they use."""
    rows = administer(data, lambda admin: admin.users(text, after, PAGE))
    if as_json:
        click.echo(json.dumps(rows))
        return
    print_table(
        ("USER", "STATE", "SPACES", "DEVICES", "DOCUMENTS", "BYTES", "NAME"),
        [
            (
                row["user"],
                row["state"] + (" admin" if row["administrator"] else ""),
                *(row["used"][name] for name in ("spaces", "devices", "documents", "bytes")),
                row["name"],
            )
            for row in rows
        ],
    )


@user.command("show")
@click.argument("name")
@click.pass_obj
def show_user(data: Path | None, name: str) -> None:
    """One user: state, usage, limits, spaces. NAME: name, e-mail address or id."""

    async def call(admin: Administration) -> dict[str, Any]:
        return await admin.user(await admin.by_name(name))

    print_value(administer(data, call), as_json=True)


@user.command("disable")
@click.argument("name")
@click.pass_obj
def disable_user(data: Path | None, name: str) -> None:
    """Nothing opens for the user any more, at once."""
    _set_disabled(data, name, disabled=True)
    click.echo(f"Disabled {shown(name)}: sessions and tokens open nothing, and what was open is closed.")


@user.command("enable")
@click.argument("name")
@click.pass_obj
def enable_user(data: Path | None, name: str) -> None:
    """Take a disabling back."""
    _set_disabled(data, name, disabled=False)
    click.echo(f"Enabled {shown(name)}.")


@user.command("administrator")
@click.argument("name")
@click.option("--revoke", is_flag=True, help="Take the role away.")
@click.pass_obj
def administrator(data: Path | None, name: str, *, revoke: bool) -> None:
    """Make a user an administrator."""

    async def call(admin: Administration) -> None:
        await admin.set_administrator(BY_OPERATOR, await admin.by_name(name), administrator=not revoke)

    administer(data, call)
    click.echo(f"{shown(name)} is {'no administrator any more' if revoke else 'an administrator'}.")


@user.command("reset")
@click.argument("name")
@click.option("--devices", is_flag=True, help="Revoke the tokens of all devices, too.")
@JSON
@click.pass_obj
def reset_user(data: Path | None, name: str, *, devices: bool, as_json: bool) -> None:
    """Give a user a new password, which is printed this once, and end all sessions."""

    async def call(admin: Administration) -> dict[str, Any]:
        identity = await admin.by_name(name)
        return {"user": identity, "password": await admin.reset(BY_OPERATOR, identity, devices=devices)}

    print_value(administer(data, call), as_json=as_json)


@click.group()
def space() -> None:
    """Spaces: list, look at one's health."""


@space.command("list")
@click.argument("text", default="")
@click.option("--after", default="", help="The last id of the page before.")
@JSON
@click.pass_obj
def list_spaces(data: Path | None, text: str, after: str, *, as_json: bool) -> None:
    """Spaces whose id or name has TEXT in it, with what they hold."""
    rows = administer(data, lambda admin: admin.spaces(text, after, PAGE))
    if as_json:
        click.echo(json.dumps(rows))
        return
    print_table(
        ("SPACE", "STATE", "DOCUMENTS", "BYTES", "HISTORY BYTES", "NAME"),
        [
            (
                row["space"],
                row["state"],
                *(row["used"][name] for name in ("documents", "bytes", "history_bytes")),
                row["name"],
            )
            for row in rows
        ],
    )


@space.command("show")
@click.argument("space")
@click.pass_obj
def show_space(data: Path | None, space: str) -> None:
    """One space: what it holds, its members, how far its devices are behind, its limits."""
    print_value(administer(data, lambda admin: admin.space(SpaceId(space))), as_json=True)


@click.group()
def invite() -> None:
    """Invitations: to the server, or to a space."""


@invite.command("create")
@click.option("--space", help="To this space; without it to the server alone.")
@click.option("--role", type=click.Choice([role.value for role in GRANTED]), help="In the space.")
@click.option("--days", type=float, help="How long it can be accepted; as HYPERTASK_INVITATION_DAYS says.")
@JSON
@click.pass_obj
def create_invitation(
    data: Path | None, space: str | None, role: str | None, days: float | None, *, as_json: bool
) -> None:
    """Make a link that works once, and print it, this once."""
    if (space is None) is not (role is None):
        raise click.UsageError("--space and --role go together.")
    settings = settings_of(data)

    async def call(admin: Administration) -> dict[str, Any]:
        if space is not None:
            await admin.space(SpaceId(space))
        invitation, secret = await new_invitation(
            admin.stores,
            BY_OPERATOR,
            None if space is None else SpaceId(space),
            None if role is None else Role(role),
            days=settings.invitation_days if days is None else days,
            by_administrator=True,
        )
        public = settings.public_url or (str(connection_of(data)["url"]) if data is not None else "")
        return {**people.invitation_row(invitation), "secret": secret, "url": f"{public}/join#{secret}"}

    link = administer(data, call)
    if as_json:
        click.echo(json.dumps(link))
    else:
        click.echo(f"Whoever opens this link first, until {time_shown(link['expires_at'])}:\n\n  {link['url']}\n")


@invite.command("list")
@click.option("--space", help="Those to this space; without it those to the server alone.")
@click.pass_obj
def list_invitations(data: Path | None, space: str | None) -> None:
    """Invitations that can be accepted still."""

    async def call(admin: Administration) -> list[dict[str, Any]]:
        waiting = await admin.stores.invitations.list_of(None if space is None else SpaceId(space))
        return [people.invitation_row(one) for one in waiting]

    print_value(administer(data, call), as_json=True)


@invite.command("revoke")
@click.argument("invitation")
@click.option("--space", help="To which it was made.")
@click.pass_obj
def revoke_invitation(data: Path | None, invitation: str, space: str | None) -> None:
    """An invitation is of no use any more."""
    where = None if space is None else SpaceId(space)

    async def call(admin: Administration) -> bool:
        now = datetime.now(UTC).timestamp()
        entry = BY_OPERATOR.entry(AuditAct.INVITATION_REVOKED, now, space=where)
        return await admin.stores.invitations.revoke(InvitationId(invitation), where, now, entry)

    if not administer(data, call):
        raise click.ClickException("There is no such invitation, or it was used or revoked before.")
    click.echo(f"Revoked {shown(invitation)}.")


def _set_disabled(data: Path | None, name: str, *, disabled: bool) -> None:
    async def call(admin: Administration) -> None:
        await admin.set_disabled(BY_OPERATOR, await admin.by_name(name), disabled=disabled)

    administer(data, call)
