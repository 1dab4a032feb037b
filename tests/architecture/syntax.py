"""What the tests of this folder read in programs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def blocks(tree: ast.AST) -> Iterator[tuple[ast.AST, str, list[ast.AST]]]:
    """Every list of statements: whose it is, which of its fields, and the statements. No expression is gone through:
    that is most of a tree."""
    pending = [tree]
    while pending:
        node = pending.pop()
        for field in _BLOCKS:
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                pending += statements
                yield node, field, statements
