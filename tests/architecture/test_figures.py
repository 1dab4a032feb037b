"""A figure that the README quotes is that of the generated table."""

from __future__ import annotations

import ast
import re
from math import prod

from bench.work.__main__ import read
from bench.work.plot import plot
from bench.work.report import markdown, section
from bench.work.said import said
from tests.instance import ROOT

README = (ROOT / "README.md").read_text()
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text()
GROWTH = (ROOT / "docs" / "growth.md").read_text()
PICTURE = (ROOT / "docs" / "benchmarks.svg").read_text()
RECORD = ROOT / "docs" / "benchmarks.json"
"""What `python -m bench.work --json` wrote."""


def test_the_pages_say_what_the_record_says() -> None:
    found = read([RECORD])
    assert section(BENCHMARKS) == markdown(found)
    assert section(README) == said(found["medians"])
    assert plot(found["medians"]) == PICTURE


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
    assert len(rows) == 8
    for number, unit, name, module in rows:
        factor = {"": 1, " KiB": 1024, " MiB": 1024 * 1024}[unit]
        assert constants_of(module)[name] == int(number.replace(",", "")) * factor, name
