"""hypertask status, doctor."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from typing import Any

import click

from client.commands.decision_lines import unseen_lines
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.sync_report import (
    alternating_lines,
    problem_lines,
    protected_lines,
    refusal_lines,
    waiting_lines,
    waiting_of,
    without,
)
from client.commands.table import in_colour, terminal_width
from client.screen import INCOMPLETE, SHOWN, Painted, Screen, edits, tasks, wrapped
from client.workspace.health import Check, Status, UpstreamStatus, examine
from client.workspace.health import status as status_of
from client.workspace.workspace import Workspace, open_workspace
from shared.core.display import shown

_COLOURS = {"ok": "green", "warning": "yellow", "bad": "red"}


@click.command()
@reports
def status(session: Session, screen: Screen) -> None:
    """When the last sync was, what waits, what is wrong, and what to do. Asks no server."""
    with open_workspace(session.profile, session.tokens) as workspace:
        health = status_of(workspace)
        dropped = unseen_lines(workspace)
        protected = {
            upstream.name: protected_lines(upstream.name, upstream.protected, workspace)
            for upstream in health.upstreams
        }
    lines = [f"{session.profile.folder}: {tasks(len(health.contents.hashes))}"]
    lines.append(f"daemon: running (process {health.daemon})" if health.daemon else "daemon: not running")
    for upstream in health.upstreams:
        lines += [*_upstream_lines(upstream, session.now), *protected[upstream.name]]
    lines += dropped
    lines += [f"{p.name}: {p.sentence}" for p in health.contents.problems[:SHOWN]]
    if (more := len(health.contents.problems) - SHOWN) > 0:
        lines.append(f"... and {more} more files that are ignored; --json has all of them")
    lines.append(_next(health))
    screen.answer(_as_object(health, session), *lines)


def _upstream_lines(upstream: UpstreamStatus, now: datetime) -> list[str]:
    last, name = upstream.last, upstream.name
    if upstream.no_token:
        lines = [
            f"{name}: signed out{_waits(upstream)}. To sync again: hypertask login {upstream.url}, or with a token: "
            f"hypertask connect {upstream.url}"
        ]
    elif not last:
        lines = [f"{name}: never synced ({upstream.url})"]
    elif error := last.get("error"):
        word = "offline" if error.get("passing") else "stopped"
        lines = [f"{name}: {word}{_for(error.get('since'), now)}{_waits(upstream)}.", f"  Why: {error['message']}"]
    else:
        is_synced = last.get("agreed") and not upstream.waiting
        lines = [
            f"{name}: synced {_ago(last.get('at'), now)}{'' if is_synced else ', not in sync'}{_waits(upstream)}"
            f"{_refused(upstream)}"
        ]
    plan = without(upstream.plan, upstream.protected)
    lines += waiting_lines(name, plan, "; see below.")
    lines += refusal_lines(name, upstream.refused)
    lines += problem_lines(name, last.get("problems_there") or {})
    lines += alternating_lines(upstream.alternating)
    return lines


def _waits(upstream: UpstreamStatus) -> str:
    if not upstream.waiting:
        return ""
    return f"; {tasks(upstream.waiting)} {'waits' if upstream.waiting == 1 else 'wait'}"


def _refused(upstream: UpstreamStatus) -> str:
    count = len(upstream.refused)
    return f"; {edits(count)} {'is' if count == 1 else 'are'} not accepted" if count else ""


def _ago(at: Any, now: datetime) -> str:
    return f"{_span(at, now)} ago" if isinstance(at, int | float) else "at some time"


def _for(since: Any, now: datetime) -> str:
    return f" for {_span(since, now)}" if isinstance(since, int | float) else ""


def _span(at: float, now: datetime) -> str:
    seconds = max(0.0, now.timestamp() - at)
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {word}{'s' if count > 1 else ''}"
    return f"{seconds:.0f} s"


def _next(health: Status) -> str:
    if not health.upstreams:
        return "Next: hypertask connect URL"
    if any(upstream.plan.held_here or upstream.plan.held_there for upstream in health.upstreams):
        return "Next: one of the two commands above."
    errors = [error for upstream in health.upstreams if (error := upstream.last.get("error"))]
    waits = any(upstream.waiting or not upstream.last for upstream in health.upstreams)
    if health.contents.problems:
        if not errors and not waits:
            return "Next: correct the files named above; all others are synced."
        return f"Next: correct the files named above{'.' if health.daemon is not None else ', then: hypertask sync'}"
    if any(upstream.no_token for upstream in health.upstreams):
        return "Next: sign in, as above."
    if any(error.get("passing") is False for error in errors):
        return "Next: correct that. To check everything: hypertask doctor"
    if refused := {document for upstream in health.upstreams for document in upstream.refused}:
        also = "" if health.daemon is not None or not waits else " All else: hypertask sync"
        count = len(refused)
        return f"Not in sync: {edits(count)} {'is' if count == 1 else 'are'} kept here alone; see above.{also}"
    if health.daemon is not None:
        return "The daemon keeps trying." if errors else "The daemon is syncing." if waits else "In sync."
    return "Next: hypertask sync" if waits or errors else "In sync. To stay so: hypertask daemon start"


def _as_object(health: Status, session: Session) -> dict[str, Any]:
    return {
        "profile": session.profile.name,
        "folder": str(session.profile.folder),
        "tasks": len(health.contents.hashes),
        "daemon": health.daemon,
        "problems": [{"file": p.name, "code": p.code, "sentence": p.sentence} for p in health.contents.problems],
        "upstreams": {
            upstream.name: {
                "url": upstream.url,
                "last": upstream.last,
                "waiting": upstream.waiting,
                **waiting_of(upstream.plan),
            }
            for upstream in health.upstreams
        },
    }


@click.command()
@reports
def doctor(session: Session, screen: Screen) -> None:
    """Check everything: config, folder, files, memory, daemon, and each upstream's token, clock and content."""
    profile = session.profile
    checks = [Check("config", "ok", f"{session.config_file.path}, profile {profile.name}")]
    with open_workspace(profile, session.tokens) as workspace:
        checks += asyncio.run(_all(workspace))
    bad = [check for check in checks if check.state == "bad"]
    lines: list[str] = []
    for check in checks:
        mark = f"{check.state:7}"
        mark = click.style(mark, fg=_COLOURS[check.state]) if in_colour("auto") else mark
        first, *rest = _fitting(shown(f"{check.what}: {check.sentence}"))
        lines += [Painted(f"{mark} {first}"), *(f"        {part}" for part in rest)]
        if check.fix:
            lines.append(f"        {check.fix}")
    lines.append("Nothing is wrong." if not bad else f"{len(bad)} to correct. To check again: hypertask doctor")
    value = [{"what": c.what, "state": c.state, "said": c.sentence, "fix": c.fix} for c in checks]
    screen.answer({"checks": value, "bad": len(bad)}, *lines)
    if bad:
        sys.exit(INCOMPLETE)


def _fitting(text: str) -> list[str]:
    """The text in the columns behind the mark."""
    width = terminal_width()
    return [text] if width is None else wrapped(text, max(20, width - 8))


async def _all(workspace: Workspace) -> list[Check]:
    return [check async for check in examine(workspace)]
