"""The command: what it takes, what it says, and the order of the steps."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Final

import environment

from without_registry import engine, images, looks, project, tls
from without_registry.faults import Row, Streams, faults, happen, table
from without_registry.scratch import Scratch, Step, StepFailedError

_NEEDED_BYTES: Final = 12 * 2**30
_MARK: Final = "of-compose-without-registry"
_STREAMS: Final = 5
_IDLE_SECONDS: Final = 60.0
_STEPS: Final = ("engine", "images", "up", "looks", "faults", "tls")


def options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="ops/compose-without-registry",
        description="Runs docker-compose.yml on a Docker engine of its own, made from Debian's packages, with images "
        "made from debootstrap and PyPI's wheels, where no container registry can be reached. Then kills each of the "
        "containers under load, and prints what it saw as tables. As root, on Debian, with some 6 GB of disk and "
        "a quarter of an hour. It installs nothing: all is in one folder, and --remove takes it away.",
    )
    parser.add_argument("--yes", action="store_true", help="do it; without it this only says what would be done")
    parser.add_argument("--remove", action="store_true", help="end the engine and remove all that is left of it")
    parser.add_argument("--scratch", type=Path, default=Path("/var/tmp/hypertask-engine"), metavar="DIR")
    parser.add_argument("--step", action="append", choices=_STEPS, help="of the steps only these; the order stays")
    parser.add_argument(
        "--fault", action="append", metavar="WORD", help="of the faults only those with this in their name"
    )
    parser.add_argument("--plugins-suite", default="trixie", help="the Debian that compose and buildx are taken from")
    parser.add_argument("--docker", nargs=argparse.REMAINDER, metavar="ARGUMENT", help="run docker on that engine")
    return parser.parse_args(arguments)


def main() -> int | str:
    chosen = options(sys.argv[1:])
    scratch = Scratch(chosen.scratch.absolute())
    steps = [step for step in _STEPS if not chosen.step or step in chosen.step]
    if chosen.docker:
        os.chdir(scratch.clone if scratch.clone.exists() else Path.cwd())
        os.execvpe("docker", ["docker", *chosen.docker], scratch.environ())
    if not chosen.yes:
        what = "remove the engine and all that it left" if chosen.remove else f"do these steps: {', '.join(steps)}"
        print(f"This would {what}, in {scratch.root}. Say --yes to do it, or --help.")
        return 0
    if why := _why_not(scratch, removing=chosen.remove):
        return why
    try:
        if chosen.remove:
            engine.remove(scratch)
        else:
            _prepare(scratch)
            for step in steps:
                _DO[step](scratch, chosen)
            print(f"\nIt runs on. {sys.argv[0]} --yes --remove ends it.", file=sys.stderr)
    except (StepFailedError, environment.EnvironmentNotMadeError) as error:
        return f"{error}\n{sys.argv[0]} --yes goes on from there; --yes --remove takes away what was made."
    return 0


def _why_not(scratch: Scratch, *, removing: bool) -> str | None:
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("apt-get"):
        return "An engine can be made as root, on Debian."
    exists = scratch.root.exists()
    if exists and not (scratch.root / _MARK).exists() and any(scratch.root.iterdir()):
        return f"{scratch.root} holds something else."
    if removing:
        return None if exists else f"There is nothing in {scratch.root}."
    free = shutil.disk_usage(scratch.root.parent).free
    if not exists and free < _NEEDED_BYTES:
        return f"It takes up to {_NEEDED_BYTES // 2**30} GB; {free // 2**30} are free."
    return None


def _prepare(scratch: Scratch) -> None:
    scratch.root.mkdir(parents=True, exist_ok=True)
    (scratch.root / _MARK).touch()


def _engine(scratch: Scratch, chosen: argparse.Namespace) -> None:
    with Step("Unpacking an engine"):
        engine.unpack(scratch, chosen.plugins_suite)
    with Step("Starting it"):
        engine.start(scratch)
    shown = scratch.docker(
        "info", "--format", "{{.ServerVersion}}, {{.Driver}}, cgroup {{.CgroupVersion}}, {{.KernelVersion}}"
    )
    print(f"Engine: {shown}; compose {scratch.docker('compose', 'version', '--short')}", flush=True)


def _images(scratch: Scratch, _: argparse.Namespace) -> None:
    images.build(scratch)
    for image, version in images.versions(scratch).items():
        print(f"{image}: {version}", flush=True)


def _up(scratch: Scratch, _: argparse.Namespace) -> None:
    commit = project.clone(scratch)
    seconds = project.up(scratch)
    print(f"Commit {commit[:7]}: up and healthy in {seconds:.0f} s", flush=True)
    project.pages(scratch)
    project.sync_through_nginx(scratch)
    print("Two folders synced through nginx by the command-line client", flush=True)


def _looks(scratch: Scratch, _: argparse.Namespace) -> None:
    print("\n| image | MB |\n|---|---|")
    for name, size in looks.sizes(scratch).items():
        print(f"| {name} | {size / 1e6:.0f} |")
    for what, wrong in (("Rights and limits", looks.rights(scratch)), ("Passwords", looks.shown_secrets(scratch))):
        print("\n".join(["", f"{what}: {len(wrong)} things are wrong", *(f"- {one}" for one in wrong)]), flush=True)
    with Step(f"Looking at idle containers for {_IDLE_SECONDS:.0f} s"):
        idle = looks.use(scratch, _IDLE_SECONDS)
    print("\n| idle container | cores | MB |\n|---|---|---|")
    for name, use in idle.items():
        print(f"| {name} | {use.cpu:.3f} | {use.memory / 1e6:.0f} |")
    print("\n| log of | lines of JSON | others |\n|---|---|---|")
    for name, text in looks.logs(scratch).items():
        objects, others = looks.counted(text)
        print(f"| {name} | {objects} | {others.total()} |")
        for line, count in others.most_common(5):
            print(f"    {count} x {line[:200]}", file=sys.stderr)
    sys.stdout.flush()


def _faults(scratch: Scratch, chosen: argparse.Namespace) -> None:
    rows: list[Row] = []
    with Streams(scratch, _STREAMS) as streams:
        for what, commands in faults(scratch):
            if chosen.fault and not any(word in what for word in chosen.fault):
                continue
            opened, refused = streams.opened, streams.refused
            with Step(what):
                rows.append(happen(scratch, what, commands))
            of_streams = f"{streams.opened - opened} event streams opened again, {streams.refused - refused} refused"
            print(f"    {of_streams}; {rows[-1]}", file=sys.stderr, flush=True)
    print("\n" + table(rows), flush=True)
    missing = [line for row in rows for line in row.missing]
    if missing:
        raise StepFailedError("\n".join(["Missing:", *missing]))


def _tls(scratch: Scratch, _: argparse.Namespace) -> None:
    tls.show(scratch)
    print(
        "\nTLS: two folders synced through nginx with a certificate that is mounted; another one after a reload",
        flush=True,
    )


_DO: Final = {"engine": _engine, "images": _images, "up": _up, "looks": _looks, "faults": _faults, "tls": _tls}
