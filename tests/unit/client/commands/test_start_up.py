"""What a command loads and reads before it answers, counted: seconds depend on the machine, these do not."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from bench import terminal
from client.cli import main
from client.config.tokens import Tokens
from client.folder import body_cache, replace, task_folder
from client.folder.task_folder import TaskFolder
from client.tasks.ids import id_of
from client.upstreams.http_channel import Channel
from tests.certificate import certificate
from tests.instance import ROOT
from tests.unit.client.stub_server import StubServer
from tests.unit.client.workspace.since_server import SinceServer

COUNT = 60
"""So many tasks are more than the cache waits for."""
ALWAYS = {
    *("asyncio", "httpx", "icalendar", "rich", "tomlkit", "watchfiles", "sqlite3", "ssl", "dateutil", "wcwidth"),
    *("platformdirs", "inspect", "ast", "dis", "tokenize", "gettext", "locale", "platform", "ipaddress", "shutil"),
}
"""What no short command loads: libraries that take longer than the command, and what libraries load in vain."""
SYNC = {"client.sync", "client.upstreams", "client.workspace", "client.formats", "shared.core.resolution.resolve"}
CHOOSING = {"client.tasks.filters", "client.tasks.expressions", "client.tasks.reports", "client.commands.table"}
CHANGING = {"client.tasks.modifications", "client.tasks.hooks", "ctypes", "shared.core.merge.objects"}
UNDOING = {
    "calendar",
    "shlex",
    "client.folder.body_cache",
    "client.tasks.modifications",
    "client.tasks.hooks",
    "client.tasks.words",
    "shared.core.merge.objects",
}
RARE = {
    "difflib",
    "hashlib",
    "subprocess",
    "secrets",
    "random",
    "textwrap",
    "client.tasks.recurrence",
    "client.tasks.date_words",
}
PROGRAM = """
import atexit, gc, sys
atexit.register(lambda: gc.get_freeze_count() or print("all is looked through at the end", file=sys.stderr))
from client.cli import main
needless = set(sys.argv.pop(1).split())
try:
    main(prog_name="hypertask")
except SystemExit as end:
    assert not end.code, end.code
from client.later import StandIn
loaded = {name for name, module in sys.modules.items() if not isinstance(module, StandIn)}
print(*sorted(needless & loaded), file=sys.stderr)
"""


@pytest.fixture
def folder(tmp_path: Path) -> TaskFolder:
    made = TaskFolder(tmp_path / "tasks")
    made.make()
    config = tmp_path / ".config" / "hypertask" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[profiles.default]\nfolder = "{made.root}"\n')
    for number in range(COUNT):
        body = {"id": id_of(number), "description": f"task {number}", "status": "pending", "tags": ["errand"]}
        (made.root / f"{body['id']}.json").write_text(json.dumps(body))
    return made


def variables(folder: TaskFolder, words: list[str], *, completing: bool) -> dict[str, str]:
    found = {"HOME": str(folder.root.parent), "HYPERTASK_CONFIG": "", "XDG_CONFIG_HOME": "", "TZ": "UTC"}
    if completing:
        words = ["hypertask", *words]
        found |= {"_HYPERTASK_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(words)}
        found["COMP_CWORD"] = str(len(words) - 1)
    return found


ANY = id_of(7)


@pytest.mark.parametrize(
    ("words", "completing", "needless"),
    [
        (["--version"], False, SYNC | CHOOSING | CHANGING | RARE | {"client.commands", "client.tasks"}),
        (["show", ANY], False, SYNC | CHOOSING | CHANGING | RARE),
        (["list"], False, SYNC | CHANGING | RARE),
        (["next"], False, SYNC | CHANGING | RARE - {"client.tasks.date_words"}),
        (["add", "buy", "milk", "+errand"], False, SYNC | RARE | {"client.commands.table", "client.tasks.reports"}),
        (["done", ANY], False, SYNC | CHOOSING | RARE | {"client.tasks.modifications"}),
        (["undo"], False, SYNC | CHOOSING | RARE | UNDOING),
        (["done", "2"], True, SYNC | CHOOSING | CHANGING | RARE),
        (["list", "+"], True, SYNC | CHANGING | RARE),
    ],
    ids=["version", "show", "list", "next", "add", "done", "undo", "complete-id", "complete-word"],
)
def test_what_is_loaded(folder: TaskFolder, words: list[str], completing: bool, needless: set[str]) -> None:
    CliRunner().invoke(main, ["list"], env=variables(folder, [], completing=False))  # so that there is a number 2
    if words == ["undo"]:
        CliRunner().invoke(main, ["modify", ANY, "+shop"], env=variables(folder, [], completing=False))
    env = {**os.environ, **variables(folder, words, completing=completing)}
    given = [] if completing else words
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, " ".join(ALWAYS | needless), *given], env=env, capture_output=True, text=True
    )
    assert (said.returncode, said.stderr.strip()) == (0, ""), said.stderr


OTHERS = """
import atexit, os, sys
before = {*sys.modules}
def ours():
    from client.later import StandIn
    modules = {name: module for name, module in sys.modules.items() if module and not isinstance(module, StandIn)}
    loaded = [name for name in modules if name not in before]
    own = [name for name in loaded if name.startswith(("client.", "shared."))]
    libraries = {name.partition(".")[0] for name in loaded} - {"client", "shared"} - sys.stdlib_module_names
    print(*sorted([*own, *libraries]), file=sys.stderr)
