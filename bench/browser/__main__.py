"""The web client beside RxDB and PouchDB in one browser:

    PYTHONPATH=ops python -m bench.browser [--documents N] [--repeats N]

    first sync      an empty profile: until the documents are in IndexedDB, read from there, and a list is drawn
    list again      the browser restarted: until the list is drawn from IndexedDB alone
    a key           in the search of the web client, from the event until what it changed is drawn
    sizes           of the library's core and of the whole web client, compressed

Each library in a bare page that draws the first fifty, on its own server; the web client as it is, from the
navigation on.
Real processes and a real chromium on this machine, loopback only; profiles are on the disk; ends by itself.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import node
from playwright.sync_api import sync_playwright

from bench.browser.pages import app, bundled, library
from bench.browser.sides import all_sides
from bench.documents import document, names

APP = "the web client"
SIZES = {
    "core": (node.SDK, r"^core: .* gzip (\d+)", 15_000),
    "web client": (node.APP, r"^whole app: gzip (\d+)", 150_000),
}


def sizes() -> dict[str, tuple[int, int]]:
    """Bytes with gzip, and how many there may be."""
    tools = node.ensure()
    node.build_app()
    found = {}
    for what, (project, pattern, limit) in SIZES.items():
        command = [*tools.npm, "run", "--silent", "size"]
        done = subprocess.run(command, cwd=project, env=tools.environ(), capture_output=True, text=True, check=True)
        match = re.search(pattern, done.stdout, re.MULTILINE)
        if match is None:
            sys.exit(f"No size of the {what}: {done.stdout}")
        found[what] = int(match[1]), limit
    return found


def row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def middle(values: list[float]) -> str:
    """Median, and the range in brackets."""
    return f"{statistics.median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    packed = sizes()
    documents = [document(identity) for identity in names(options.documents)]
    found: dict[str, dict[str, list[float]]] = {}
    keys: list[float] = []
    means: dict[str, str] = {}

    def note(name: str, values: dict[str, float]) -> None:
        for what, value in values.items():
            found.setdefault(name, {}).setdefault(what, []).append(value)
        print(name, {what: round(value) for what, value in values.items()}, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as place, all_sides(Path(place), documents) as (sides, person):
        scripts = {side.name: bundled(Path(place), side) for side in sides}
        with sync_playwright() as playwright:
            for _ in range(options.repeats):
                for side in sides:
                    means[side.name] = side.means
                    note(side.name, library(playwright, Path(place) / "profile", side, scripts[side.name]))
                values, typed = app(playwright, Path(place) / "profile", person, options.documents)
                note(APP, values)
                keys += typed
                print("keys", *(round(key) for key in typed), file=sys.stderr, flush=True)

    print(row(f"{options.documents:,} documents, ms", "first sync", "list again"))
    print(row("---", "---", "---"))
    for name, its in found.items():
        print(row(name, middle(its["first"]), middle(its["again"])))
    print()
    print(row("of the web client", "ms"))
    print(row("---", "---"))
    print(row("opened, in a browser that was just started", middle(found[APP]["cold"])))
    ordered = sorted(keys)
    print(row(f"a key in the search, median of {len(keys)}", f"{statistics.median(keys):.0f}"))
    print(row("a key in the search, 95th of 100", f"{ordered[int(len(ordered) * 0.95)]:.0f}"))
    print()
    print(row("gzip", "bytes", "at most"))
    print(row("---", "---", "---"))
    for what, (size, limit) in packed.items():
        print(row(what, f"{size:,}", f"{limit:,}"))
    print()
    for name, text in means.items():
        print(f"- **{name}**: {text}.")


if __name__ == "__main__":
    main()
