"""The config file: text, file, tokens, and the commands on it."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import platformdirs
import pytest
from click.testing import CliRunner, Result

from client.cli import main
from client.config.config_file import (
    ConfigError,
    ConfigFile,
    NoProfileError,
    NoSettingError,
    SettingRefusedError,
    UpstreamConfig,
)
from client.config.tokens import TokenError, Tokens


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    return ConfigFile(tmp_path / "settings" / "config.toml", {"DISK": "/media/disk", "NAME": "home"})


def run(file: ConfigFile, *arguments: str, **variables: str) -> Result:
    env = {"HYPERTASK_CONFIG": str(file.path), "HYPERTASK_PROFILE": None, **variables}
    result = CliRunner().invoke(main, arguments, env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_a_missing_file_is_made_with_comments(file: ConfigFile) -> None:
    assert file.make()
    assert not file.make()
    assert file.text().count("# ") > 5
    profile = file.profile(None)
    assert (profile.name, profile.folder) == ("default", Path.home() / "hypertask")
    assert profile.hooks == file.path.parent / "hooks"
    assert profile.upstreams == ()


@pytest.mark.parametrize("configured", [None, "", "/tmp/xdg", "~/xdg", "relative"])
def test_where_the_platform_keeps_such_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configured: str | None
) -> None:
    """As the library says, which is not always asked: loading it takes longer than a short command does."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    if configured is not None:
        monkeypatch.setenv("XDG_CONFIG_HOME", configured)
    expected = platformdirs.user_config_path("hypertask", appauthor=False) / "config.toml"
    assert ConfigFile.of_environment(os.environ).path == expected.absolute()
    assert ConfigFile.of_environment({"HYPERTASK_CONFIG": str(tmp_path / "x")}).path == tmp_path / "x"


def test_variables_and_tilde(file: ConfigFile) -> None:
    file.make()
    for given, meant in [
        ("$DISK/tasks", Path("/media/disk/tasks")),
        ("${DISK}s/x", Path("/media/disks/x")),
        ("~", Path.home()),
        ("~/a b", Path.home() / "a b"),
        ("beside", file.path.parent / "beside"),
    ]:
        file.set("folder", given, "default")
        assert file.profile(None).folder == meant
        assert file.get("folder", "default") == given
    for wrong, words in [
        ("$MISSING/x", "MISSING is not set"),
        ("~ann/x", "another user"),
        ("", "a path is expected"),
    ]:
        with pytest.raises(SettingRefusedError, match=words):
            file.set("folder", wrong, "default")
        assert file.get("folder", "default") == "beside"


