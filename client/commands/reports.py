"""hypertask next, ready, waiting ... and projects, tags, summary, calendar, burndown, context"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from typing import Any, Final

import click

from client.commands.listing import show_report
from client.commands.loading import AllTasks, load_all
from client.commands.reporting import reports
from client.commands.session import Session
from client.commands.table import rendered, terminal_width
from client.commands.task_words import WordCommand, words
from client.screen import Screen, plain, tasks
from client.tasks import moments
from client.tasks.date_words import months_later
from client.tasks.filters import filter_of
from client.tasks.reports import REPORTS, Report
from client.tasks.view import is_open, status_of, tags_of
from shared.core.identifiers import Body

_YEAR: Final = re.compile(r"(?:19|20|21)\d\d\Z", re.ASCII)
COLOURS: Final = click.Choice(["auto", "always", "never"])


def report_command(report: Report) -> click.Command:
    """The command that prints a report."""

    @click.command(report.name, cls=WordCommand, help=f"{report.about}. WORDs narrow it, as in list.")
    @words()
    @click.option("--color", "colour", type=COLOURS, default="auto", help="Colours; auto: on a terminal.")
    @reports
    def command(session: Session, screen: Screen, *, words: tuple[str, ...], colour: str) -> None:
        show_report(session, screen, report, words, colour)

    return command


def command_of(session: Session | None, name: str) -> click.Command | None:
    """The report of that name: of the config, else one of ours. Without a session, as for --help: one of ours."""
    report = (session is not None and session.own_reports.get(name)) or REPORTS.get(name)
    return None if report is None else report_command(report)


def _wanted(session: Session, all_tasks: AllTasks, words: tuple[str, ...]) -> list[Body]:
    fits = [
        filter_of(part, session.now, all_tasks.view) for part in ([*session.filter_words, *words], session.context)
    ]
    return [body for body in all_tasks.bodies.values() if all(fit(body) for fit in fits)]


@click.command(cls=WordCommand)
@words()
@reports
def projects(session: Session, screen: Screen, *, words: tuple[str, ...]) -> None:
    """How many open tasks each project has."""
    all_tasks = load_all(session, screen)
    counts = Counter(
        str(body.get("project") or "(none)") for body in _wanted(session, all_tasks, words) if is_open(body)
    )
    _counts(screen, "Project", counts)


@click.command(cls=WordCommand)
@words()
@reports
def tags(session: Session, screen: Screen, *, words: tuple[str, ...]) -> None:
    """How many open tasks each tag has."""
    all_tasks = load_all(session, screen)
    counts = Counter(tag for body in _wanted(session, all_tasks, words) if is_open(body) for tag in tags_of(body))
    _counts(screen, "Tag", counts)


def _counts(screen: Screen, name: str, counts: Counter[str]) -> None:
    rows = [[plain(key), str(count)] for key, count in sorted(counts.items())]
    lines = rendered([name, "Tasks"], rows, terminal_width())
    screen.answer(
        dict(sorted(counts.items())), *lines, f"{len(counts)} {name.lower()}{'' if len(counts) == 1 else 's'}."
    )


@click.command(cls=WordCommand)
@words()
@reports
def summary(session: Session, screen: Screen, *, words: tuple[str, ...]) -> None:
    """How far each project is: what is left, how old it is on average, how much is done."""
    all_tasks = load_all(session, screen)
    groups: dict[str, list[Body]] = {}
    for body in _wanted(session, all_tasks, words):
        if status_of(body) in ("pending", "completed"):
            groups.setdefault(str(body.get("project") or "(none)"), []).append(body)
    rows, values = [], []
    for name, bodies in sorted(groups.items()):
        left = [body for body in bodies if status_of(body) == "pending"]
        if not left:
            continue
        entries = [at for body in left if (at := moments.seconds(body.get("entry"), session.now.tzinfo)) is not None]
        age = (session.now.timestamp() - sum(entries) / len(entries)) / 86_400 if entries else 0.0
        done = 100 * (len(bodies) - len(left)) // len(bodies)
        rows.append([plain(name), str(len(left)), f"{age:.0f}d", f"{done}%", "#" * (done // 5)])
        values.append({"project": name, "remaining": len(left), "average_age_days": round(age, 1), "complete": done})
    lines = rendered(["Project", "Left", "Age", "Done", "0%                 100%"], rows, terminal_width())
    screen.answer({"projects": values}, *lines, f"{len(rows)} project{'' if len(rows) == 1 else 's'}.")


@click.command(cls=WordCommand)
@words()
@reports
def calendar(session: Session, screen: Screen, *, words: tuple[str, ...]) -> None:
    """Three months with the days on which something is due: `*`; today: `<`.

    \b
    hypertask calendar 2031
    hypertask calendar 5 2031
    """
    words, first, count = _months_of(words, session.now.date())
    all_tasks = load_all(session, screen)
    due = Counter(
        day
        for body in _wanted(session, all_tasks, words)
        if status_of(body) == "pending" and (day := moments.day_of(body.get("due"), session.now.tzinfo)) is not None
    )
    today = session.now.date()
    months = [_month(months_later(first, number), today, due) for number in range(count)]
    beside = max(1, min(3, ((terminal_width() or 80) + 3) // 33))
    lines: list[str] = []
    for start in range(0, count, beside):
        lines += [""] if start else []
        some = months[start : start + beside]
        height = max(map(len, some))
        padded = [month + [""] * (height - len(month)) for month in some]
        lines += ["   ".join(part.ljust(30) for part in row).rstrip() for row in zip(*padded, strict=True)]
    days = {str(day): count for day, count in sorted(due.items())}
    screen.answer({"due": days}, *lines, f"{tasks(sum(due.values()))} with a day. Next: hypertask list due:DAY")


def _months_of(words: tuple[str, ...], today: date) -> tuple[tuple[str, ...], date, int]:
    """The filter, and the first month and how many: of a year that the words end with, and of a month before it."""
    if not words or not _YEAR.match(words[-1]):
        return words, today.replace(day=1), 3
    year, before = int(words[-1]), words[:-1]
    if before and before[-1].isdecimal() and 1 <= int(before[-1]) <= 12:
        return before[:-1], date(year, int(before[-1]), 1), 3
    return before, date(year, 1, 1), 12


def _month(first: date, today: date, due: Counter[date]) -> list[str]:
    """The lines of one month; a week a line, with its ISO number."""
    lines = [f"{first:%B %Y}".center(30).rstrip(), "     Mo  Tu  We  Th  Fr  Sa  Su"]
    day = first - timedelta(days=first.weekday())
    while day < months_later(first, 1):
        week = [day + timedelta(days=number) for number in range(7)]
        signs = [
            f"{one.day:>3}{'<' if one == today else '*' if one in due else ' '}"
            if one.month == first.month
            else "    "
            for one in week
        ]
        lines.append(f"{day.isocalendar()[1]:>2}  {''.join(signs)}".rstrip())
        day += timedelta(days=7)
    return lines


@click.command(cls=WordCommand)
@words()
@reports
def burndown(session: Session, screen: Screen, *, words: tuple[str, ...]) -> None:
    """How many tasks were open at the end of each of the last ten weeks, and how many of all were done."""
    all_tasks = load_all(session, screen)
    wanted = [body for body in _wanted(session, all_tasks, words) if status_of(body) in ("pending", "completed")]
    rows: list[list[str]] = []
    values: list[dict[str, Any]] = []
    zone = session.now.tzinfo
    sunday = session.now.date() + timedelta(days=6 - session.now.weekday())
    for number in range(9, -1, -1):
        until = moments.placed(sunday - timedelta(days=7 * number - 1), zone).timestamp()
        begun = [
            body for body in wanted if (at := moments.seconds(body.get("entry"), zone)) is not None and at < until
        ]
        ended = [body for body in begun if (at := moments.seconds(body.get("end"), zone)) is not None and at < until]
        left = len(begun) - len(ended)
        week = (sunday - timedelta(days=7 * number)).isocalendar()
        values.append({"week": f"{week[0]}-W{week[1]:02}", "open": left, "done": len(ended)})
    most = max((int(value["open"]) + int(value["done"]) for value in values), default=0) or 1
    longest = min(40, max(10, (terminal_width() or 80) - 30))
    for value in values:
        open_bar, done_bar = (int(int(value[name]) * longest / most) for name in ("open", "done"))
        rows.append([value["week"], str(value["open"]), str(value["done"]), "#" * open_bar + "." * done_bar])
    lines = rendered(["Week", "Open", "Done", "# open  . done"], rows, terminal_width())
    screen.answer({"weeks": values}, *lines)


@click.command()
@click.argument("name", required=False)
@reports
def context(session: Session, screen: Screen, *, name: str | None) -> None:
    """Narrow every report to a context of the config; `none`: to nothing. Without NAME: what there is."""
    known = session.profile.contexts
    if name is not None:
        session.set_context(None if name == "none" else name)
    active = session.context_name
    lines = [f"{'*' if one == active else ' '} {one}  {' '.join(filters)}" for one, filters in known.items()]
    hint = f"Context: {active or 'none'}."
    if not known:
        hint += ' To make one: hypertask config set contexts.home "project:home"'
    screen.answer({"context": active, "contexts": {k: list(v) for k, v in known.items()}}, *lines, hint)
