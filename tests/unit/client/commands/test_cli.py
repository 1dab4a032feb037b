"""The command line as a user meets it: a real process image of it, against a real socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from client.cli import COMMANDS, REPORTS, main
from tests.unit.client.stub_server import StubServer, problem

UUIDS = [f"aaaaaaaa-0000-4000-8000-{n:012}" for n in range(200)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tasks.json"


def tasks(count: int, **more: Any) -> str:
    return json.dumps([{"uuid": uuid, "description": f"task {i}", **more} for i, uuid in enumerate(UUIDS[:count])])


def run(*arguments: str, env: dict[str, str] | None = None, given: str | None = None) -> Result:
    clean = {"HYPERTASK_URL": None, "HYPERTASK_TOKEN": None, **(env or {})}
    result = CliRunner().invoke(main, ["import", "taskwarrior", *arguments], env=clean, input=given)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def where(url: str) -> list[str]:
    return ["--url", url, "--token", "good-token"]


def test_an_import_and_the_next_one(stub: StubServer, url: str, file: Path) -> None:
    file.write_text(tasks(3))
    result = run(str(file), *where(url))
    assert result.exit_code == 0
    assert result.stdout == (
        "3 created, 0 updated, 0 unchanged, 0 merged by the server, 0 refused.\n"
        "The server has all of it. Next: repeat the import whenever Taskwarrior has changed.\n"
    )
    assert result.stderr == f"3 tasks in {file}; comparing with {url}\nSent 3 of 3\n"
    assert set(stub.documents) == set(UUIDS[:3])
    again = run(str(file), *where(url))
    assert again.stdout.startswith("0 created, 0 updated, 3 unchanged, 0 merged by the server, 0 refused.")
    assert len(stub.posts) == 3


def test_json(stub: StubServer, url: str, file: Path) -> None:
    file.write_text(tasks(3))
    stub.documents = {UUIDS[0]: {"id": UUIDS[0], "theirs": 1}}
    stub.refused = {UUIDS[1]: (422, {"detail": "No.", "code": "invalid-document"})}
    result = run(str(file), *where(url), "--json")
    assert result.exit_code == 1
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "dry_run": False,
        "tasks": 3,
        "created": 1,
        "updated": 0,
        "unchanged": 0,
        "merged": 1,
        "deleted": 0,
        "refused": [{"id": UUIDS[1], "code": "invalid-document", "reason": "No."}],
        "unsettled": [],
        "rounds": 1,
    }


def test_a_refusal_is_named_and_the_rest_is_brought(stub: StubServer, url: str, file: Path) -> None:
    file.write_text(tasks(12))
    stub.refused = {uuid: (422, {"detail": "No good.", "code": "invalid-document"}) for uuid in UUIDS[:11]}
    stub.deleted = {UUIDS[11]}
    result = run(str(file), *where(url))
    assert result.exit_code == 1
    assert f"refused: {UUIDS[0]} (task 0): No good. [invalid-document]\n" in result.stderr
    assert "... and 1 more; --json has all of them" in result.stderr
    assert "1 deleted on the server, 11 refused." in result.stdout
    assert "Next: correct the refused tasks" in result.stdout


def test_a_dry_run_sends_nothing(stub: StubServer, url: str, file: Path) -> None:
    file.write_text(tasks(3))
    stub.documents = {
        UUIDS[0]: {"id": UUIDS[0], "theirs": 1},
        UUIDS[1]: {"id": UUIDS[1], "uuid": UUIDS[1], "description": "task 1"},
    }
    result = run(str(file), *where(url), "--dry-run")
    assert result.exit_code == 0
    assert result.stdout == ("Nothing was sent. It would be: 1 to create, 1 to update or merge, 1 unchanged.\n")
    result = run(str(file), *where(url), "--dry-run", "--json")
    assert json.loads(result.stdout) == {
        "dry_run": True,
        "tasks": 3,
        "would": {"create": 1, "update_or_merge": 1, "unchanged": 1},
    }
    assert set(stub.posts) == {UUIDS[0]} and len(stub.documents) == 2, "v1.0 has no other way to read"


def test_standard_input_and_the_environment(stub: StubServer, url: str) -> None:
    env = {"HYPERTASK_URL": url + "/", "HYPERTASK_TOKEN": " good-token\n"}
    result = run("-", env=env, given=tasks(1))
    assert result.exit_code == 0
    assert set(stub.documents) == {UUIDS[0]}


def test_progress_off_a_terminal_is_a_line_now_and_then(stub: StubServer, url: str, file: Path) -> None:
    file.write_text(tasks(200))
    result = run(str(file), *where(url))
    sent = [line for line in result.stderr.splitlines() if line.startswith("Sent")]
    assert sent == [f"Sent {n} of 200" for n in range(20, 201, 20)]
    assert "\x1b" not in result.output


def test_a_terminal_gets_a_bar_and_colour(url: str, file: Path) -> None:
    file.write_text(tasks(200))
    master, slave = os.openpty()
    program = [sys.executable, "-c", "from client.cli import main; main()", "import", "taskwarrior", str(file)]
    env = {**os.environ, "TERM": "xterm", "PYTHONPATH": str(Path(__file__).parents[4])}
    with subprocess.Popen([*program, *where(url)], stdout=slave, stderr=slave, env=env) as process:
        os.close(slave)
        shown = b""
        try:
            while chunk := os.read(master, 4096):
                shown += chunk
        except OSError:  # the other end is closed
            pass
        os.close(master)
    assert process.returncode == 0
    assert b"200/200" in shown
    assert b"\x1b[32m200 created" in shown
    assert b"Sent 20 of" not in shown


def test_others_that_never_rest(stub: StubServer, url: str, file: Path) -> None:
    file.write_text(tasks(1))
    counter = iter(range(100))
    stub.after_post = lambda document: stub.documents[document].update(n=next(counter))
    result = run(str(file), *where(url))
    assert result.exit_code == 1
    assert "Others are changing 1 task at this moment" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--token", "t"], "Missing option '--url' (env var: 'HYPERTASK_URL')"),
        (["--url", "http://h"], "Missing option '--token' (env var: 'HYPERTASK_TOKEN')"),
        (["--url", "h:80", "--token", "t"], "Example: https://"),
        (["--url", "https://", "--token", "t"], "Example: https://"),
        (["--url", "ftp://h", "--token", "t"], "Example: https://"),
        (["--url", "http://[", "--token", "t"], "is not an address"),
        (["--url", "http://h:x", "--token", "t"], "is not an address"),
        (["--url", "http://u:secret@h", "--token", "t"], "leave out user and password"),
        (["--url", "http://h/?a", "--token", "t"], "leave out user and password"),
        (["--url", "http://127.0.0.1:1", "--token", ""], "--token"),
        (["--url", "http://127.0.0.1:1", "--token", "t o"], "was it copied whole?"),
        (["--url", "http://127.0.0.1:1", "--token", "tö"], "was it copied whole?"),
    ],
)
def test_a_wrong_command_names_the_fix(arguments: list[str], words: str, file: Path) -> None:
    file.write_text(tasks(1))
    result = run(str(file), *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "secret" not in result.output


def test_a_missing_file(tmp_path: Path) -> None:
    unreadable = tmp_path / ("x" * 300)
    for path in (tmp_path / "none.json", tmp_path, unreadable):
        result = run(str(path), *where("http://127.0.0.1:1"))
        assert result.exit_code == 2
        assert str(path) in result.stderr


def test_a_bad_file_sends_nothing_and_says_where(stub: StubServer, url: str, file: Path) -> None:
    file.write_text("\n".join([json.dumps({"uuid": UUIDS[0]}), *['{"a": 1}'] * 12]))
    result = run(str(file), *where(url))
    assert result.exit_code == 2
    assert f"{file} cannot be imported; nothing was sent.\n  line 2, entry 2: it has no" in result.stderr
    assert "... and 2 more" in result.stderr
    result = run(str(file), *where(url), "--json")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"], len(error["problems"])) == (2, "unreadable-export", 12)
    assert error["problems"][0] | {"detail": ""} == {"line": 2, "entry": 2, "detail": ""}
    assert not stub.log


def test_a_token_that_is_not_accepted(url: str, file: Path) -> None:
    file.write_text(tasks(1))
    result = run(str(file), "--url", url, "--token", "bad-token")
    assert result.exit_code == 1
    assert "does not accept the token: was the device revoked?" in result.stderr
    assert "--token or HYPERTASK_TOKEN" in result.stderr
    assert "bad-token" not in result.output
    result = run(str(file), "--url", url, "--token", "bad-token", "--json")
    assert json.loads(result.stdout)["error"]["code"] == "token-not-accepted"


def test_no_server(file: Path, unused_tcp_port: int) -> None:
    file.write_text(tasks(1))
    result = run(str(file), *where(f"http://127.0.0.1:{unused_tcp_port}"))
    assert result.exit_code == 1
    assert "Is the server running" in result.stderr


def test_an_error_on_the_way_says_what_is_kept(stub: StubServer, url: str, file: Path) -> None:
    file.write_text(tasks(20))
    stub.trouble = lambda request: problem(403, "forbidden", "No.") if len(stub.documents) == 5 else None
    result = run(str(file), *where(url))
    assert result.exit_code == 1
    assert "5 of 20 were sent and are kept; the same command goes on from there." in result.stderr


def test_a_token_in_the_open_is_warned_about(file: Path) -> None:
    file.write_text("")
    assert "unencrypted" in run(str(file), "--url", "http://tasks.example.org", "--token", "t").stderr
    assert "unencrypted" not in run(str(file), "--url", "https://tasks.example.org", "--token", "t").stderr
    assert "unencrypted" not in run(str(file), "--url", "http://localhost:1", "--token", "t").stderr


def test_version_and_help() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.startswith("hypertask, version ")
    help_ = CliRunner().invoke(main, ["import", "taskwarrior", "--help"]).output
    assert "HYPERTASK_URL" in help_
    assert "HYPERTASK_TOKEN" in help_


@pytest.mark.parametrize("words", [["list"], ["add", "buy milk"], ["--version"]])
def test_a_short_command_loads_nothing_that_it_does_not_need(words: list[str], tmp_path: Path) -> None:
    program = """
import sys
from client.cli import COMMANDS, REPORTS, main
main(sys.argv[1:], standalone_mode=False)
needless = {"asyncio", "httpx", "icalendar", "rich", "tomlkit", "watchfiles"}
print(*sorted(needless & sys.modules.keys()), file=sys.stderr)
"""
    env = {**os.environ, "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    said = subprocess.run(
        [sys.executable, "-c", program, *words], env=env, capture_output=True, text=True, check=True
    )
    assert said.stderr.strip() == ""


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_lists_every_command_whatever_the_config_is(option: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("not = [toml")
    found = CliRunner().invoke(main, [option], env={"HYPERTASK_CONFIG": str(config)})
    assert found.exit_code == 0, found.output
    listed = {line.split()[0] for line in found.output.splitlines() if line.startswith("  ") and line.strip()}
    assert {*COMMANDS, *REPORTS} <= listed
    assert not [line for line in found.output.splitlines()[1:] if "..." in line], "nothing is cut off"
