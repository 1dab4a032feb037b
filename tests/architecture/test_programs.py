"""What the syntax of the programs shows. Each is taken apart once, for all tests of this file."""

from __future__ import annotations

import ast
import builtins
import collections.abc
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.architecture.syntax import blocks
from tests.instance import ROOT

PRODUCT = ("api", "worker", "shared", "client")
PACKAGES = (*PRODUCT, "ops", "bench", "tests")
FUNCTION_LINES = 60

LONGER_FUNCTIONS = {
    "tests/isolation/people.py:_staged": "a table: what each of the people has, one after the other",
}
"""Why these may be longer."""


@dataclass(frozen=True)
class Program:
    """A module. `lengths`: of its functions, in lines. `types`: classes and names of types, at its top."""

    package: str
    lengths: list[tuple[str, int]]
    lone_strings: list[int]
    types: list[str]


@cache
def programs() -> dict[str, Program]:
    """By path."""
    return {
        str(path.relative_to(ROOT)): taken_apart(package, ast.parse(path.read_text()))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }


def taken_apart(package: str, tree: ast.Module) -> Program:
    return Program(package, list(lengths(tree)), lone_strings(tree), list(public_types(tree)))


def lengths(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node, field, _ in blocks(tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and field == "body"
            and node.end_lineno is not None
        ):
            yield node.name, node.end_lineno - node.lineno + 1


def public_types(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        names = [target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)]
        if isinstance(node, ast.ClassDef):
            names = [node.name]
        yield from (name for name in names if re.match("[A-Z]+[a-z]", name))


def lone_strings(tree: ast.AST) -> list[int]:
    """Lines of strings that stand alone and explain nothing: neither the module, class or function that they begin
    nor the name that is given a value right before them."""
    lines: list[int] = []
    for _, field, statements in blocks(tree):
        for before, statement in zip([None, *statements], statements, strict=False):
            match statement:
                case ast.Expr(value=ast.Constant(value=str())):
                    begins = before is None and field == "body"
                    names = isinstance(before, ast.Assign | ast.AnnAssign | ast.AugAssign)
                    if not begins and not (names and before.end_lineno == statement.lineno - 1):
                        lines.append(statement.lineno)
    return lines


def test_functions_are_short() -> None:
    long = {
        f"{path}:{name}"
        for path, program in programs().items()
        for name, lines in program.lengths
        if lines > FUNCTION_LINES
    }
    assert long == LONGER_FUNCTIONS.keys()


def test_no_public_type_has_the_name_of_another() -> None:
    types: defaultdict[str, list[str]] = defaultdict(list)
    for path, program in programs().items():
        if program.package in PRODUCT:
            for name in program.types:
                types[name].append(path)
    assert len(types) > 300
    assert {name: modules for name, modules in types.items() if len(modules) > 1} == {}
    theirs = {*dir(collections.abc), *dir(builtins)}
    assert {name: types[name] for name in theirs & types.keys()} == {}


def test_an_explanation_stands_behind_what_it_explains() -> None:
    """What was explained may have moved to another module, and the explanation stayed."""
    assert lone_strings(ast.parse('"""A module."""\nA = 1\n"""A name."""\nimport b\n"""Nothing."""\n')) == [5]
    nested = "try:\n  a()\nexcept E:\n  b()\n  'Nothing.'\nfinally:\n  match c:\n    case _:\n      d\n      'No.'\n"
    assert sorted(lone_strings(ast.parse(nested))) == [5, 10]
    assert {path: program.lone_strings for path, program in programs().items() if program.lone_strings} == {}