atexit.register(ours)
from client.cli import main
main(prog_name="hypertask")
"""
EVERY = {
    *("client.cli", "client.commands", "client.commands.reporting", "client.commands.session", "client.config"),
    *("client.config.config_file", "client.config.config_text", "client.folder", "client.folder.durable"),
    *("client.folder.file_names", "client.folder.file_text", "client.folder.problems", "client.folder.replace"),
    *("client.folder.task_folder", "client.screen", "client.tasks", "client.tasks.ids", "client.tasks.journal"),
    *("client.later", "client.tasks.listed", "client.tasks.moments"),
    *("client.tasks.local_time", "client.tasks.task_list", "shared.codec", "shared.core", "shared.core.display"),
    *("shared.core.identifiers", "shared.core.json", "shared.core.json.canonical", "shared.core.json.strict"),
    *("shared.core.merge", "shared.core.merge.clock", "shared.core.protocol", "shared.core.resolution"),
    *("shared.core.resolution.states", "click", "orjson"),
}
LISTING = {
    *("client.commands.list_tasks", "client.commands.listing", "client.commands.loading", "client.commands.table"),
    *("client.commands.task_rows", "client.commands.task_words", "client.folder.body_cache"),
    *("client.tasks.urgency", "client.tasks.view", "client.tasks.virtual_tags"),
}
LOOKING = {
    *("client.commands.sync", "client.commands.sync_report", "client.config.tokens", "client.folder.locks"),
    *("client.sync", "client.sync.decided", "client.sync.engine", "client.sync.engine.planned"),
    *("client.sync.engine.records", "client.sync.engine.versions", "client.sync.report", "client.sync.state_file"),
    *("client.sync.state_store", "client.sync.upstream", "client.sync.upstream_records", "client.sync.version_store"),
    *("client.upstreams", "client.upstreams.changes_question", "client.upstreams.plain_request"),
    *("client.upstreams.server_facts", "client.workspace", "client.workspace.first_look"),
    *("client.workspace.workspace", "shared.core.resolution.ancestors", "shared.core.version_vectors"),
}
SYNCING = {
    *("client.commands.whole_sync", "client.sync.apply_answers", "client.sync.arrivals", "client.sync.change_scope"),
    *("client.sync.engine.answer", "client.sync.engine.emptied", "client.sync.engine.own_edits"),
    *("client.sync.engine.plan", "client.sync.files", "client.sync.lost_edits", "client.sync.outbox"),
    *("client.sync.pair", "client.sync.question", "client.sync.sync_run", "client.sync.versioning"),
    *("client.upstreams.coding", "client.upstreams.http", "client.upstreams.http_channel"),
    *("client.upstreams.http_submission", "client.workspace.multi_sync"),
    *("shared.core.json.pointers", "shared.core.json.values", "shared.core.merge.policies"),
    *("shared.core.resolution.deletion_guard", "shared.observability", "shared.retry"),
    *("anyio", "h11", "httpcore", "httpx", "typing_extensions"),
}


@pytest.mark.parametrize(
    ("word", "how", "expected"),
    [
        ("list", "", EVERY | LISTING),
        ("sync", "", EVERY | LOOKING),
        ("sync", "https", EVERY | LOOKING | {"client.upstreams.trust"}),
        ("sync", "whole", EVERY | LOOKING | SYNCING),
    ],
)
def test_all_that_is_loaded(
    folder: TaskFolder, word: str, how: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a list, by a sync that finds nothing to do, with a first look and without one: nearly all that they take is
    loading. A module that is not in these lists is one that they can do without, or else belongs there."""
    server = SinceServer()
    certificate(folder.state, "server")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder.state / "certificate.pem"))
    url = server.start(folder.state if how == "https" else None)
    config = folder.root.parent / ".config" / "hypertask" / "config.toml"
    config.write_text(f'{config.read_text()}[[profiles.default.upstreams]]\nname = "up"\nurl = "{url}"\n')
    Tokens(config).put("default", "up", server.token)
    env = {
        **os.environ,
        **variables(folder, [], completing=False),
        "NO_PROXY": "example.org" if how == "whole" else "",
    }
    for earlier in ["list", "sync"]:
        assert CliRunner().invoke(main, [earlier], env=env).exit_code == 0
    said = subprocess.run([sys.executable, "-c", OTHERS, word], env=env, capture_output=True, text=True)
    server.stop()
    assert said.returncode == 0, said.stderr
    found = {*said.stderr.split()}
    assert (sorted(found - expected), sorted(expected - found)) == ([], [])


