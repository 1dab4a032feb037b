"""ops/rolling-restart, with a docker that only says what it was asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.instance import ROOT

DOCKER = r"""#!/usr/bin/env bash
# One container more for each "up"; nginx knows of a new one when it was asked three times.
cd "$(dirname "$0")"
echo "$*" >> asked
case "$*" in
    "compose ps --quiet nginx") cat nginx ;;
    "compose ps --quiet "*) cat running ;;
    "compose up "*) echo "new-$(wc -l < running | tr -d ' ')-$RANDOM$RANDOM" >> running; echo 0 > times ;;
    "compose exec "*)
        echo $(($(cat times) + 1)) > times
        [ "$(cat times)" -lt 3 ] && last=10.0.0.9 || last=10.0.0.2
        echo "  X-Upstream: $last:8480" >&2 ;;
    "inspect "*) echo "10.1.0.2 10.0.0.2 " ;;
    "rm "*) grep -v "^$2\$" running > left; mv left running ;;
esac
"""


def restarted(folder: Path, *services: str, nginx: str = "n") -> tuple[list[str], list[str]]:
    """What docker was asked, and which containers run then."""
    program = folder / "docker"
    program.write_text(DOCKER)
    program.chmod(0o700)
    (folder / "running").write_text("old-1\nold-2\n")
    (folder / "nginx").write_text(nginx)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run([ROOT / "ops/rolling-restart", *services], env=environment, check=True, capture_output=True)
    return (folder / "asked").read_text().splitlines(), (folder / "running").read_text().split()


def test_an_old_container_goes_when_nginx_passes_requests_to_the_new_one(tmp_path: Path) -> None:
    asked, running = restarted(tmp_path, "api")
    acts = [line.split()[1] if line.startswith("compose") else line for line in asked]
    steps = [act for act in acts if act in ("up", "exec") or act.startswith("stop")]
    assert steps == ["up", "exec", "exec", "exec", "stop old-1", "up", "exec", "exec", "exec", "stop old-2"]
    assert len(running) == 2 and all(name.startswith("new-") for name in running)


def test_nobody_is_asked_about_workers_or_without_an_nginx(tmp_path: Path) -> None:
    for name, service, nginx in (("a", "worker", "n"), ("b", "api", "")):
        folder = tmp_path / name
        folder.mkdir()
        asked, running = restarted(folder, service, nginx=nginx)
        assert not any(" exec " in line for line in asked)
        assert len(running) == 2 and all(one.startswith("new-") for one in running)
