"""`hypertask-server`: what operators do. A composition root."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from api import VERSION
from api.access.provision import Provision
from api.authentication.auth import Devices
from api.commands.admin import audit, quota, setup
from api.commands.backup import backup, restore
from api.commands.explain import history_lines
from api.commands.operating import announcing, connection_of, run, settings_of
from api.commands.people import invite, space, user
from api.imports.importing import import_into
from api.representations import people
from api.representations.imports import Import, InvalidExportError, read_import
from api.streams.live import HEARTBEAT_SECONDS
from shared import codec, representations
from shared.adapters.mongodb import Mongo, MongoDocumentStore, access_stores
from shared.adapters.redis import connection as redis
from shared.adapters.redis.announcements import announce_revoked
from shared.core.access.audit import BY_OPERATOR
from shared.core.display import MAX_NAME, is_name, shown, shown_json
from shared.core.documents import (
    Device,
    DeviceId,
    DocumentId,
    HistoryEntry,
    SpaceId,
    UserName,
    is_document_id,
    is_space_id,
)
from shared.core.merge.policies import Policies
from shared.ports import UnavailableError
from shared.ports.access import AccessStores
from shared.restore import RestoreOutcome
from shared.settings import Settings

T = TypeVar("T")

_MAX_ENTRIES = 10_000


@click.group()
@click.version_option(VERSION, prog_name="hypertask-server")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Speak to the instance that `ops/serve --data DIR` runs. Without it: HYPERTASK_MONGO_URL.",
)
@click.pass_context
def main(context: click.Context, data: Path | None) -> None:
    """Manage a Hypertask server."""
    context.obj = data


main.add_command(backup)
main.add_command(restore)
for command in (user, space, invite, quota, audit, setup):
    main.add_command(command)


@main.group()
def token() -> None:
    """Tokens: each is one device of one user and opens one space."""


@token.command("create")
@click.option("--name", required=True, help="What the device is called, for example 'laptop'.")
@click.option("--user", default="owner", show_default=True, help="Whose device it is.")
@click.option("--space", default="default", show_default=True, help="The space that it opens.")
@click.option(
    "--shared",
    is_flag=True,
    help="Several devices will use it. The server then goes by what they send alone, so give each device a token "
    "of its own where you can.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def create(data: Path | None, *, name: str, user: str, space: str, shared: bool, as_json: bool) -> None:
    """Make a device and print its token, this once."""
    for option, text in (("--name", name), ("--user", user)):
        if not is_name(text):
            raise click.BadParameter(
                f"1 to {MAX_NAME} characters, no control characters among them", param_hint=option
            )
    if not is_space_id(space):
        raise click.BadParameter("1 to 63 of a-z 0-9 -, not a hyphen first", param_hint="--space")
    device, secret = _with_stores(
        data,
        lambda stores: Provision(stores, Devices(stores)).device(
            user=UserName(user), name=name, space=SpaceId(space), shared=shared, origin=BY_OPERATOR
        ),
    )
    if as_json:
        row = {"device": device.id, "token": secret, "space": device.space, "user": device.user}
        click.echo(json.dumps(row))
        return
    click.echo(f"Made device {device.id} ({name}) of {user}, for the space {space}.")
    click.echo(f"Its token, which is shown this once:\n\n  {secret}\n")
    click.echo("Clients send it as: Authorization: Bearer <token>")


@token.command("list")
@click.option("--user", help="Only this user's devices.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array on stdout.")
@click.pass_obj
def list_(data: Path | None, user: str | None, as_json: bool) -> None:
    """List the devices that have a token."""

    async def call(stores: AccessStores) -> list[Device]:
        if user is None:
            return await stores.devices.list_all()
        known = await stores.users.by_login(user)
        return [] if known is None else await stores.devices.list_of(known[0].id)

    devices = _with_stores(data, call)
    if as_json:
        click.echo(json.dumps([people.device_row(device) for device in devices]))
        return
    if not devices:
        click.echo("No device has a token. Make one: hypertask-server token create --name NAME")
        return
    for row in [("DEVICE", "USER", "SPACE", "LAST SEEN", "NAME"), *map(_columns, devices)]:
        click.echo(f"{row[0]:<19}{row[1]:<14}{row[2]:<18}{row[3]:<22}{row[4]}".rstrip())


@token.command()
@click.argument("device")
@click.option("--user", help="Only if it is this user's.")
@click.option("--space", help="Only if it opens this space.")
@click.pass_obj
def revoke(data: Path | None, device: str, user: str | None, space: str | None) -> None:
    """Revoke a device's token, at once: what it holds open is closed, too."""
    settings = settings_of(data)

    async def call(stores: AccessStores) -> tuple[Device | None, bool]:
        known = None if user is None else await stores.users.by_login(user)
        if user is not None and known is None:
            return None, False
        devices = Devices(stores)
        revoked = await devices.revoke(
            DeviceId(device),
            origin=BY_OPERATOR,
            owner=None if known is None else known[0].id,
            space=None if space is None else SpaceId(space),
        )
        if revoked is None:
            return None, False
        return revoked, await _announced(settings, revoked, await devices.reach(revoked))

    revoked, announced = _with_stores(data, call)
    if revoked is None:
        whose = "".join([f" of {shown(user)}"] if user else []) + (f" for {shown(space)}" if space else "")
        raise click.ClickException(
            f"There is no device {shown(device)}{whose}, or it was revoked before. See: hypertask-server token list"
        )
    click.echo(f"Revoked {revoked.id}: its token opens nothing any more. What it wrote stays.")
    if not announced:
        click.echo(
            "Redis does not answer, so the API processes could not be told: streams that the device has open end "
            f"within {HEARTBEAT_SECONDS} seconds.",
            err=True,
        )


