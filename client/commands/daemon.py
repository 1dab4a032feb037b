"""hypertask daemon install, start, stop, status."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click

from client.commands.reporting import reports
from client.commands.service import Service, ServiceError, run, service_for
from client.commands.session import Session
from client.commands.sync import chosen
from client.config.config_file import PATH_VARIABLE
from client.folder.locks import holder, is_held
from client.screen import Screen
from client.workspace.workspace import DAEMON_LOCK, SetUpError

START_SECONDS = 15.0
STOP_SECONDS = 30.0


@click.group()
def daemon() -> None:
    """Stay in sync in the background."""


@daemon.command()
@reports
def install(session: Session, screen: Screen) -> None:
    """Start it now and at every login: a systemd user unit, or a launchd agent on macOS."""
    chosen(session.profile)
    service = _service(session)
    service.install()
    try:
        run(service.start)
    except ServiceError as error:
        raise SetUpError(f"{service.path} was written, but {error}") from None
    screen.answer(
        {"path": str(service.path), "running": True},
        f"Installed {service.path}; it runs now, and at every login.",
        "Next: hypertask status",
    )


@daemon.command()
@reports
def start(session: Session, screen: Screen) -> None:
    """Start it, by the service if one is installed."""
    chosen(session.profile)
    lock, service = _lock(session), _service_or_none(session)
    if is_held(lock):
        screen.answer({"running": True, "pid": holder(lock)}, f"The daemon already runs (process {holder(lock)}).")
        return
    before = holder(lock)
    if service is not None and service.installed:
        try:
            run(service.start)
        except ServiceError as error:
            raise SetUpError(str(error)) from None
    else:
        _spawn(session)
    deadline = time.monotonic() + START_SECONDS
    while not is_held(lock) or holder(lock) in ("", before):  # it says who it is when it has the lock
        if time.monotonic() > deadline and is_held(lock):
            break
        if time.monotonic() > deadline:
            raise SetUpError(f"the daemon did not start. Its log: {_log(session)}. To see why: hypertask watch")
        time.sleep(0.05)
    screen.answer(
        {"running": True, "pid": holder(lock)},
        f"Started as process {holder(lock)}. What it does is written to {_log(session)}.",
        "Next: hypertask status",
    )


@daemon.command()
@reports
def stop(session: Session, screen: Screen) -> None:
    """Stop it. What it was doing, it goes on with the next time."""
    lock, service = _lock(session), _service_or_none(session)
    if service is not None and service.installed:
        try:
            run(service.stop)
        except ServiceError as error:
            screen.warn(str(error))
    running, pid = is_held(lock), holder(lock)
    if running and pid.isdigit():
        os.kill(int(pid), signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_held(lock):
        if time.monotonic() > deadline:
            raise SetUpError(
                f"process {holder(lock)} does not stop. To end it, which loses nothing: kill -9 {holder(lock)}"
            )
        time.sleep(0.05)
    sentence = f"Stopped (process {pid})." if running else "No daemon was running."
    screen.answer({"running": False}, sentence, "Next: hypertask sync, or: hypertask daemon start")


@daemon.command()
@reports
def status(session: Session, screen: Screen) -> None:
    """Say whether it runs."""
    lock, service = _lock(session), _service_or_none(session)
    held = is_held(lock)
    installed = service is not None and service.installed
    sentence = f"The daemon runs (process {holder(lock)})." if held else "No daemon runs."
    where = f"Installed: {service.path}" if installed and service else "Not installed as a service."
    then = "Next: hypertask status" if held else "Next: hypertask daemon start"
    value = {"running": held, "pid": holder(lock) if held else None, "installed": installed}
    screen.answer(value, sentence, where, then)


def _spawn(session: Session) -> None:
    """A process of its own, that outlives this one."""
    with _log(session).open("ab") as log:
        subprocess.Popen(  # noqa: S603  ours
            [sys.executable, "-m", "client.cli", "--profile", session.profile.name, "watch"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**session.variables, PATH_VARIABLE: str(session.config_file.path)},
            cwd=session.folder.root,
        )


def _service(session: Session) -> Service:
    try:
        return service_for(session.profile.name, session.config_file.path, session.variables)
    except ServiceError as error:
        raise SetUpError(str(error)) from None


def _service_or_none(session: Session) -> Service | None:
    try:
        return _service(session)
    except SetUpError:
        return None


def _lock(session: Session) -> Path:
    return session.folder.state / DAEMON_LOCK


def _log(session: Session) -> Path:
    return session.folder.state / "daemon.log"