def test_set_keeps_comments_and_order(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text(
        '# mine\n[profiles.default]   # here\nfolder = "a" # why a\n\n# of the other\n[profiles.work]\nfolder = "b"\n'
    )
    file.set("profiles.work.folder", "c", "default")
    file.set("folder", "d", "default")
    assert file.text() == (
        '# mine\n[profiles.default]   # here\nfolder = "d" # why a\n\n# of the other\n[profiles.work]\nfolder = "c"\n'
    )


def test_upstreams_are_called_by_name(file: ConfigFile) -> None:
    file.make()
    file.add_upstream("default", UpstreamConfig("home", "https://tasks.example.org"))
    file.add_upstream("default", UpstreamConfig("stick", "folder:///media/stick"))
    file.add_upstream("default", UpstreamConfig("home", "https://other.example.org", "family"))
    file.set("upstreams.stick.url", "folder://$DISK", "default")
    assert file.profile(None).upstreams == (
        UpstreamConfig("home", "https://other.example.org", "family"),
        UpstreamConfig("stick", "folder:///media/disk"),
    )
    file.unset("upstreams.home", "default")
    assert [upstream.name for upstream in file.profile(None).upstreams] == ["stick"]
    assert file.text().startswith("# Hypertask's settings.")


def test_profiles(file: ConfigFile) -> None:
    file.add_profile("work", Path.home() / "work")
    assert 'folder = "~/work"' in file.text()
    assert file.profile("work").folder == Path.home() / "work"
    assert file.profile(None).name == "default"
    assert ConfigFile(file.path, {"HYPERTASK_PROFILE": "work"}).profile(None).name == "work"
    file.set("default_profile", "work", "default")
    assert file.profile(None).name == "work"
    with pytest.raises(NoProfileError, match="--profile none init FOLDER"):
        file.profile("none")
    with pytest.raises(SettingRefusedError, match="no profile"):
        file.unset("profiles.work", "default")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = ", 1, "not valid TOML"),
        ('x = 1\n[profiles.default\nfolder = "x"', 2, "not valid TOML"),
        ('\n[profiles.default]\nfoldr = "x"\nfolder = "x"', 3, "profiles.default.foldr: .*did you mean folder"),
        ("[profiles.default]", 1, "profiles.default: it has no folder"),
        ('[profiles.default]\nfolder = "x"\neditor = 3', 3, "profiles.default.editor: a text in quotes"),
        ('[profiles.Work]\nfolder = "x"', 1, "is not a name"),
        ('default_profile = "a"\n[profiles.b]\nfolder = "x"', 1, 'no profile "a". Profiles: b'),
        ('[profiles.default]\nfolder = "x"\nupstreams = 3', 3, "written as tables"),
        (
            '[profiles.default]\nfolder = "x"\n[[profiles.default.upstreams]]\nname = "a"\nurl = "ftp://x"',
            5,
            "profiles.default.upstreams.0.url: .*not an address",
        ),
        (
            '[profiles.default]\nfolder = "x"\n[[profiles.default.upstreams]]\nname = "a"\nurl = "https://x"\n'
            '[[profiles.default.upstreams]]\nname = "a"\nurl = "https://y"',
            7,
            'two upstreams "a"',
        ),
        (
            '[profiles.default]\nfolder = "x"\n[[profiles.default.upstreams]]\nname = "a"\nurl = "https://u:p@x"',
            5,
            "leave out user and password",
        ),
        ('[profiles.default]\nfolder = "x"\n[[profiles.default.upstreams]]\nname = "a"', 3, "it has no url"),
        ("profiles = 1", 1, "this is a table"),
    ],
)
def test_what_is_wrong_is_named_by_file_line_and_key(file: ConfigFile, text: str, line: int, words: str) -> None:
    file.path.parent.mkdir()
    file.path.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        file.config()
    assert f"{file.path}, line {line}:" in str(caught.value)
    assert str(caught.value).endswith("Correct it with: hypertask config edit")
    assert "p@x" not in str(caught.value)


def test_everything_that_is_wrong_is_named_at_once(file: ConfigFile) -> None:
    file.path.parent.mkdir()
    file.path.write_text("a = 1\nb = 2\n")
    with pytest.raises(ConfigError) as caught:
        file.config()
    assert [problem.line for problem in caught.value.problems] == [1, 2]


def test_what_is_no_setting(file: ConfigFile) -> None:
    file.make()
    for key in ("editor", "upstreams.home.url", "folder.x", "a b"):
        with pytest.raises(NoSettingError):
            file.get(key, "default")
    with pytest.raises(NoSettingError):
        file.set("folder.x", "y", "default")
    with pytest.raises(SettingRefusedError, match="did you mean folder"):
        file.set("foldr", "y", "default")


def test_a_file_under_version_control_stays_a_link(file: ConfigFile, tmp_path: Path) -> None:
    file.make()
    real = tmp_path / "dotfiles.toml"
    file.path.rename(real)
    real.chmod(0o640)
    file.path.symlink_to(real)
    file.set("editor", "nano", "default")
    assert file.path.is_symlink() and "nano" in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name]


