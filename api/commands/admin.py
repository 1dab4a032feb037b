"""`hypertask-server quota|audit|setup`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from api.access.administration import PAGE, Administration
from api.access.provision import Provision
from api.authentication.auth import Devices
from api.commands.administrators import JSON, administer, print_value, time_shown
from shared.core.access.audit import BY_OPERATOR
from shared.core.display import shown
from shared.core.documents import SpaceId, UserName

_FIRST: Final = "admin"


@click.group()
def quota() -> None:
    """Limits of one user or one space that are other than the settings say."""


@quota.command("set")
@click.option("--user", "name", help="Name, e-mail address or id.")
@click.option("--space", help="Its id.")
@click.argument("limits", nargs=-1)
@click.pass_obj
def set_quota(data: Path | None, name: str | None, space: str | None, limits: tuple[str, ...]) -> None:
    """Set limits: space_documents=1000 ...; an empty value (space_documents=) takes the override away."""
    changes = dict(map(_limit, limits))

    async def call(admin: Administration) -> dict[str, Any]:
        if name is not None:
            identity = await admin.by_name(name)
            known = (await admin.user(identity))["overrides"]
            return await admin.set_user_limits(BY_OPERATOR, identity, _changed(known, changes))
        known = (await admin.space(SpaceId(space or "")))["overrides"]
        return await admin.set_space_limits(BY_OPERATOR, SpaceId(space or ""), _changed(known, changes))

    if (name is None) is (space is None):
        raise click.UsageError("Name one of --user and --space.")
    print_value(administer(data, call)["limits"], as_json=True)


@quota.command("show")
@click.option("--user", "name", help="Name, e-mail address or id.")
@click.option("--space", help="Its id.")
@click.pass_obj
def show_quota(data: Path | None, name: str | None, space: str | None) -> None:
    """The limits that hold for a user or a space, and what is used."""
    if (name is None) is (space is None):
        raise click.UsageError("Name one of --user and --space.")

    async def call(admin: Administration) -> dict[str, Any]:
        row = await (admin.space(SpaceId(space or "")) if name is None else admin.user(await admin.by_name(name)))
        return {key: row[key] for key in ("overrides", "limits", "used")}

    print_value(administer(data, call), as_json=True)


@quota.command("apply")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def apply_quotas(data: Path | None, file: Path) -> None:
    """Set the limits of FILE: {"users": {NAME: {LIMIT: NUMBER}}, "spaces": {ID: {LIMIT: NUMBER}}}.

    Whoever is named in it has these and no others; it may be repeated.
    """
    try:
        wanted = json.loads(file.read_text())
        users, spaces = dict(wanted.get("users", {})), dict(wanted.get("spaces", {}))
    except (ValueError, AttributeError, TypeError) as error:
        raise click.ClickException(f"{shown(str(file))} is no such file: {error}.") from error

    async def call(admin: Administration) -> None:
        for name, limits in users.items():
            await admin.set_user_limits(BY_OPERATOR, await admin.by_name(name), dict(limits))
        for identity, limits in spaces.items():
            await admin.set_space_limits(BY_OPERATOR, SpaceId(identity), dict(limits))

    administer(data, call)
    click.echo(f"Set the limits of {len(users)} users and {len(spaces)} spaces.")


@click.command()
@click.option("--user", "name", help="By or to this user: name, e-mail address or id.")
@click.option("--space", help="About this space.")
@click.option("--before", type=float, help="Before this time, in seconds since 1970.")
@click.option("--limit", type=click.IntRange(1, 1000), default=PAGE, show_default=True)
@JSON
@click.pass_obj
def audit(
    data: Path | None, name: str | None, space: str | None, before: float | None, limit: int, *, as_json: bool
) -> None:
    """Who did what to people, spaces and devices, and from where; newest first."""

    async def call(admin: Administration) -> list[dict[str, Any]]:
        user = None if name is None else await admin.by_name(name)
        where = None if space is None else SpaceId(space)
        return await admin.audit(space=where, user=user, before=before, most=limit)

    rows = administer(data, call)
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        about = [f"{key} {row[key]}" for key in ("user", "space", "device") if row[key]]
        about += [f"{key}={value}" for key, value in row["details"].items()]
        line = f"{time_shown(row['at'])}  {row['act']:<24} by {row['by']}"
        line += f" ({row['actor']})" if row["actor"] else ""
        line += f" from {row['address']}" if row["address"] else ""
        click.echo(shown(f"{line}: {', '.join(about)}"))


@click.command()
@click.option("--token/--no-token", "with_token", default=True, show_default=True, help="Make a first token.")
@JSON
@click.pass_obj
def setup(data: Path | None, *, with_token: bool, as_json: bool) -> None:
    """What a new server needs: an administrator if there is none, and a first token."""

    async def call(admin: Administration) -> dict[str, Any]:
        added: dict[str, Any] = {"administrator": None}
        if not await admin.stores.users.administrators():
            name = _FIRST
            while await admin.stores.users.by_login(name) is not None:
                name += "-1"
            _, password = await admin.add_user(BY_OPERATOR, name, administrator=True)
            added["administrator"] = {"name": name, "password": password}
        if with_token:
            device, token = await Provision(admin.stores, Devices(admin.stores)).device(
                user=UserName("owner"), name="first", space=SpaceId("default"), origin=BY_OPERATOR
            )
            added |= {"device": device.id, "token": token, "space": device.space, "user": device.user}
        return added

    print_value(administer(data, call), as_json=as_json)


def _limit(text: str) -> tuple[str, int | None]:
    name, sign, value = text.partition("=")
    if not sign or not (value.isdecimal() or not value):
        raise click.BadParameter(f"{shown(text)} is not like space_documents=1000", param_hint="LIMITS")
    return name, int(value) if value else None


def _changed(known: dict[str, Any], changes: dict[str, int | None]) -> dict[str, object]:
    return {name: value for name, value in {**known, **changes}.items() if value is not None}
