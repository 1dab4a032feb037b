"""What the terminal client looks like at widths of 50, 80 and 160 columns: `python -m bench.captures [FOLDER]`.

Two folders are synced through a directory, with what is hard to show: wide characters, emoji with joiners, text from
right to left, long words, conflicts, a broken file, an upstream that is gone. Each command runs in a tmux of that
width; FOLDER (else a new one, which is named) gets one text a command and width. Lines that the terminal had to break
are named: the program should have broken them between words. Nothing leaves the machine; ends by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

WIDTHS = (50, 80, 160)
LINES = 300
COMMANDS = {
    "next": "next",
    "list": "list --all --color always",
    "list-filtered": "list +errand",
    "long": "long",
    "completed": "completed",
    "summary": "summary",
    "projects": "projects",
    "calendar": "calendar",
    "burndown": "burndown",
    "conflicts": "conflicts",
    "log": "log ID",
    "show": "show ID",
    "status": "status",
    "sync": "sync",
    "doctor": "doctor",
    "bulk": "+errand modify priority:H",
    "slip": "list projekt:home",
    "no-such-command": "lst",
    "help": "modify --help",
    "undo": "undo",
}
KEYS = {"bulk": ("n", "Enter")}
"""What is answered to a question."""
TASKS = (
    ["buy milk", "+errand", "due:today", "project:home"],
    ["water the plants on the balcony and in the kitchen before it gets too hot", "due:yesterday", "priority:H"],
    ["牛乳を買う、それからパンと卵も忘れずに買って帰ること", "+errand", "project:家事", "due:tomorrow"],
    ["👩‍👩‍👧‍👦 family dinner 🇩🇪 at Ann's 👍🏽", "+family", "project:home.kitchen"],
    ["לקנות חלב ולחם בדרך הביתה", "+errand"],
    ["write the report", "+office", "+urgent", "+quarterly", "project:work.reports.finance.2031", "priority:M"],
    ["Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen bestellen", "project:work"],
    ["read https://example.org/a/very/long/address/that/has/no/space/in/it/and/goes/on/and/on.html"],
    ["call Ann", "wait:30d", "+phone"],
    ["pay the rent", "due:eom", "recur:monthly", "project:home"],
    ["naïve café: ﬁnd the déjà-vu", "+phone"],
)


class Desk:
    """One folder with its config; commands run as processes."""

    def __init__(self, root: Path, name: str) -> None:
        self.root = root / name
        self.config = root / f"{name}.toml"
        self.environment = {**os.environ, "HYPERTASK_CONFIG": str(self.config), "TZ": "UTC", "PAGER": "cat"}
        self.run("init", str(self.root))

    def run(self, *words: str) -> str:
        """What it prints; failing is allowed, for trouble is what is to be shown."""
        command = [sys.executable, "-m", "client.cli", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False).stdout

    def add(self, *words: str) -> str:
        return str(json.loads(self.run("add", "--json", *words))["changed"][0]["id"])


def prepared(place: Path) -> tuple[Desk, str]:
    """A desk in trouble, and the id of the task with most of a history."""
    stick = place / "stick"
    stick.mkdir()
    desk, laptop = Desk(place, "desk"), Desk(place, "laptop")
    for one in (desk, laptop):
        one.run("connect", str(stick))
    ids = [desk.add(*words) for words in TASKS]
    desk.run("list")
    desk.run("modify", ids[5], f"depends:{ids[0]}")
    desk.run("annotate", ids[0], "two litres, of oat")
    for one in (desk, laptop):
        one.run("sync")
    desk.run("modify", ids[0], "buy oat milk", "priority:L")
    laptop.run("modify", ids[0], "buy milk and a lot of bread for the whole weekend", "+shop")
    laptop.run("modify", ids[2], "+urgent")
    laptop.run("delete", ids[10])
    desk.run("modify", ids[10], "priority:H")
    for one in (laptop, desk, laptop, desk):
        one.run("sync")
    desk.run("done", ids[3])
    desk.run("start", ids[6])
    (desk.root / f"{ids[7]}.json").write_text('{"id": "half')
    (desk.root / "notes (copy).json").write_text("{}")
    stick.rename(place / "unplugged")
    desk.run("sync")
    return desk, ids[0]


class Windows:
    """A tmux of our own, with a first window that stays until the end."""

    def __init__(self, desk: Desk) -> None:
        self._environment = {**desk.environment, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self._tmux = ["tmux", "-L", f"hypertask-{os.getpid()}", "-f", "/dev/null", "-u"]
        self._tell("new-session", "-d", "-s", "first", "exec cat")

    def close(self) -> None:
        self._tell("kill-server")

    def captured(self, words: str, width: int, keys: Sequence[str] = ()) -> tuple[str, list[str]]:
        """What stands in a window of that width, and the lines that the terminal broke. `keys` are typed."""
        program = f"{shlex.quote(sys.executable)} -m client.cli {words}"
        ended = " ".join(map(shlex.quote, [*self._tmux, "wait-for", "-S", "ended"]))
        size = ["-x", str(width), "-y", str(LINES)]
        self._tell("new-session", "-d", "-s", "shown", *size, f"{program}; {ended}; exec cat")
        for key in keys:
            self._tell("send-keys", "-t", "shown", key)
        self._tell("wait-for", "ended")
        shown = self._tell("capture-pane", "-t", "shown", "-p")
        joined = self._tell("capture-pane", "-t", "shown", "-p", "-J")
        self._tell("kill-session", "-t", "shown")
        lines = {line.rstrip() for line in shown.splitlines()}
        return shown.rstrip() + "\n", [line for line in joined.splitlines() if line.rstrip() not in lines]

    def _tell(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words], env=self._environment, check=True, capture_output=True, text=True, timeout=60
        )
        return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if shutil.which("tmux") is None:
        sys.exit("tmux is not installed.")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="captures-"))
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        desk, document = prepared(Path(place))
        windows = Windows(desk)
        try:
            for name, words in COMMANDS.items():
                for width in WIDTHS:
                    text, broken = windows.captured(words.replace("ID", document), width, KEYS.get(name, ()))
                    (folder / f"{name}-{width}.txt").write_text(f"$ hypertask {words}\n{text}")
                    for line in broken:
                        print(f"{name}, {width} columns, broken by the terminal: {line.strip()}")
        finally:
            windows.close()
    print(f"{len(COMMANDS) * len(WIDTHS)} captures are in {folder}")


if __name__ == "__main__":
    main()