@pytest.mark.parametrize(
    ("words", "completing", "expected"),
    [
        (["list"], False, (1, 0)),
        (["+errand", "list"], False, (1, 0)),
        (["next"], False, (1, 0)),
        (["show", "1"], False, (0, 1)),
        (["add", "buy", "milk", "+errand"], False, (0, 0)),
        (["modify", "1", "+shop"], False, (0, 1)),
        (["done", "1"], False, (0, 1)),
        (["undo"], False, (0, 1)),
        (["done", "2"], True, (0, 0)),
        (["list", "+"], True, (0, 0)),
    ],
)
def test_what_is_read(
    folder: TaskFolder, words: list[str], completing: bool, expected: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`expected`: how often the file system is asked about every file, and how many files are opened."""
    monkeypatch.setattr(replace, "TICK_NS", 0)  # the files were not written this moment
    runner = CliRunner()
    first = runner.invoke(main, ["list"], env=variables(folder, [], completing=False))
    assert first.exit_code == 0 and (folder.state / body_cache.NAME).exists()
    if words == ["undo"]:
        assert runner.invoke(main, ["modify", "1", "+shop"], env=variables(folder, [], completing=False)).output
    counted: Counter[str] = Counter()

    def counting(name: str, function: Any) -> Any:
        def counted_call(*arguments: Any, **options: Any) -> Any:
            counted[name] += 1
            return function(*arguments, **options)

        return counted_call

    monkeypatch.setattr(TaskFolder, "scan", counting("scan", TaskFolder.scan))
    monkeypatch.setattr(task_folder, "_read", counting("read", task_folder._read))
    env = variables(folder, words, completing=completing)
    result = runner.invoke(main, [] if completing else words, prog_name="hypertask", env=env)
    assert result.exit_code == 0 and result.output, result.output
    assert (counted["scan"], counted["read"]) == expected


class Searches:
    """Counts for which modules the places are searched where they might be."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        self.names.append(name)


def test_a_request_searches_for_no_module(stub: StubServer, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def requests() -> list[str]:
        channel = Channel(url, stub.token)
        await channel.request("GET", "/hashes")
        searches = Searches()
        monkeypatch.setattr(sys, "meta_path", [searches, *sys.meta_path])
        await channel.request("GET", "/hashes")
        await channel.close()
        return searches.names

    assert asyncio.run(requests()) == []


def test_the_page_has_what_the_measurement_prints() -> None:
    """The rows and the sizes of `python -m bench.terminal`; the figures are of the machine that it ran on."""
    _, _, part = (ROOT / "docs" / "taskwarrior.md").read_text(encoding="utf-8").partition("\n## How fast\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
    assert rows[0][1::2] == [f"{count:,}" for count in terminal.COUNTS]
    assert [row[0] for row in rows[2:]] == [what for what, *_ in terminal.ROWS]
    assert all(float(figure) > 0 for row in rows[2:] for figure in row[1:])


def test_what_goes_on_collects_what_is_garbage(tmp_path: Path) -> None:
    """A short command hardly ever looks for it. A daemon that kept that up would grow."""
    config = str(tmp_path / "config.toml")
    program = (
        "import gc, sys; from client.cli import main; from client.commands import watch\n"
        "short = gc.get_threshold()\n"
        "watch._watch_until_changed = lambda session, screen: None\n"
        f"main(['init', {str(tmp_path / 'tasks')!r}], standalone_mode=False)\n"
        "main(['watch'], standalone_mode=False)\n"
        "sys.exit(not all(now < before for now, before in zip(gc.get_threshold(), short, strict=True)))\n"
    )
    environment = {**os.environ, "HYPERTASK_CONFIG": config, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
