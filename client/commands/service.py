"""The daemon as a service of the user's session: a systemd user unit, or a launchd agent on macOS."""

from __future__ import annotations

import os
import plistlib
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.config.config_file import PATH_VARIABLE

LABEL: Final = "dev.hypertask"


class ServiceError(Exception):
    """The system's service manager did not do it; the message says what it said."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service of one profile, as a file and the commands that go with it."""

    path: Path
    content: bytes
    start: tuple[tuple[str, ...], ...]
    stop: tuple[tuple[str, ...], ...]

    @property
    def installed(self) -> bool:
        return self.path.exists()

    def install(self) -> bool:
        """Writes the file; False if it was there just so."""
        if self.installed and self.path.read_bytes() == self.content:
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(self.content)
        return True


def service_for(profile: str, config: Path, variables: Mapping[str, str], platform: str = sys.platform) -> Service:
    """For this platform. Raises ServiceError where there is none that is known."""
    home = Path(variables.get("HOME") or Path.home())
    command = [*_program(), "--profile", profile, "watch"]
    if platform == "darwin":
        return _launchd(profile, config, home, command)
    if platform == "linux":
        folder = Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "systemd" / "user"
        return _systemd(profile, config, folder, command)
    raise ServiceError("services are installed on Linux and macOS; elsewhere start at login: hypertask watch")


def run(commands: Sequence[Sequence[str]]) -> None:
    """Raises ServiceError with the command that can be tried by hand."""
    for command in commands:
        if shutil.which(command[0]) is None:
            raise ServiceError(f"there is no {command[0]} here. Start it yourself: hypertask daemon start")
        done = subprocess.run(list(command), capture_output=True, text=True, check=False)  # noqa: S603  ours
        if done.returncode != 0:
            reason = (done.stderr or done.stdout).strip()
            raise ServiceError(f"{shlex.join(command)} failed: {reason}. Without it: hypertask daemon start")


def _program() -> list[str]:
    """How this program is started, with whole paths: a service has another environment."""
    script = Path(sys.argv[0])
    if script.name == "hypertask" and script.is_absolute() and os.access(script, os.X_OK):
        return [str(script)]
    return [sys.executable, "-m", "client.cli"]


def _systemd(profile: str, config: Path, folder: Path, command: Sequence[str]) -> Service:
    name = f"hypertask-{profile}.service"
    line = " ".join(_quoted(word) for word in command)
    # Ends with the session. What it was about to do, it does the next time.
    text = f"""\
[Unit]
Description=Hypertask: keeps the tasks of the profile {profile} in sync
After=network-online.target

[Service]
ExecStart={line}
Environment={_quoted(f"{PATH_VARIABLE}={config}")}
Restart=on-failure
RestartSec=5
Nice=5

[Install]
WantedBy=default.target
"""
    control = ("systemctl", "--user")
    return Service(
        folder / name,
        text.encode(),
        ((*control, "daemon-reload"), (*control, "enable", "--now", name)),
        ((*control, "disable", "--now", name),),
    )


def _quoted(word: str) -> str:
    """As systemd.service(5) quotes; % begins a specifier, $ a variable."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _launchd(profile: str, config: Path, home: Path, command: Sequence[str]) -> Service:
    label = f"{LABEL}.{profile}"
    path = home / "Library" / "LaunchAgents" / f"{label}.plist"
    content = plistlib.dumps(
        {
            "Label": label,
            "ProgramArguments": list(command),
            "EnvironmentVariables": {PATH_VARIABLE: str(config)},
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": 5,
            "StandardErrorPath": str(home / "Library" / "Logs" / f"{label}.log"),
        }
    )
    domain = f"gui/{os.getuid()}" if hasattr(os, "getuid") else "gui"
    return Service(
        path,
        content,
        (("launchctl", "bootstrap", domain, str(path)),),
        (("launchctl", "bootout", f"{domain}/{label}"),),
    )
