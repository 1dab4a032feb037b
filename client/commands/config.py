"""hypertask init, hypertask config ..."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from client.commands.editor import edited_file
from client.commands.reporting import reports
from client.commands.session import Session
from client.config.config_file import Config, ConfigError, NoProfileError, Profile
from client.folder.task_folder import TaskFolder
from client.screen import Screen, tasks


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@reports
def init(session: Session, screen: Screen, *, folder: Path | None) -> None:
    """Make a folder of tasks: FOLDER, or the one that the config names.

    With --profile NAME it is the folder of that profile, which is made if there is none. An existing folder is
    taken as it is.
    """
    file = session.config_file
    file.make()
    name = session.profile_name
    if folder is not None:
        session.make_profile(folder)
    profile = file.profile(name)
    folder_made = TaskFolder(profile.folder)
    folder_made.make()
    count = len(folder_made.scan().files)
    screen.answer(
        {"profile": name, "folder": str(profile.folder), "config": str(file.path), "tasks": count},
        f"The folder of the profile {name} is {profile.folder}; it has {tasks(count)}.",
        'Next: hypertask add "water the plants"',
    )


@click.group()
def config() -> None:
    """Where the settings are, what they say, and how to change them."""


@config.command()
@reports
def path(session: Session, screen: Screen) -> None:
    """Print where the config file is."""
    place = session.config_file.path
    screen.answer({"path": str(place), "exists": place.exists()}, str(place))


@config.command("init")
@reports
def init_config(session: Session, screen: Screen) -> None:
    """Make the config file, with comments, if it is missing."""
    file = session.config_file
    is_new = file.make()
    did = f"Created {file.path}." if is_new else f"{file.path} exists already; nothing was changed."
    screen.answer({"path": str(file.path), "made": is_new}, did, "Next: hypertask config edit")


@config.command()
@reports
def show(session: Session, screen: Screen) -> None:
    """Print all settings as they are understood."""
    file = session.config_file
    file.make()
    config = file.config()
    chosen = session.profile_name
    lines = [f"# {file.path}"]
    for profile in config.profiles.values():
        lines += _shown(profile, chosen=profile.name == chosen)
    screen.answer(_as_object(config, chosen, file.path), *lines)


@config.command()
@click.argument("key")
@reports
def get(session: Session, screen: Screen, *, key: str) -> None:
    """Print the setting KEY: folder, upstreams.home.url, profiles.work.folder ..."""
    session.config_file.make()
    value = session.config_file.get(key, session.profile_name)
    screen.answer({"key": key, "value": value}, value if isinstance(value, str) else str(value))


@config.command("set")
@click.argument("key")
@click.argument("value")
@reports
def set_value(session: Session, screen: Screen, *, key: str, value: str) -> None:
    """Set KEY to VALUE; comments stay. Refused, with the reason, if the file would not be right."""
    session.config_file.make()
    session.config_file.set(key, value, session.profile_name)
    done = f"Set {key} in {session.config_file.path}."
    screen.answer({"key": key, "value": value}, done, "All settings: hypertask config show")


@config.command()
@click.argument("key")
@reports
def unset(session: Session, screen: Screen, *, key: str) -> None:
    """Take out a setting, an upstream (upstreams.NAME) or a profile (profiles.NAME). No task is touched."""
    session.config_file.make()
    session.config_file.unset(key, session.profile_name)
    screen.answer(
        {"key": key}, f"Took {key} out of {session.config_file.path}.", "All settings: hypertask config show"
    )


@config.command()
@reports
def edit(session: Session, screen: Screen) -> None:
    """Open the config file in your editor, and check it afterwards."""
    file = session.config_file
    file.make()
    editor = None
    try:
        editor = file.profile(session.profile_name).editor
    except (ConfigError, NoProfileError) as error:
        screen.warn(str(error).rpartition("\nCorrect it")[0] or str(error))
    edited_file(file.path, editor, session.variables)
    profiles = ", ".join(file.config().profiles)
    screen.answer({"path": str(file.path)}, f"{file.path} is valid. Profiles: {profiles}.")


def _shown(profile: Profile, *, chosen: bool) -> list[str]:
    lines = [f"[{profile.name}]{'  (in use)' if chosen else ''}", f"folder    {profile.folder}"]
    lines += [f"hooks     {profile.hooks}{'' if profile.hooks.is_dir() else '  (missing)'}"]
    lines += [f"editor    {profile.editor}"] if profile.editor else []
    for one in profile.upstreams:
        lines.append(f"upstream  {one.name}: {one.url}{f' (space {one.space})' if one.space else ''}")
    lines += [f"urgency   {name}: {number:g}" for name, number in profile.urgency.items()]
    lines += [f"context   {name}: {shlex.join(words)}" for name, words in profile.contexts.items()]
    lines += [f"values    {name}: {', '.join(values)}" for name, values in profile.values.items()]
    for name, report in profile.reports.items():
        parts = (("sort", report.sort), ("columns", report.columns))
        more = "".join(f"; {key} {','.join(value)}" for key, value in parts if value)
        more += f"; limit {report.limit}" if report.limit is not None else ""
        about = f"{report.about}: " if report.about else ""
        lines.append(f"report    {name}: {about}{shlex.join(report.filter) or 'all tasks'}{more}")
    return lines


def _as_object(config: Config, chosen: str, path: Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "profile": chosen,
        "default_profile": config.default_profile,
        "profiles": {
            name: {
                "folder": str(profile.folder),
                "hooks": str(profile.hooks),
                "editor": profile.editor,
                "upstreams": [upstream._asdict() for upstream in profile.upstreams],
                "urgency": dict(profile.urgency),
                "contexts": {name: list(words) for name, words in profile.contexts.items()},
                "values": {name: list(values) for name, values in profile.values.items()},
                "reports": {name: report._asdict() for name, report in profile.reports.items()},
            }
            for name, profile in config.profiles.items()
        },
    }
