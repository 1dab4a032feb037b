"""The service's file, as systemd and launchd read it."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
from pathlib import Path

import pytest

from client.commands.service import ServiceError, run, service_for


def test_a_systemd_unit(tmp_path: Path) -> None:
    service = service_for("work", tmp_path / "my $config %.toml", {"HOME": str(tmp_path)}, "linux")
    assert service.path == tmp_path / ".config" / "systemd" / "user" / "hypertask-work.service"
    assert service.install() and not service.install()
    text = service.path.read_text()
    assert '"--profile" "work" "watch"' in text
    assert "my $$config %%.toml" in text
    if shutil.which("systemd-analyze"):
        found = subprocess.run(
            ["systemd-analyze", "verify", "--user", str(service.path)], capture_output=True, text=True
        )
        assert "Unknown" not in found.stderr and "bad" not in found.stderr.lower(), found.stderr


def test_a_launchd_agent(tmp_path: Path) -> None:
    service = service_for("default", tmp_path / "config.toml", {"HOME": str(tmp_path)}, "darwin")
    assert service.path == tmp_path / "Library" / "LaunchAgents" / "dev.hypertask.default.plist"
    value = plistlib.loads(service.content)
    assert value["ProgramArguments"][-3:] == ["--profile", "default", "watch"]
    assert value["KeepAlive"] == {"SuccessfulExit": False}


def test_elsewhere_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="hypertask watch"):
        service_for("default", tmp_path, {}, "plan9")
    with pytest.raises(ServiceError, match="hypertask daemon start"):
        run([("no-such-program",)])
    with pytest.raises(ServiceError, match="hypertask daemon start"):
        run([("false",)])
