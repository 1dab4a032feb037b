"""One word, one meaning: public names stand for one thing, and the glossary says what."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

from tests.instance import ROOT

PACKAGES = ("api", "worker", "shared", "client")


def test_each_word_of_the_glossary_is_explained_once() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [word.strip() for row in rows for word in row.split("/")]
    assert len(words) == len(set(words)) > 20


def test_no_private_word_is_left() -> None:
    """Words that would have to be explained, and the term of the field that stands in their place."""
    private = {
        r"\b(?:fast|exact|the|this|that) roads?\b": "path",
        r"\bmanners of\b": "interface",
        r"\btoo dear\b": "too expensive",
        r"\bat one stroke\b": "atomically",
        r"\bbuilt anew\b": "rebuilt",
        r"\bbrought up\b(?! to date)": "brought up to date",
        r"\bwhat fell\b": "what was dropped",
        r"\bthe brake\b": "the deletion guard",
        r"\bhash map is none\b": "the response is not a valid hash map",
        r"\bbrake on\b": "the deletion guard",
        r"\bA fault of (?:the server's|ours)\b": "internal server error",
        r"\bin step\b(?! \d)": "in sync",
        r"\bToo much waits\b": "queue full, overloaded",
        r"\bthe story of\b|\b(?:its|their) story\b|\bstories\b": "the history of",
        r"\b(?:leash|last_words|most_bytes)\b": "die_with_parent, log_tail, max_bytes",
        r"\bhere = state\(": "app = state(",
    }
    any_of_them = re.compile("|".join(private))
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pages = [ROOT / name for name in tracked.split() if re.search(r"\.(?:md|py|tsx?|yaml|lua)$", name)]
    for page in pages:
        if "decisions" in page.parts or page == Path(__file__) or not page.is_file():
            continue  # a decision speaks the words of its time
        text = page.read_text()
        if any_of_them.search(text) is None:
            continue
        for word, term in private.items():
            match = re.search(word, text)
            assert match is None, f"{page.relative_to(ROOT)}: {match[0]!r} is {term!r}"


def names_given(tree: ast.AST) -> set[str]:
    """To functions, parameters, local names and attributes of objects."""
    given: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.arg(arg=name):
                given.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                given.add(name)
    return given


def test_no_name_says_only_that_something_was_found_or_told() -> None:
    """Such a name fits any value; the value has a noun of its own."""
    paths = [path for package in (*PACKAGES, "ops") for path in (ROOT / package).rglob("*.py")]
    assert len(paths) > 300
    empty = {"found", "told", "said", "heard", "look"}
    in_text = re.compile(rf"(?<![^\W_])(?:{'|'.join(empty)})(?![^\W_])")
    for path in paths:
        text = path.read_text()
        if in_text.search(text):  # most files need not be taken apart
            names = {name.strip("_") for name in names_given(ast.parse(text))}
            assert names.isdisjoint(empty), path.relative_to(ROOT)


def test_decision_records_have_numbers_of_their_own_and_the_gaps_are_named() -> None:
    decisions = ROOT / "docs" / "decisions"
    pages = sorted(decisions.glob("[0-9]*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert len(numbers) == len(set(numbers))
    missing = re.search(r"^Missing numbers: ([\d, ]+)\.", (decisions / "README.md").read_text(), re.MULTILINE)
    assert missing is not None
    assert sorted(set(range(1, max(numbers))) - set(numbers)) == [int(one) for one in missing[1].split(",")]
    for page, number in zip(pages, numbers, strict=True):
        assert page.read_text().startswith(f"# {number}. "), page.name


def test_decision_records_have_the_four_parts() -> None:
    for page in (ROOT / "docs" / "decisions").glob("[0-9]*.md"):
        headings = re.findall(r"^## (.+)$", page.read_text(), re.MULTILINE)
        assert headings == ["Context", "Decision", "Consequences", "Alternatives"], page.name


def test_files_that_pages_name_are_there() -> None:
    """Paths from the top of the repository."""
    tops = "|".join((*PACKAGES, "bench", "docs", "ops", "tests", "web"))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        named = re.findall(rf"(?<![\w./-])(?:{tops})/[\w./-]*\w", page.read_text())
        assert [name for name in named if not (ROOT / name).exists()] == [], page.relative_to(ROOT)
