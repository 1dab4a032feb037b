"""Draws which packages of the client and of the core import which: `.venv/bin/python ops/import_graph.py`.

A package stands on the floor above the highest one that it imports. Ends with status 1 if packages import each other
in a circle, or if there are more than 12 of them, or 7 floors.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import grimp

ROOTS: Final = ("client", "shared.core")
MAX_PACKAGES: Final = 12
MAX_FLOORS: Final = 7

Imports = Mapping[str, AbstractSet[str]]
"""Package -> the packages that it imports."""


class CircularError(ValueError):
    """These packages import each other."""


def imports_of(root: str) -> Imports:
    """Of the packages, and single modules, that lie in `root`."""
    graph = grimp.build_graph(root.partition(".")[0])
    children = sorted(graph.find_children(root))
    members = {child: {child, *graph.find_descendants(child)} for child in children}
    home = {module: child for child, modules in members.items() for module in modules}
    return {
        child: {
            home[target]
            for module in modules
            for target in graph.find_modules_directly_imported_by(module)
            if home.get(target, child) != child
        }
        for child, modules in members.items()
    }


def floors_of(imports: Imports) -> list[list[str]]:
    """The lowest floor first. Raises CircularError."""
    floors: list[list[str]] = []
    left = dict(imports)
    while left:
        floor = sorted(package for package, targets in left.items() if not targets & left.keys())
        if not floor:
            raise CircularError(", ".join(sorted(left)))
        floors.append(floor)
        for package in floor:
            del left[package]
    return floors


def drawn(root: str, imports: Imports, floors: list[list[str]]) -> str:
    """The highest floor first, with what each package imports."""
    arrows = sum(map(len, imports.values()))
    lines = [f"{root}: {len(imports)} packages, {len(floors)} floors, {arrows} arrows, all downwards"]
    for number in range(len(floors), 0, -1):
        for package in floors[number - 1]:
            targets = ", ".join(sorted(target.removeprefix(f"{root}.") for target in imports[package]))
            lines.append(
                f"  {number}  {package.removeprefix(f'{root}.'):18} {f'-> {targets}' if targets else ''}".rstrip()
            )
    return "\n".join(lines)


def main() -> int:
    status = 0
    for root in ROOTS:
        imports = imports_of(root)
        floors = floors_of(imports)
        print(drawn(root, imports, floors))
        if len(imports) > MAX_PACKAGES or len(floors) > MAX_FLOORS:
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
