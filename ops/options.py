"""What ops/serve can be told. Standard library only: it is read before anything is installed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Options:
    host: str
    port: int
    data: Path
    api: int
    workers: int
    json: bool
    web_client: bool


def parse(arguments: Sequence[str]) -> Options:
    """Ends the program with a message when an argument does not fit."""
    parser = argparse.ArgumentParser(
        prog="ops/serve",
        description="Runs Hypertask on this machine: MongoDB, Redis, API and worker processes, kept alive "
        "until Ctrl-C. Installs what it needs into .venv first.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address that the API listens on")
    parser.add_argument("--port", default=8480, type=_port, help="its port; 0 takes any free one")
    parser.add_argument(
        "--data",
        default=CHECKOUT / ".hypertask",
        type=lambda text: Path(text).absolute(),
        metavar="DIR",
        help="folder for data, secrets and logs; one server at a time",
    )
    parser.add_argument("--api", default=1, type=_count, metavar="N", help="API processes")
    parser.add_argument("--workers", default=1, type=_count, metavar="M", help="worker processes")
    parser.add_argument(
        "--json",
        action="store_true",
        help='when ready, print one line {"url", "token", "space"} on stdout and nothing else there',
    )
    parser.add_argument(
        "--no-web-client",
        dest="web_client",
        action="store_false",
        help="do not build the web client; one that is built is served all the same",
    )
    return Options(**vars(parser.parse_args(arguments)))


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to 65535")


def _count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 64:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of processes: 1 to 64")
