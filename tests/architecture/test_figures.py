"""A figure that the README quotes is that of the generated table."""

from __future__ import annotations

import ast
import re
from math import prod

import pytest

from bench.work.__main__ import read
from bench.work.plot import plot
from bench.work.report import BEGIN, markdown, section
from bench.work.said import said
from tests.instance import ROOT

README = (ROOT / "README.md").read_text()
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text()
GROWTH = (ROOT / "docs" / "growth.md").read_text()
PICTURE = (ROOT / "docs" / "benchmarks.svg").read_text()
RECORD = ROOT / "docs" / "benchmarks.json"
"""What `python -m bench.work --json` wrote."""

BETTER = "Hypertask is so many times better"
QUOTED = {
    r"first push goes at ([\d,]+) documents a second": ("W1: first push", "Hypertask", "batched, documents/s"),
    r"(\d+) times Kinto in memory, a fifth": ("W1: first push", "Kinto, memory", BETTER),
    r"single write takes ([\d.]+) ms": ("W1, W6: single writes", "Hypertask", "at 1 connection, p50 ms"),
    r"32 connections do ([\d,]+) a second": (
        "W1, W6: single writes",
        "Hypertask",
        "one by one over 32 connections, writes/s",
    ),
    r"([\d.]+) times an API that only inserts": ("W1, W6: single writes", "Starlette + motor", BETTER),
    r"(\d+)\s+times pouchdb-server, 18": ("W1, W6: single writes", "pouchdb-server", BETTER),
    r"(\d+) times Kinto on PostgreSQL": ("W1, W6: single writes", "Kinto, PostgreSQL", BETTER),
    r"finds nothing is one request, (\d+) bytes": ("W3:", "Hypertask", "bytes"),
    r"finds nothing is one request, \d+ bytes, ([\d.]+) ms": ("W3:", "Hypertask", "p50 ms"),
    r"three requests, (\d+) kB": ("W4:", "Hypertask", "bytes"),
    r"three requests, \d+ kB, (\d+) ms": ("W4:", "Hypertask", "ms"),
    r"the others send (\d+) to": ("W4:", "PouchDB client", "bytes"),
    r"the others send \d+ to (\d+) kB": ("W4:", "Kinto, memory", "bytes"),
    r"Of ([\d,]+) edits of the same documents": ("W5:", "Hypertask", "edits"),
    r"in the file of a second device (\d+) ms after": ("W7:", "Hypertask daemon", "p50 ms"),
}
"""What the README says, and where the table has it: heading, row, column."""


def test_the_pages_say_what_the_record_says() -> None:
    if not RECORD.exists():
        assert BEGIN not in BENCHMARKS and BEGIN not in README
        return
    found = read([RECORD])
    assert section(BENCHMARKS) == markdown(found)
    assert section(README) == said(found["medians"])
    assert plot(found["medians"]) == PICTURE


def cell(heading: str, row: str, column: str) -> float:
    section = BENCHMARKS[BENCHMARKS.index(f"### {heading}") :]
    head = next(line for line in section.splitlines() if line.startswith("| |"))
    line = next(line for line in section.splitlines() if line.startswith(f"| {row} |"))
    return float(line.split("|")[[title.strip() for title in head.split("|")].index(column)].replace(",", ""))


@pytest.mark.parametrize("said", QUOTED)
def test_the_readme_quotes_the_benchmarks(said: str) -> None:
    quoted = re.search(said, README)
    assert quoted is not None, said
    text, measured = quoted[1].replace(",", ""), cell(*QUOTED[said])
    if quoted[0].endswith(" kB") or said.endswith("to"):
        measured /= 1000
    exact = 0.05 if "." in text else 0.5
    assert abs(float(text) - measured) <= max(exact, 0.03 * measured), f"{quoted[0]}: measured {measured}"


def test_the_readme_quotes_the_growth() -> None:
    (streams,) = re.findall(r"holds 10,000 event streams with (\d+) MiB", README)
    assert re.search(rf"\b{streams} MiB", GROWTH)


def constants_of(module: str) -> dict[str, int]:
    """The numbers that a module names at its top, written as products or not."""
    assigned = [node for node in ast.parse((ROOT / module).read_text()).body if isinstance(node, ast.AnnAssign)]
    known: dict[str, int] = {}
    for node in assigned:
        text = "" if node.value is None else ast.unparse(node.value)
        if isinstance(node.target, ast.Name) and re.fullmatch(r"[\d_]+( \* [\d_]+)*", text):
            known[node.target.id] = prod(map(int, text.split(" * ")))
    return known


def test_the_table_of_what_is_large_has_the_numbers_of_the_code() -> None:
    _, _, part = (ROOT / "docs" / "architecture.md").read_text().partition("### What is large")
    rows = re.findall(r"\| ([\d,]+)( KiB| MiB)? \|.*\| `(\w+)` in `([\w/.]+)` \|", part)
    assert len(rows) == 7
    for number, unit, name, module in rows:
        factor = {"": 1, " KiB": 1024, " MiB": 1024 * 1024}[unit]
        assert constants_of(module)[name] == int(number.replace(",", "")) * factor, name
