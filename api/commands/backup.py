"""`hypertask-server backup` and `restore`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TypeVar

import click

from api.backup import Restoration, Restored, back_up, checked
from api.commands.operating import announcing, run, settings_of
from shared.adapters.mongodb import Mongo, MongoDocumentStore
from shared.adapters.mongodb.backups import MongoBackups
from shared.backup_file import Header, InvalidBackupError
from shared.core.display import shown
from shared.core.documents import SpaceId, is_space_id
from shared.settings import Settings

T = TypeVar("T")

_COUNTED = ("spaces", "documents", "revisions", "users", "devices")


def _tell(line: str) -> None:
    click.echo(line, err=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--space", "spaces", multiple=True, help="Only this space, its members and devices; may be repeated.")
@click.option("--force", is_flag=True, help="Write over FILE if it is there.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def backup(data: Path | None, file: Path, spaces: tuple[str, ...], *, force: bool, as_json: bool) -> None:
    """Save all spaces, people and devices in FILE, while the server is in use.

    Each space is saved as it is at one moment. The file is compressed, has a digest, and is for its owner's eyes
    only: it holds every document. Tokens and passwords are in it as hashes.
    """
    if file.exists() and not force:
        raise click.ClickException(f"{shown(str(file))} exists. Name another file, or add --force.")

    async def call(mongo: Mongo) -> dict[str, int]:
        backups = MongoBackups(mongo)
        known = await backups.spaces()
        for space in spaces:
            if space not in known:
                raise click.ClickException(f"There is no space {shown(space)}.")
        wanted = [SpaceId(space) for space in spaces] if spaces else known
        with _written(file) as out:
            return await back_up(backups, wanted, out, everybody=not spaces, tell=_tell)

    counts = run(data, call)
    size = file.stat().st_size
    if as_json:
        click.echo(json.dumps({"file": str(file), "bytes": size, "rows": counts}))
        return
    click.echo(f"Saved {_summary(counts)} in {shown(str(file))} ({size:,} bytes).")
    click.echo(f"Check it with: hypertask-server restore --check {shown(str(file))}")


@contextlib.contextmanager
def _written(file: Path) -> Iterator[BinaryIO]:
    """A file that is there as a whole or not at all, for its owner to read."""
    part = file.with_name(f"{file.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--check", is_flag=True, help="Read all of FILE and say what is in it; store nothing.")
@click.option("--space", "spaces", multiple=True, help="Only this space, its members and devices; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def restore(data: Path | None, file: Path, spaces: tuple[str, ...], *, check: bool, as_json: bool) -> None:
    """Put the backup FILE back, into an empty database or into one that is in use.

    Nothing is taken from anybody: an empty space gets what it had, and what is in a space is merged with the backup.
    Devices that have newer states send them again. Stopped at any moment, the same command goes on.
    """
    for space in spaces:
        if not is_space_id(space):
            raise click.BadParameter("1 to 63 of a-z 0-9 -, not a hyphen first", param_hint="--space")
    with file.open("rb") as source:
        header, counts = _verified(file, source)
        if check:
            _say_whole(file, header, counts, as_json=as_json)
            return
        settings = settings_of(data)
        restored = run(data, lambda mongo: _restored(settings, mongo, source, spaces))
    if as_json:
        click.echo(json.dumps(_row(restored)))
        return
    for line in _report(restored):
        click.echo(line)


def _verified(file: Path, source: BinaryIO) -> tuple[Header, dict[str, int]]:
    try:
        return checked(source)
    except InvalidBackupError as error:
        raise click.ClickException(f"Nothing was stored of {shown(str(file))}: {shown(str(error))}.") from error


async def _restored(settings: Settings, mongo: Mongo, source: BinaryIO, spaces: tuple[str, ...]) -> Restored:
    store = MongoDocumentStore(mongo, give_up_after_seconds=60)
    async with announcing(settings) as announce:
        restoration = Restoration(MongoBackups(mongo), store, settings.limits, announce, _tell)
        return await restoration.run(source, [SpaceId(space) for space in spaces])


def _say_whole(file: Path, header: Header, counts: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        row = {"release": header.release, "schema": header.schema, "at": header.at, "spaces": header.spaces}
        click.echo(json.dumps({**row, "rows": {name: n for name, n in counts.items() if name != "space"}}))
        return
    at = datetime.fromtimestamp(header.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    click.echo(f"{shown(str(file))} is whole: {_summary(counts)}, saved {at} by release {shown(header.release)}.")


def _summary(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts.get(name, 0):,} {name}" for name in _COUNTED)


def _row(restored: Restored) -> dict[str, object]:
    return {
        "put": restored.put,
        "merged": restored.merged,
        "people": dict(restored.people),
        "kept": dict(restored.kept),
    }


def _report(restored: Restored) -> Iterator[str]:
    yield f"{len(restored.put)} spaces put back with {sum(restored.put.values()):,} documents."
    if restored.merged:
        yield f"{len(restored.merged)} spaces had documents already, and were merged with the backup."
    stored, kept = sum(restored.people.values()), sum(restored.kept.values())
    yield f"{stored:,} people, devices and memberships put back; {kept:,} were there already and stay as they are."
    if restored.people.get("devices"):
        yield (
            "Devices that were revoked after the backup was made have their tokens again. "
            "See: hypertask-server token list"
        )
