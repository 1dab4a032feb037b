"""A day is that day in every zone, a local time keeps its wall clock over every change of the clocks."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given
from hypothesis import strategies as st

from client.cli import main
from client.commands.session import Session
from client.commands.task_rows import in_order
from client.tasks.filters import filter_of
from client.tasks.local_time import Here
from client.tasks.moments import day_of, point_of, seconds, shown, stored, text_of_point
from tests.unit.client.zones import CHANGES, NAMES, ZONES, living_in

NEAR = sorted({day + timedelta(days=n) for day in CHANGES for n in (-1, 0, 1)})
in_every_zone = pytest.mark.parametrize("zone", NAMES)


class Home:
    """A folder of tasks in one of the zones, at a time that is told."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._patch = monkeypatch
        self.run("init", str(path / "tasks"))

    def at(self, wall: str) -> None:
        """What the clock on the wall shows from now on."""
        local = datetime.fromisoformat(wall)
        self._patch.setattr(Session, "now", property(lambda _: local.replace(tzinfo=Here())))

    def run(self, *arguments: str) -> Result:
        env = {"HYPERTASK_CONFIG": str(self.path / "config.toml"), "HYPERTASK_PROFILE": None}
        result = CliRunner().invoke(main, arguments, env=env)
        assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
        return result

    def listed(self, *words: str) -> list[dict[str, Any]]:
        result = self.run("list", "--json", *words)
        assert result.exit_code == 0, result.output
        found: list[dict[str, Any]] = json.loads(result.stdout)["tasks"]
        return found

    def exported(self, form: str) -> str:
        return self.run("export", form).stdout_bytes.decode()

    def imported(self, form: str, text: str, *options: str, name: str = "file") -> dict[str, Any]:
        (self.path / name).write_text(text)
        result = self.run("import", form, str(self.path / name), "--json", *options)
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


@in_every_zone
def test_a_day_is_stored_shown_found_and_exported_as_that_day(home: Home, zone: str) -> None:
    with living_in(zone):
        home.at("2026-10-24T12:00")
        for day in NEAR:
            home.run("add", f"on {day}", f"due:{day}")
        assert [task["due"] for task in home.listed()] == [str(day) for day in NEAR]
        table = home.run("list").stdout
        for day in NEAR:
            assert [task["description"] for task in home.listed(f"due:{day}")] == [f"on {day}"]
            assert f"  {day}  on {day}\n" in table
        before = home.listed("due.before:2026-10-25")
        assert [task["due"] for task in before] == [str(day) for day in NEAR if day < date(2026, 10, 25)]
        assert {f"due:{day}" for day in NEAR} <= set(home.exported("todo.txt").split())
        calendar = home.exported("ical")
        assert all(f"DUE;VALUE=DATE:{day:%Y%m%d}\r\n" in calendar for day in NEAR)
        assert all(f",{day}," in home.exported("csv") for day in NEAR)
        for task in json.loads(home.exported("taskwarrior")):
            midnight = datetime.combine(date.fromisoformat(task["description"][3:]), time(0), ZONES[zone])
            assert task["due"] == f"{midnight.astimezone(UTC):%Y%m%dT%H%M%SZ}"


@in_every_zone
def test_a_task_that_waits_for_a_day_is_there_when_it_begins_on_the_wall(home: Home, zone: str) -> None:
    with living_in(zone):
        home.at("2026-03-28T23:59")
        home.run("add", "x", "wait:2026-03-29")
        assert home.listed() == []
        home.at("2026-03-29T00:00")
        assert len(home.listed()) == 1


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ("due:today", "2026-10-24"),
        ("due:tomorrow", "2026-10-25"),
        ("due:monday", "2026-10-26"),
        ("due:eow", "2026-10-25"),
        ("due:eom", "2026-10-31"),
        ("due:eoy", "2026-12-31"),
        ("due:2026-10-25T09:00", "2026-10-25T09:00:00"),
        ("due:3d", "2026-10-27T12:00:00"),
        ("due:1m", "2026-11-24T12:00:00"),
    ],
)
@in_every_zone
def test_what_has_no_zone_is_stored_without_one(home: Home, zone: str, words: str, due: str) -> None:
    with living_in(zone):
        home.at("2026-10-24T12:00")
        home.run("add", "x", words)
        [task] = home.listed()
        assert task["due"] == due
        row = home.run("list").stdout.splitlines()[1]
        assert re.split(r"\s{2,}", row)[2] == due.replace("T", " ").removesuffix(":00")


@in_every_zone
def test_hours_and_moments_in_utc_stay_moments(home: Home, zone: str) -> None:
    with living_in(zone):
        home.at("2026-10-24T12:00")
        now = datetime(2026, 10, 24, 12, 0, tzinfo=ZONES[zone]).astimezone(UTC)
        home.run("add", "x", "due:36h")
        home.run("add", "y", "due:2030-01-02T00:00:00Z")
        assert [task["due"] for task in home.listed()] == [
            f"{now + timedelta(hours=36):%Y-%m-%dT%H:%M:%SZ}",
            "2030-01-02T00:00:00Z",
        ]


@in_every_zone
def test_weekdays_are_monday_to_friday_and_weekly_stays_its_day(home: Home, zone: str) -> None:
    with living_in(zone):
        home.at("2026-11-20T12:00")
        home.run("add", "standup", "due:2026-11-16", "recur:weekdays")
        assert [task["due"][-2:] for task in home.listed()] == ["16", "17", "18", "19", "20", "23"]
        home.run("add", "bins", "due:2026-10-23", "recur:weekly")
        fridays = ["10-23", "10-30", "11-06", "11-13", "11-20", "11-27"]
        assert [task["due"][5:] for task in home.listed("bins")] == fridays


