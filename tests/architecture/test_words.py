"""One word, one meaning: public names stand for one thing, and the glossary says what."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

from tests.instance import ROOT

PACKAGES = ("api", "worker", "shared", "client")


def public_classes() -> dict[str, list[str]]:
    """Name -> modules that define it at their top."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    found[node.name].append(str(path.relative_to(ROOT)))
    return found


def test_no_public_class_has_the_name_of_another() -> None:
    assert {name: modules for name, modules in public_classes().items() if len(modules) > 1} == {}


def test_each_word_of_the_glossary_is_explained_once() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    words = [word.strip() for row in rows for word in row.split("/")]
    assert len(words) == len(set(words)) > 20


def test_no_private_word_is_left() -> None:
    """Words that would have to be explained, and the term of the field that stands in their place."""
    private = {
        r"\broads?\b": "path",
        r"\bmanners of\b": "interface",
        r"\btoo dear\b": "too expensive",
        r"\bat one stroke\b": "atomically",
        r"\bbuilt anew\b": "rebuilt",
        r"\bbrought up\b(?! to date)": "brought up to date",
        r"\bwhat fell\b": "what was dropped",
        r"\bthe brake\b": "the deletion guard",
        r"\bhash map is none\b": "the response is not a valid hash map",
    }
    pages: list[Path] = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    pages += [path for package in (*PACKAGES, "ops") for path in (ROOT / package).rglob("*.py")]
    for page in pages:
        text = page.read_text()
        for word, term in private.items():
            found = re.search(word, text)
            assert found is None, f"{page.relative_to(ROOT)}: {found[0]!r} is {term!r}"


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
