"""constraints.txt lists all that is installed, exactly, and nothing about where it comes from."""

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).parents[3]
LINE = re.compile(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.]*)")
PINNED: dict[str, str] = {
    canonicalize_name(match.group(1)): match.group(2)
    for line in (CHECKOUT / "constraints.txt").read_text().splitlines()
    if (match := LINE.fullmatch(line))
}


def test_every_line_is_one_exact_version() -> None:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    wrong = [line for line in lines if not line.startswith("# ") and not LINE.fullmatch(line)]
    assert wrong == []


def installed_for(extras: set[str]) -> dict[str, str]:
    """Every distribution that hypertask with these extras needs on this platform, with its version."""
    found: dict[str, str] = {}
    todo = [("hypertask", frozenset(extras))]
    seen = set(todo)
    while todo:
        name, wanted = todo.pop()
        distribution = metadata.distribution(name)
        found[canonicalize_name(name)] = distribution.version
        for text in distribution.requires or ():
            requirement = Requirement(text)
            environments = [{"extra": extra} for extra in (wanted or {""})]
            if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
                item = (str(canonicalize_name(requirement.name)), frozenset(requirement.extras))
                if item not in seen:
                    seen.add(item)
                    todo.append(item)
    del found["hypertask"]
    return found


@pytest.mark.parametrize("extras", [set(), {"server"}, {"server", "local", "dev"}], ids=lambda x: ",".join(sorted(x)))
def test_what_is_installed_is_what_is_listed(extras: set[str]) -> None:
    installed = installed_for(extras)
    assert sorted(installed.keys() - PINNED.keys()) == []
    if Path(sys.prefix) == CHECKOUT / ".venv":  # made from it; another environment is somebody else's
        assert {name: version for name, version in installed.items() if PINNED[name] != version} == {}


def test_what_builds_the_package_is_listed() -> None:
    for name in ("hatchling", "editables", "pathspec", "pluggy", "packaging", "trove-classifiers"):
        assert name in PINNED
