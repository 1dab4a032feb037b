"""hypertask connect, sync, watch."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from client.commands.reporting import reports, warn_of_plain_http
from client.commands.session import Session
from client.config.addresses import AddressError, address, name_for, without_password
from client.config.config_file import Profile, UpstreamConfig
from client.folder.locks import held
from client.screen import INCOMPLETE, SHOWN, Screen, task_files, tasks
from client.sync.engine.plan import Adopt, Delete, Fetch, Plan, Resend, Send
from client.sync.upstream import UpstreamError, UpstreamUnavailableError
from client.upstreams.http import HttpUpstream
from client.workspace.multi_sync import Arrived, Exchange, Result
from client.workspace.watch import Watch
from client.workspace.workspace import SetUpError, Workspace, open_workspace
from shared.core.documents import Body
from shared.core.protocol import WRITES_REFUSED
from shared.core.resolution.size_limit import TOO_LARGE
from shared.observability import configure

TOKEN_VARIABLE = "HYPERTASK_TOKEN"  # noqa: S105  a name


@click.command()
@click.argument("where", metavar="URL")
@click.option("--name", metavar="NAME", help="What to call it; by default a part of the address.")
@click.option("--space", metavar="SPACE", help="A space of the server other than the token's own.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the profile; with --profile NAME a profile that is not there yet is made.",
)
@click.option("--sync", "at_once", is_flag=True, help="Sync at once.")
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
    token = password
    if url.startswith("http"):
        token = _token(session, screen, profile, config, "Token of this device")
    elif password is None and url.startswith("mongodb") and urlsplit(url).username:
        token = _token(session, screen, profile, config, "Password of the database's user")
    if token is not None:
        session.tokens.put(profile.name, config.name, token)
    try:
        with open_workspace(profile, session.tokens, make=True) as workspace:
            found = asyncio.run(_tried(workspace, config))
    except UpstreamError:
        if token is not None and config.name not in known:
            session.tokens.drop(profile.name, config.name)
        raise
    session.config_file.add_upstream(profile.name, config)
    did = f"Connected {profile.folder} with {config.name} ({url}), which has {tasks(found['tasks'])}."
    value = {"name": config.name, "url": url, "space": space, "folder": str(profile.folder), **found}
    if not at_once:
        screen.answer(value, did, "Next: hypertask sync    (or, to stay in sync: hypertask daemon start)")
        return
    screen.say(did)
    came = Came(telling(session, screen))
    with open_workspace(profile, session.tokens) as workspace:
        result = asyncio.run(_synced(Exchange(workspace, [config], came.note), screen, confirmed=False))
    synced, lines = _result(result)
    if result.agreed and not result.stopped:
        lines += [*came.lines(), "Next: hypertask list    (and, to stay in sync: hypertask daemon start)"]
    screen.answer({**value, "sync": synced}, *lines)
    if not result.agreed or result.stopped:
        sys.exit(INCOMPLETE)


def _token(session: Session, screen: Screen, profile: Profile, config: UpstreamConfig, called: str) -> str:
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


async def _tried(workspace: Workspace, config: UpstreamConfig) -> dict[str, Any]:
    """That it is there, is what it should be, and lets us in. Raises UpstreamError."""
    driver = workspace.upstream(config, make=True)
    try:
        about: dict[str, Any] = {}
        if isinstance(driver, HttpUpstream):
            said = await driver.ask()
            about = {"server": str(said.get("version", "")), "v1_only": not driver.abilities.bases}
            ready = await driver.channel.request("GET", "/readyz") if said else None
            if ready is not None and ready.status_code != 200:
                raise UpstreamUnavailableError(
                    f"{config.url} is not ready: status {ready.status_code}. Try again in a moment."
                )
        changes = await driver.changes(None)
        workspace.store.set_facts(config.name, driver.abilities.facts)
        return {"tasks": sum(content is not None for content in changes.hashes.values()), **about}
    finally:
        await driver.close()


@click.command()
@click.argument("names", metavar="[UPSTREAM]...", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--confirm-deletions", is_flag=True, help="So many tasks being deleted at once is meant.")
@reports
def sync(session: Session, screen: Screen, *, names: tuple[str, ...], dry_run: bool, confirm_deletions: bool) -> None:
    """Sync the folder with its upstreams, once. Stopped in between, it goes on the next time."""
    profile = session.profile
    configs = chosen(profile, names)
    with open_workspace(profile, session.tokens) as workspace:
        _say_if_rebuilt(workspace, screen)
        if dry_run:
            _show_plans(screen, asyncio.run(_surveyed(workspace, configs, confirmed=confirm_deletions)))
            return
        came = Came(telling(session, screen))
        exchange = Exchange(workspace, configs, came.note)
        result = asyncio.run(_synced(exchange, screen, confirmed=confirm_deletions))
    value, lines = _result(result)
    screen.answer(value, *lines, *came.lines())
    if not result.agreed or result.stopped:
        sys.exit(INCOMPLETE)


def chosen(profile: Profile, names: Sequence[str] = ()) -> tuple[UpstreamConfig, ...]:
    """The upstreams of those names, or all. Raises SetUpError."""
    known = {upstream.name: upstream for upstream in profile.upstreams}
    if not known:
        raise SetUpError(f"{profile.folder} has no server or folder to sync with yet. Next: hypertask connect URL")
    for name in names:
        if name not in known:
            raise SetUpError(f"there is no upstream {name}; there is: {', '.join(known)}")
    return tuple(known[name] for name in names) or tuple(known.values())


def _say_if_rebuilt(workspace: Workspace, screen: Screen) -> None:
    if workspace.store.rebuilt:
        screen.warn(
            f"the memory of the folder was damaged: {workspace.store.rebuilt}. It is made anew; nothing is lost."
        )


async def _surveyed(workspace: Workspace, configs: Sequence[UpstreamConfig], *, confirmed: bool) -> dict[str, Plan]:
    exchange = Exchange(workspace, configs)
    try:
        return {name: (await exchange.survey(name, confirmed=confirmed))[0] for name in exchange.upstreams}
    finally:
        await exchange.close()


async def _synced(exchange: Exchange, screen: Screen, *, confirmed: bool) -> Result:
    try:
        with screen.progress("Synced", sending=True) as progress:
            return await exchange.sync(confirmed=confirmed, progress=lambda name: progress)
    finally:
        await exchange.close()


def telling(session: Session, screen: Screen) -> Arrived:
    """Runs the hooks of what arrived."""

    def arrived(changes: list[tuple[Body | None, Body | None]]) -> None:
        for line in session.hooks.arrived(changes):
            screen.say(line)

    return arrived


class Came:
    """The new tasks of a sync, so that whoever asked for it sees them."""

    def __init__(self, arrived: Arrived) -> None:
        self._arrived = arrived
        self._new: list[Body] = []

    def note(self, changes: list[tuple[Body | None, Body | None]]) -> None:
        """For an Exchange."""
        self._new += [now for before, now in changes if before is None and now is not None]
        self._arrived(changes)

    def lines(self) -> list[str]:
        """The first of them, each in a line."""
        shown = [f"  new here: {_title(body)}" for body in self._new[:SHOWN]]
        more = len(self._new) - len(shown)
        return [*shown, f"  ... and {more} more"] if more else shown


def _title(body: Body) -> str:
    text = body.get("description") or body.get("title")
    return text if isinstance(text, str) else str(body["id"])


_WORDS = {Resend: "send again", Delete: "delete there", Adopt: "remember"}


def _word(action: object) -> str:
    match action:
        case Send(created=True):
            return "create there"
        case Send():
            return "send the edit of"
        case Fetch(removes=True):
            return "remove here"
        case Fetch():
            return "fetch"
        case _:
            return _WORDS[type(action)]


def _show_plans(screen: Screen, plans: dict[str, Plan]) -> None:
    value = {
        name: {
            "actions": [{"id": action.id, "do": _word(action)} for action in plan.actions],
            **waiting_of(plan),
        }
        for name, plan in plans.items()
    }
    lines: list[str] = []
    for name, plan in plans.items():
        shown = [action for action in plan.actions if not isinstance(action, Adopt)]
        lines += [f"{name}: {_word(action)} {action.id}" for action in shown[: 5 * SHOWN]]
        if (more := len(shown) - 5 * SHOWN) > 0:
            lines.append(f"{name}: ... and {more} more; --json has all of them")
        if not shown:
            lines.append(f"{name}: nothing to do")
        lines += waiting_lines(name, plan)
    lines.append("Nothing was done. To do it: hypertask sync")
    screen.answer({"dry_run": True, "upstreams": value}, *lines)


def waiting_of(plan: Plan) -> dict[str, list[str]]:
    """What needs somebody, as --json has it."""
    names = ("refused", "unreadable", "held_here", "held_there", "undeletable")
    return {name: [str(document) for document in getattr(plan, name)] for name in names}


def waiting_lines(name: str, plan: Plan, unreadable_hint: str = ". What is wrong: hypertask status") -> list[str]:
    """What needs somebody, and what to do."""
    lines: list[str] = []
    if plan.held_here:
        lines.append(
            f"{name}: stopped: waiting for your answer. {tasks(len(plan.held_here))} vanished from the folder at "
            "once; nothing was deleted there."
        )
    if plan.held_there:
        lines.append(
            f"{name}: stopped: waiting for your answer. {tasks(len(plan.held_there))} vanished there at once; "
            "nothing was removed here."
        )
    if plan.held_here or plan.held_there:
        lines += [
            "  If the deletion is meant:  hypertask sync --confirm-deletions",
            "  To keep the tasks:         hypertask restore --held",
        ]
    if plan.undeletable:
        lines.append(
            f"{name}: {tasks(len(plan.undeletable))} deleted here stay there: that server knows no deletion."
        )
    if plan.unreadable:
        lines.append(f"{name}: {task_files(len(plan.unreadable))} cannot be read{unreadable_hint}")
    return lines


def refusal_lines(name: str, refused: Mapping[Any, Mapping[str, str]]) -> list[str]:
    """The first of the states that an upstream does not take, by their ids, and what to do."""
    lines: list[str] = []
    for document, refusal in list(refused.items())[:SHOWN]:
        line = f"{name}: refused {document}: {refusal['reason']} [{refusal['code']}]"
        if refusal["code"] == TOO_LARGE:
            line += ". It is kept here. Make it smaller, here or on another device, and sync: then all edits stand."
        elif refusal["code"] in WRITES_REFUSED:
            line += ". Your edit is kept here, and sent when you may write there."
        lines.append(line)
    return lines


def problem_lines(name: str, problems: Mapping[Any, str]) -> list[str]:
    """The first of the files in an upstream that cannot be taken in, and what to do."""
    return [f"{name}: left alone there: {problem}" for problem in list(problems.values())[:SHOWN]]


def alternating_lines(documents: Sequence[Any]) -> list[str]:
    """The first of the documents that arrivals change back and forth, and what to do."""
    todo = "keeps changing back and forth: two programs undo each other's edits. What was there: hypertask log"
    return [f"{document} {todo} {document}" for document in documents[:SHOWN]]


def _result(result: Result) -> tuple[dict[str, Any], list[str]]:
    value: dict[str, Any] = {}
    lines: list[str] = []
    for name, report in result.reports.items():
        counts = {
            key: getattr(report, key)
            for key in ("sent", "deleted", "fetched", "removed", "merged", "conflicts", "adopted", "rounds")
        }
        refused = {d: {"code": r.code, "reason": r.reason} for d, r in report.refused.items()}
        value[name] = {
            "agreed": report.agreed,
            **counts,
            "files_read": report.files_read,
            **waiting_of(report.plan),
            "refused": refused,
            "problems_there": report.problems_there,
            "alternating": list(report.alternating),
        }
        words = {
            "sent": "sent", "deleted": "deleted there", "fetched": "fetched", "removed": "removed here",
            "merged": "merged",
        }  # fmt: skip
        did = ", ".join(f"{counts[key]} {word}" for key, word in words.items() if counts[key])
        lines.append(f"{name}: {did or 'nothing to do'}{'; in sync.' if report.agreed else '; not in sync yet.'}")
        lines += waiting_lines(name, report.plan)
        lines += refusal_lines(name, refused)
        lines += problem_lines(name, report.problems_there)
        if report.conflicts:
            lines.append(f"{name}: conflicts were decided; what and how: hypertask conflicts")
    lines += alternating_lines(sorted({d for report in result.reports.values() for d in report.alternating}))
    for name, error in result.errors.items():
        value[name] = {**value.get(name, {}), "error": {"code": error.code, "message": str(error)}}
        lines.append(f"{name}: {error}")
    if result.errors:
        lines.append("Your edits are kept here. Next: hypertask sync, when that is put right")
    return {"dry_run": False, "agreed": result.agreed, "upstreams": value}, lines


@click.command()
@reports
def watch(session: Session, screen: Screen) -> None:
    """Stay in sync until it is stopped: whatever changes here or there is synced within a second."""
    profile = session.profile
    configs = chosen(profile)
    configure("WARNING")
    with open_workspace(profile, session.tokens) as workspace, held(workspace.daemon_lock):
        _say_if_rebuilt(workspace, screen)
        screen.say(f"Watching {profile.folder} and {', '.join(c.name for c in configs)}. Ctrl-C stops.")
        asyncio.run(_watched(Exchange(workspace, configs, telling(session, screen), resident=True), screen))
    screen.say("Stopped.")


async def _watched(exchange: Exchange, screen: Screen) -> None:
    failing: set[str] = set()

    def told(result: Result) -> None:
        for name, error in result.errors.items():
            if name not in failing:
                screen.say(f"{name}: {error}")
        for name in failing & result.reports.keys():
            screen.say(f"{name}: in sync again.")
        failing.clear()
        failing.update(result.errors)
        for name, report in result.reports.items():
            if report.sent or report.fetched or report.deleted or report.removed:
                screen.say(
                    f"{name}: {report.sent} sent, {report.fetched} fetched, {report.deleted} deleted there, "
                    f"{report.removed} removed here"
                )
            for line in waiting_lines(name, report.plan):
                screen.say(line)

    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    try:
        await Watch(exchange, told, screen.warn).run()
    except asyncio.CancelledError:
        logging.getLogger(__name__).debug("stopped")
    finally:
        await exchange.close()


COMMANDS = (connect, sync, watch)