@main.command("import")
@click.argument("space")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def import_(data: Path | None, space: str, file: Path, *, as_json: bool) -> None:
    """Put FILE into a space: an export (GET /export), or a dump of Kinto, CouchDB, PouchDB or MongoDB.

    An export is put back with tombstones, revisions and policies. Repeated, it changes nothing; stopped, it goes on.
    """
    if not is_space_id(space):
        raise click.BadParameter("1 to 63 of a-z 0-9 -, not a hyphen first", param_hint="SPACE")
    settings = settings_of(data)
    try:
        with file.open("rb") as source:
            content = read_import(source, settings.limits, at=time.time())
            report = run(data, lambda mongo: _import(settings, mongo, SpaceId(space), content))
    except InvalidExportError as error:
        raise click.ClickException(f"Nothing was stored of {shown(str(file))}: {shown(str(error))}.") from error
    if as_json:
        click.echo(json.dumps(report))
        return
    counts = ", ".join(f"{report[fate.value]} {fate.value}" for fate in RestoreOutcome if report[fate.value])
    click.echo(f"{report['documents']} documents: {counts or 'none'}. Policies: {report['policies']}.")
    if report["pruned"]:
        click.echo(f"{report['pruned']} old states have no body in the export and could not come.")
    for what in report["left_out"]:
        click.echo(f"Left out: {shown(what)}")


async def _import(settings: Settings, mongo: Mongo, space: SpaceId, content: Import) -> dict[str, Any]:
    async with announcing(settings) as announce:
        return await import_into(
            MongoDocumentStore(mongo, give_up_after_seconds=60),
            space,
            content,
            max_bytes=settings.limits.max_request_bytes,
            at=time.time(),
            announce=partial(announce, space),
            progress=lambda done, total: click.echo(f"{done} of {total}", err=True),
        )


@main.command()
@click.argument("space")
@click.argument("document")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def explain(data: Path | None, space: str, document: str, as_json: bool) -> None:
    """Tell the history of one document: every revision, what was decided, and how to go back."""
    if not is_space_id(space) or not is_document_id(document):
        raise click.BadParameter("a space's or a document's id cannot look like that")

    async def call(mongo: Mongo) -> tuple[list[HistoryEntry], Policies, list[Device]]:
        store = MongoDocumentStore(mongo, give_up_after_seconds=10)
        entries = await store.history(SpaceId(space), DocumentId(document), _MAX_ENTRIES)
        policies = await store.policies(SpaceId(space))
        return entries, policies, await access_stores(mongo).devices.list_all()

    entries, policies, devices = run(data, call)
    if not entries:
        raise click.ClickException(f"The space {space} never had a document {document}.")
    if as_json:
        rows = [representations.history_row(entry, policies) for entry in entries]
        click.echo(shown_json(codec.dumps({"document": document, "space": space, "revisions": rows}).decode()))
        return
    names = {device.id: device.name for device in devices}
    for line in history_lines(DocumentId(document), entries, names, policies, url=_url(data)):
        click.echo(shown(line))


async def _announced(settings: Settings, device: Device, spaces: list[SpaceId]) -> bool:
    client = redis.client(settings)
    try:
        for space in spaces:
            await announce_revoked(client, space, device.id)
    except UnavailableError:
        return False
    finally:
        await client.aclose(close_connection_pool=True)
    return True


def _columns(device: Device) -> tuple[str, ...]:
    seen = "never"
    if device.last_seen is not None:
        seen = datetime.fromtimestamp(device.last_seen, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (device.id, shown(device.user), device.space, seen, shown(device.name))


def _with_stores(data: Path | None, call: Callable[[AccessStores], Awaitable[T]]) -> T:
    return run(data, lambda mongo: call(access_stores(mongo)))


def _url(data: Path | None) -> str:
    return str(connection_of(data)["url"]) if data is not None else "$URL"


if __name__ == "__main__":
    main()
