"""What can be said of the web client without a server: what its words mean, and how large it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import node
import pytest

from tests.instance import ROOT
from tests.patience import PATIENCE_SECONDS
from tests.web.browsers import build_app

ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Auckland", "UTC")


@pytest.fixture(scope="module")
def built() -> node.Node:
    """The web client, and Node."""
    return build_app()


def run(tools: node.Node, script: str, **environment: str) -> str:
    command = [*tools.npm, "run", "--silent", script]
    done = subprocess.run(
        command,
        cwd=node.APP,
        env={**tools.environ(), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("zone", [ZONES[0], *(pytest.param(zone, marks=pytest.mark.soak) for zone in ZONES[1:])])
def test_words_mean_what_they_mean_on_the_command_line(
    built: node.Node, zone: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    count = "20000" if request.config.getoption("--soak") else "150"
    seed = str(int.from_bytes(os.urandom(4), "big"))
    command = [sys.executable, "-m", "tests.web.app_vectors", seed, count]
    made = subprocess.run(command, cwd=ROOT, env={**os.environ, "TZ": zone}, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert len(json.loads(made.stdout)["filters"]) == int(count)
    (tmp_path / "vectors.json").write_text(made.stdout)
    run(built, "test", TZ=zone, HYPERTASK_VECTORS=str(tmp_path / "vectors.json"))


def test_the_whole_app_is_small(built: node.Node) -> None:
    assert "whole app: gzip" in run(built, "size")


def test_nothing_comes_from_elsewhere(built: node.Node) -> None:
    """Addresses in what is built are namespaces, and what libraries say about themselves."""
    for path in node.BUILT.rglob("*"):
        if path.suffix in (".html", ".css", ".webmanifest"):
            text = path.read_text().replace("http://www.w3.org/", "")
            assert "http:" not in text and "https:" not in text, path