def test_tokens_are_for_the_owner_s_eyes_only(file: ConfigFile) -> None:
    tokens = Tokens(file.path)
    assert tokens.token_for("default", "home") is None
    path = tokens.put("default", "home", " ht_secret\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert tokens.token_for("default", "home") == "ht_secret"
    assert tokens.token_for("work", "home") is None
    path.chmod(0o644)
    with pytest.raises(TokenError, match=f"chmod 600 {path}"):
        tokens.token_for("default", "home")
    tokens.drop("default", "home")
    tokens.drop("default", "home")
    assert tokens.token_for("default", "home") is None
    for wrong in ("", "two words", "tö"):
        with pytest.raises(TokenError, match="copied whole"):
            tokens.put("default", "home", wrong)


def test_the_system_s_keyring_is_asked_where_there_is_one(file: ConfigFile, monkeypatch: pytest.MonkeyPatch) -> None:
    class KeyringError(Exception):
        pass

    asked: list[tuple[str, str]] = []

    def get_password(service: str, name: str) -> str | None:
        asked.append((service, name))
        if name == "default.locked":
            raise KeyringError("locked")
        return "ht_from_keyring" if name == "default.home" else None

    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=get_password))
    monkeypatch.setitem(sys.modules, "keyring.errors", SimpleNamespace(KeyringError=KeyringError))
    tokens = Tokens(file.path)
    assert tokens.token_for("default", "home") == "ht_from_keyring"
    assert tokens.token_for("default", "other") is None
    with pytest.raises(TokenError, match="locked"):
        tokens.token_for("default", "locked")
    tokens.put("default", "home", "ht_file")
    assert tokens.token_for("default", "home") == "ht_file"
    assert asked[0] == ("hypertask", "default.home") and len(asked) == 3


def test_commands(file: ConfigFile, tmp_path: Path) -> None:
    assert run(file, "config", "path").stdout == f"{file.path}\n"
    assert run(file, "config", "init").stdout.startswith(f"Created {file.path}.")
    assert "nothing was changed" in run(file, "config", "init").stdout
    assert run(file, "config", "set", "editor", "nano").exit_code == 0
    assert run(file, "config", "get", "editor").stdout == "nano\n"
    assert json.loads(run(file, "config", "get", "editor", "--json").stdout) == {"key": "editor", "value": "nano"}
    shown = run(file, "config", "show").stdout
    assert "[default]  (in use)" in shown and "editor    nano" in shown
    assert run(file, "config", "unset", "editor").exit_code == 0
    missing = run(file, "config", "get", "editor", "--json")
    assert (missing.exit_code, json.loads(missing.stdout)["error"]["code"]) == (2, "no-such-setting")
    made = run(file, "--profile", "work", "init", str(tmp_path / "w"))
    assert made.exit_code == 0 and (tmp_path / "w").is_dir() and "Next: hypertask add" in made.stdout
    assert json.loads(run(file, "config", "show", "--json", HYPERTASK_PROFILE="work").stdout)["profile"] == "work"
    assert "init FOLDER" in run(file, "--profile", "none", "init").stderr


def test_a_wrong_file_can_be_edited(file: ConfigFile, tmp_path: Path) -> None:
    file.make()
    file.path.write_text("oops")
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\nprintf \'[profiles.default]\\nfolder = "{tmp_path}"\\n\' > "$1"\n')
    editor.chmod(0o755)
    result = run(file, "config", "edit", VISUAL="", EDITOR=str(editor))
    assert result.exit_code == 0, result.output
    assert "is valid" in result.stdout and "not valid TOML" in result.stderr
    editor.write_text("#!/bin/sh\nexit 3\n")
    failed = run(file, "config", "edit", VISUAL="", EDITOR=str(editor))
    assert failed.exit_code == 1 and "status 3" in failed.stderr
    failed = run(file, "config", "edit", VISUAL="", EDITOR=str(tmp_path / "none"))
    assert failed.exit_code == 1 and "config set editor" in failed.stderr


def test_all_settings_are_shown(file: ConfigFile) -> None:
    values = {
        "urgency.due": "10",
        "contexts.work": "project:work or +office",
        "values.priority": "H,M,L",
        "reports.mine.filter": "+READY 'two words'",
        "reports.mine.limit": "5",
    }
    for key, value in values.items():
        assert run(file, "config", "set", key, value).exit_code == 0
    shown = run(file, "config", "show").stdout
    for line in (
        "urgency   due: 10",
        "context   work: project:work or +office",
        "values    priority: H, M, L",
        "report    mine: +READY 'two words'; limit 5",
    ):
        assert line in shown
    profile = json.loads(run(file, "config", "show", "--json").stdout)["profiles"]["default"]
    assert profile["contexts"] == {"work": ["project:work", "or", "+office"]}
    assert (profile["urgency"], profile["values"]["priority"]) == ({"due": 10.0}, ["H", "M", "L"])
    assert profile["reports"]["mine"]["limit"] == 5
