"""Tasks from the command line, without a server."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from client.cli import main
from client.commands.task_rows import in_order, table
from client.folder.task_folder import TaskFolder
from shared.testing.strategies import json_values


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "tasks"
    run(tmp_path, "init", str(folder))
    return tmp_path


def run(home: Path, *arguments: str, **variables: str) -> Result:
    env = {"HYPERTASK_CONFIG": str(home / "config.toml"), "HYPERTASK_PROFILE": None, "TZ": "UTC", **variables}
    result = CliRunner().invoke(main, arguments, env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result


def add(home: Path, *words: str) -> str:
    result = run(home, "add", "--json", *words)
    assert result.exit_code == 0, result.output
    [row] = json.loads(result.stdout)["changed"]
    return str(row["id"])


def listed(home: Path, *words: str) -> list[dict[str, Any]]:
    result = run(home, "list", "--json", *words)
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)["tasks"]
    return found


def file(home: Path, document: str) -> Path:
    return home / "tasks" / f"{document}.json"


def test_the_first_minute(tmp_path: Path) -> None:
    """Nothing is set up, and nothing has to be."""
    env = {"HYPERTASK_CONFIG": str(tmp_path / "c" / "config.toml"), "HOME": str(tmp_path), "HYPERTASK_PROFILE": None}
    result = CliRunner().invoke(main, ["add", "buy", "milk", "+errand"], env=env)
    assert re.fullmatch(r"Added [a-z2-9]{4}: buy milk\nNext: hypertask list\n", result.stdout)
    [path] = (tmp_path / "hypertask").glob("*.json")
    body = json.loads(path.read_text())
    assert body == {
        "id": path.stem,
        "description": "buy milk",
        "tags": ["errand"],
        "status": "pending",
        "entry": body["modified"],
        "modified": body["modified"],
    }
    assert re.fullmatch(r"[23456789abcdefghkmnpqrstwxyz]{16}", path.stem)
    shown = CliRunner().invoke(main, ["list"], env=env)
    header, row, next_step = shown.stdout.splitlines()
    assert header.split() == ["No", "ID", "Tags", "Description"]
    assert row.split() == ["1", path.stem[:4], "+errand", "buy", "milk"]
    assert next_step == "1 task. Next: hypertask done NUMBER"


def test_list_modify_done_delete_undo(home: Path) -> None:
    milk = add(home, "buy milk", "+errand", "due:2030-01-02")
    call = add(home, "call Ann", "project:home", "--", "--loudly")
    assert [task["description"] for task in listed(home)] == ["buy milk", "call Ann --loudly"]
    assert [task["id"] for task in listed(home, "-errand")] == [call]
    assert [task["id"] for task in listed(home, "due.before:2030-01-03")] == [milk]
    changed = run(home, "modify", f"{milk[:6]},{call}", "+urgent", "estimate:=3")
    assert changed.stdout.count("Changed ") == 2 and changed.stdout.endswith("hypertask undo\n")
    assert {task["estimate"] for task in listed(home, "+urgent")} == {3}
    assert run(home, "modify", milk, "+urgent").stdout == "Nothing changed: it already is so.\n"
    assert "Done" in run(home, "done", milk).stdout
    assert [task["id"] for task in listed(home)] == [call]
    assert [task["id"] for task in listed(home, "status:completed")] == [milk]
    assert "Deleted" in run(home, "delete", milk, call).stdout
    assert not file(home, milk).exists() and listed(home, "--all") == []
    assert "Took back: hypertask delete" in run(home, "undo").stdout
    assert {task["id"] for task in listed(home, "--all")} == {milk, call}
    run(home, "undo")
    assert {task["id"] for task in listed(home)} == {milk, call}
    run(home, "undo")
    assert listed(home, "+urgent") == []
    run(home, "undo"), run(home, "undo")
    assert listed(home, "--all") == []
    nothing = run(home, "undo", "--json")
    assert (nothing.exit_code, json.loads(nothing.stdout)["error"]["code"]) == (1, "nothing-to-undo")


def test_undo_keeps_what_happened_since(home: Path) -> None:
    milk = add(home, "buy milk")
    run(home, "modify", milk, "+errand")
    body = json.loads(file(home, milk).read_text())
    file(home, milk).write_text(json.dumps({**body, "by": "hand"}))
    run(home, "undo")
    after = json.loads(file(home, milk).read_text())
    assert "tags" not in after and after["by"] == "hand"


def test_show(home: Path) -> None:
    milk = add(home, "buy milk", "steps:=[1]")
    shown = run(home, "show", milk[:5]).stdout
    assert "description  buy milk\n" in shown and "steps        [1]\n" in shown and str(file(home, milk)) in shown
    assert json.loads(run(home, "show", milk, "--json").stdout)["task"]["description"] == "buy milk"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["show", "zz"], 2, 'no task has an id that begins with "zz"'),
        (["add", "+tag"], 2, "a task needs a description"),
        (["add", "x", "due:sometime"], 2, '"sometime" is not a date'),
        (["add", "x", "due:friday", "recur:often"], 2, "is not a period"),
        (["add", "x", "recur:daily"], 2, "due for the first time"),
        (["add"], 2, "a task needs a description"),
        (["list", "--jsn"], 2, "there is no option --jsn"),
        (["modify", "zz", "x"], 2, "no task has an id"),
        (["done"], 2, "which tasks?"),
        (["--profile", "none", "list"], 2, 'no profile "none"'),
    ],
)
def test_what_is_wrong_names_the_fix(home: Path, arguments: list[str], status: int, says: str) -> None:
    result = run(home, *arguments)
    assert (result.exit_code, says in result.stderr) == (status, True), result.output


def test_ids_that_begin_alike(home: Path) -> None:
    for name in ("aa22", "aa23", "b"):
        file(home, name).write_text(json.dumps({"id": name}))
    assert '2 ids begin with "aa": aa22, aa23. Type one' in run(home, "show", "aa").stderr
    assert run(home, "show", "b").exit_code == 0


def test_files_that_are_no_tasks_are_named_and_stop_nothing(home: Path) -> None:
    milk = add(home, "buy milk")
    file(home, "broken").write_text('{"id": "brok')
    file(home, "x (conflicted copy)").write_text("{}")
    result = run(home, "list")
    assert "buy milk" in result.stdout and result.exit_code == 0
    assert "Left alone: broken.json: The text is not JSON" in result.stderr
    assert "Left alone: x (conflicted copy).json: another program made this copy" in result.stderr
    problems = json.loads(run(home, "list", "--json").stdout)["problems"]
    assert [problem["code"] for problem in problems] == ["copy", "not-json"]
    refused = run(home, "done", "broken")
    assert refused.exit_code == 1 and "broken.json is left alone" in refused.stderr
    assert run(home, "done", milk).exit_code == 0
    assert file(home, "broken").read_text() == '{"id": "brok'


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(("description", "due", "tags", "project", "priority", "status")), json_values(4)
        )
    )
)
def test_a_table_has_a_line_for_any_task(found: list[dict[str, Any]]) -> None:
    bodies = [{**body, "id": f"id{n}"} for n, body in enumerate(found)]
    lines = table(in_order(bodies), [body["id"] for body in bodies], datetime(2026, 1, 1, tzinfo=UTC))
    assert len(lines) == len(bodies)
    assert all(line.isprintable() for line in lines)


def test_what_others_wrote_does_nothing_to_the_terminal(home: Path) -> None:
    evil = {
        "id": "evil",
        "description": "a\x1b[2Jb",
        "x\x1b": ["\x07"],
        "tags": ["\x1b]0;t\x07"],
        "notes": "l1\nl2\r",
    }
    file(home, "evil").write_text(json.dumps(evil))
    (home / "tasks" / "A\x1b'b.json").write_text("")
    (home / "tasks" / "Up.json").write_text("")
    assert "mv Up.json up=1.json" in run(home, "list").stderr
    for arguments in (["list"], ["show", "evil"], ["done", "evil"], ["undo"]):
        assert not set("\x1b\x07\r") & set(run(home, *arguments).output), arguments


def test_a_folder_that_is_gone_is_not_made_anew(home: Path) -> None:
    add(home, "buy milk")
    (home / "tasks").rename(home / "elsewhere")
    for arguments in (["list"], ["add", "x"], ["undo"]):
        result = run(home, *arguments)
        assert result.exit_code == 1 and "is not there" in result.stderr, arguments
    assert not (home / "tasks").exists()


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_edit_merges_what_others_change_meanwhile(home: Path) -> None:
    milk = add(home, "buy milk", "project:garden")
    editor = script(
        home / "editor",
        f'#!/bin/sh\nsed -i "s/buy milk/buy cheese/" "$1"\nsed -i "s/garden/shop/" "{file(home, milk)}"\n',
    )
    assert run(home, "edit", milk, EDITOR=str(editor), VISUAL="").exit_code == 0
    after = json.loads(file(home, milk).read_text())
    assert (after["description"], after["project"]) == ("buy cheese", "shop")
    assert not list((home / "tasks" / ".hypertask" / "edit").iterdir())


def test_a_draft_that_is_no_json_is_kept(home: Path) -> None:
    milk = add(home, "buy milk")
    broken = script(home / "broken", '#!/bin/sh\necho "{" > "$1"\n')
    result = run(home, "edit", milk, "--json", EDITOR=str(broken), VISUAL="")
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["code"]) == (2, "invalid-document")
    assert Path(error["draft"]).read_text() == "{\n"
    run(home, "modify", milk, "+since")
    mended = script(home / "mended", f'#!/bin/sh\necho \'{{"id": "{milk}", "description": "tea"}}\' > "$1"\n')
    assert run(home, "edit", milk, EDITOR=str(mended), VISUAL="").exit_code == 0
    after = json.loads(file(home, milk).read_text())
    assert (after["description"], after["tags"]) == ("tea", ["since"])


def test_somebody_who_writes_at_the_same_moment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    milk = add(home, "buy milk")
    apply, deeds = TaskFolder.apply, iter(range(2))

    def interfered(folder: TaskFolder, changes: Any) -> Any:
        for n in deeds:
            body = json.loads(file(home, milk).read_text())
            file(home, milk).write_text(json.dumps({**body, f"by hand {n}": n}))
            break
        return apply(folder, changes)

    monkeypatch.setattr(TaskFolder, "apply", interfered)
    assert run(home, "modify", milk, "+errand").exit_code == 0
    after = json.loads(file(home, milk).read_text())
    assert after["tags"] == ["errand"] and {"by hand 0", "by hand 1"} <= after.keys()
    run(home, "undo")
    assert "tags" not in json.loads(file(home, milk).read_text())


def test_repeating_tasks(home: Path) -> None:
    add(home, "water plants", "due:2026-01-01", "recur:yearly")
    found = listed(home)
    assert found[0]["due"] == "2026-01-01" and len(found) > 1
    assert [task["status"] for task in found] == ["pending"] * len(found)
    run(home, "delete", found[0]["id"])
    assert len(listed(home)) == len(found) - 1
    other = home / "other"
    run(home, "--profile", "other", "init", str(other))
    pattern = next(task for task in listed(home, "status:recurring"))
    (other / f"{pattern['id']}.json").write_text(
        json.dumps({name: value for name, value in pattern.items() if name != "made_until"})
    )
    there = json.loads(run(home, "--profile", "other", "list", "--json").stdout)["tasks"]
    assert there == found


def test_hooks(home: Path) -> None:
    hooks = home / "hooks"
    script(hooks / "on-add-1", "#!/bin/sh\nsed 's/}$/,\"hooked\": true}/'\necho said by the hook\n")
    result = run(home, "add", "buy milk")
    assert "said by the hook" in result.stderr
    [task] = listed(home)
    assert task["hooked"] is True
    script(hooks / "on-modify", '#!/bin/sh\nread old\nread new\necho "$old" > "$HYPERTASK_FOLDER/old"\n'
           'if [ "$new" = null ]; then echo "no deleting"; exit 1; fi\necho "$new"\n')  # fmt: skip
    assert run(home, "modify", task["id"], "+a").exit_code == 0
    assert json.loads((home / "tasks" / "old").read_text()) == task
    refused = run(home, "delete", task["id"], "--json")
    assert json.loads(refused.stdout)["error"] == {
        "code": "refused-by-hook",
        "message": "the hook on-modify refused: no deleting",
    }
    assert listed(home, "+a")
    script(hooks / "on-add-2", '#!/bin/sh\necho \'{"id": "other"}\'\n')
    assert "has to stay" in run(home, "add", "x").stderr
    script(hooks / "on-add-2", "#!/bin/sh\necho '{'\n")
    assert "printed something that is not a task" in run(home, "add", "x").stderr
    script(hooks / "on-add-2", "#!/nowhere\n")
    assert "cannot be run" in run(home, "add", "x").stderr
    (hooks / "on-add-2").chmod(0o644)
    assert "chmod +x" in run(home, "add", "x").stderr
    assert len(listed(home)) == 1


def test_completion(home: Path) -> None:
    milk = add(home, "buy milk", "+errand", "project:home")

    def completed(*words: str) -> str:
        variables = {"COMP_WORDS": " ".join(["hypertask", *words]), "COMP_CWORD": str(len(words))}
        env = {"HYPERTASK_CONFIG": str(home / "config.toml"), "_HYPERTASK_COMPLETE": "bash_complete", **variables}
        return CliRunner().invoke(main, [], prog_name="hypertask", env=env).stdout

    assert f"plain,{milk}" in completed("show", milk[:3])
    assert completed("show", "zz").strip() == ""
    assert "plain,+errand" in completed("list", "+e")
    assert "plain,project:home" in completed("modify", milk, "project:")
    assert "plain,undo" in completed("un")
    (home / "config.toml").write_text("oops")
    assert completed("show", milk[:3]).strip() == ""
    said = run(home, "completion", "zsh").stdout
    assert "--script > ~/.zfunc/_hypertask" in said
    assert "_hypertask" in run(home, "completion", "fish", "--script").stdout
    assert "which shell?" in run(home, "completion", SHELL="/bin/odd").stderr
    assert "To let bash" in run(home, "completion", SHELL="/bin/bash").stdout


def test_a_user_s_editor_of_the_config(home: Path) -> None:
    milk = add(home, "buy milk")
    editor = script(home / "my editor", '#!/bin/sh\nsed -i "s/milk/tea/" "$1"\n')
    run(home, "config", "set", "editor", f"'{editor}'")
    assert run(home, "edit", milk, EDITOR="false", VISUAL="false").exit_code == 0
    assert listed(home, "tea") and os.access(editor, os.X_OK)