@in_every_zone
def test_wall_clocks_and_firsts_of_months_stay_over_changes_of_the_clock(home: Home, zone: str) -> None:
    with living_in(zone):
        home.at("2026-11-20T12:00")
        home.run("add", "call", "due:2026-02-25T09:00", "recur:2w", "wait:2026-02-24T18:00", "scheduled:2026-02-24")
        calls = home.listed("call", "--all", "status:pending")
        assert len(calls) > 15 and {task["due"][10:] for task in calls} == {"T09:00:00"}
        for task in calls:
            day = date.fromisoformat(task["due"][:10])
            assert task["wait"] == f"{day - timedelta(days=1)}T18:00:00"
            assert task["scheduled"] == f"{day - timedelta(days=1)}"
        home.run("add", "rent", "due:2026-01-01", "recur:monthly")
        assert [task["due"][8:] for task in home.listed("rent")] == ["01"] * 12
        home.run("add", "trash", "due:2026-10-20", "until:2026-10-22", "recur:weekly")
        moved = [(task["due"][5:], task["until"][5:]) for task in home.listed("trash")]
        assert moved[:3] == [("10-20", "10-22"), ("10-27", "10-29"), ("11-03", "11-05")] and len(moved) == 6


@in_every_zone
def test_days_of_other_programs_are_days(home: Home, zone: str) -> None:
    calendar = "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:a\r\nSUMMARY:day\r\nDUE;VALUE=DATE:20300102\r\nEND:VTODO\r\n"
    calendar += "BEGIN:VTODO\r\nUID:b\r\nSUMMARY:nine\r\nDUE:20260329T090000\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    with living_in(zone):
        home.at("2026-03-28T12:00")
        home.imported("ical", calendar)
        home.imported("todo.txt", "pay due:2030-01-02\n")
        home.imported("csv", "Task;Due\nmow;2030-01-02\n")
        home.imported("json", '[{"description": "read", "due": "2030-01-02"}]')
        found = {task["description"] for task in home.listed("due:2030-01-02")}
        assert found == {"day", "pay", "mow", "read"}
        row = home.run("list", "nine").stdout.splitlines()[1]
        assert re.split(r"\s{2,}", row)[2] == "2026-03-29 09:00"


@in_every_zone
def test_a_day_goes_through_taskwarrior_s_form_and_comes_back(home: Home, zone: str) -> None:
    with living_in(zone):
        home.at("2026-10-24T12:00")
        for day in NEAR:
            home.run("add", f"on {day}", f"due:{day}")
        text = home.exported("taskwarrior")
        assert home.imported("taskwarrior", text)["unchanged"] == len(NEAR)
        # Another midnight in its place is another day.
        tasks = json.loads(text)
        midnight = datetime(2026, 10, 26, tzinfo=ZONES[zone]).astimezone(UTC)
        tasks[0]["due"] = f"{midnight:%Y%m%dT%H%M%SZ}"
        assert home.imported("taskwarrior", json.dumps(tasks))["updated"] == 1
        assert home.listed(tasks[0]["description"])[0]["due"] == "2026-10-26"


points = st.builds(
    lambda day, clock, kind: (str(day), f"{day}T{clock}", f"{day}T{clock}Z")[kind],
    st.sampled_from(NEAR) | st.dates(),
    st.times().map(lambda clock: clock.replace(microsecond=0).isoformat()),
    st.integers(0, 2),
)


@given(points, st.sampled_from(list(ZONES.values())))
def test_what_is_stored_is_a_point_and_stays_it(text: str, zone: ZoneInfo) -> None:
    now = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    kept = stored(text, now)
    assert stored(kept, now) == kept
    point = point_of(kept)
    assert point is not None and text_of_point(point) == kept
    if len(text) == 10:
        assert kept == shown(kept, now) == text and str(day_of(kept, zone)) == text


@given(st.lists(points, max_size=6), st.sampled_from(list(ZONES.values())))
@example(["0001-01-01T00:00:00"], ZoneInfo("Europe/Berlin"))
@example(["9999-12-31T23:59:59"], ZoneInfo("America/New_York"))
def test_the_order_and_the_filters_agree(dues: list[str], zone: ZoneInfo) -> None:
    bodies = in_order([{"id": f"i{n}", "due": due} for n, due in enumerate(dues)], zone)
    at = [seconds(body["due"], zone) or 0 for body in bodies]
    assert at == sorted(at)
    now = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    for limit in dues:
        before, after = filter_of([f"due.before:{limit}"], now), filter_of([f"due.after:{limit}"], now)
        for body in bodies:
            assert not (before(body) and after(body))
        assert filter_of([f"due:{limit}"], now)({"due": limit})


@in_every_zone
def test_the_system_s_clock_is_the_zone_s(zone: str) -> None:
    with living_in(zone):
        for day in NEAR:
            for minute in range(0, 24 * 60, 30):
                local = datetime.combine(day, time(0)) + timedelta(minutes=minute)
                for fold in (0, 1):
                    mine, theirs = (
                        local.replace(tzinfo=Here(), fold=fold),
                        local.replace(tzinfo=ZONES[zone], fold=fold),
                    )
                    if theirs.astimezone(UTC).astimezone(ZONES[zone]).replace(tzinfo=None) == local or fold == 0:
                        assert mine.utcoffset() == theirs.utcoffset()
                at = local.replace(tzinfo=UTC)
                here = at.astimezone(Here())
                assert here.replace(tzinfo=None) == at.astimezone(ZONES[zone]).replace(tzinfo=None)
                assert here.astimezone(UTC) == at
