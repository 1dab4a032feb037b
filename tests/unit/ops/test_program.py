import dataclasses
import tomllib
from pathlib import Path

import program
import pytest
from data_directory import CannotStartError
from packaging.requirements import Requirement

from tests.instance import ROOT


@pytest.fixture
def said() -> list[str]:
    return []


def put(folder: Path, name: str, script: str, *, interpreter: str = "/bin/sh") -> Path:
    path = folder / name
    path.write_text(f"#!{interpreter}\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "prints", "version"),
    [
        (program.MONGOD, "db version v7.0.14", "7.0.14"),
        (program.REDIS, "Redis server v=7.4.1 sha=0", "7.4.1"),
    ],
)
def test_the_one_on_path_is_preferred(
    wanted: program.Wanted, prints: str, version: str, on_path: Path, said: list[str]
) -> None:
    path = put(on_path, wanted.name, f"echo '{prints}'")
    assert program.find(wanted, said.append) == program.Program(path, version, from_wheel=False)
    assert said == []


@pytest.mark.parametrize("wanted", [program.MONGOD, program.REDIS])
def test_the_wheels_is_there_when_none_is_on_path(wanted: program.Wanted, on_path: Path, said: list[str]) -> None:
    found = program.find(wanted, said.append)
    assert found.from_wheel
    assert found.path.name == wanted.name


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'db version v5.0.31'", "it is version 5.0.31, and 6.0 is needed"),
        ("echo 'mongod: error while loading shared libraries: libx.so' >&2; exit 127", "libx.so"),
        ("kill -ILL $$", "it died with signal 4"),
        ("echo hello", "hello"),
        ("exit 3", "it ended with status 3"),
    ],
)
def test_one_on_path_that_does_not_fit_is_said_and_passed_over(
    script: str, reason: str, on_path: Path, said: list[str]
) -> None:
    path = put(on_path, "mongod", script)
    assert program.find(program.MONGOD, said.append).from_wheel
    assert said[0].startswith(f"Not using {path}: ")
    assert reason in said[0]


@pytest.mark.parametrize(
    ("platform", "machine", "needed"),
    [
        ("linux", "x86_64", {"mongod", "redis-server"}),
        ("linux", "aarch64", {"redis-server"}),
        ("darwin", "arm64", {"mongod"}),
    ],
)
def test_the_wheels_that_are_looked_into_are_those_that_are_installed(
    platform: str, machine: str, needed: set[str]
) -> None:
    local = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["local"]
    here = {"sys_platform": platform, "platform_machine": machine}
    installed = {one.name for one in map(Requirement, local) if one.marker is None or one.marker.evaluate(here)}
    wanted = {"mongod": program.mongod(platform).wheel, "redis-server": program.REDIS.wheel}
    assert {name for name, wheel in wanted.items() if wheel in installed} == needed
    assert installed <= set(wanted.values())


def test_without_any_it_is_said_what_to_install(on_path: Path, said: list[str]) -> None:
    nowhere = dataclasses.replace(program.MONGOD, wheel="no-such-distribution")
    with pytest.raises(CannotStartError) as error:
        program.find(nowhere, said.append)
    assert "does not exist for this platform" in str(error.value)
    assert "install MongoDB 6.0 or newer" in str(error.value)
    assert "docker compose up" in str(error.value)


def test_a_wheel_that_does_not_run_here_says_what_it_needs(
    on_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = put(on_path, "in-wheel", "exit 0", interpreter="/no/such/loader")
    monkeypatch.setattr(program, "_in_wheel", lambda wanted: broken)
    with pytest.raises(CannotStartError, match=r"does not run here \(No such file.*libssl3"):
        program.find(program.MONGOD, said.append)
