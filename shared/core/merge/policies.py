"""Policies: what a client's schema says about merging. Path pattern -> strategy or strategies.

A pattern is a JSON pointer (RFC 6901, `~0` and `~1` as there). A segment `*` stands for any one key or array
member, a last segment `**` for the path before it and all below; "" is the document itself. Members of arrays
are reached by `*` and `**` only: an index does not say which member it will be tomorrow.

A path has four properties, and each is settled by itself:
    merge strategy  at the path itself; of the patterns that match and name such a strategy the most specific
                    one: segment by segment from the left, a key beats `*`, and `*` beats `**`
    delete-wins     at the path and everywhere below, if any pattern says so; "" or "/**" makes it the default
    exact           at the path and everywhere below, if any pattern says so: nothing is taken for renamed or
                    moved, and a string is one value
    secret          at the path and everywhere below, if any pattern says so; it does not touch the merge
So `{"/**": ["delete-wins", "version"], "/notes": "text"}` merges /notes as text, and removal wins there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from shared.core.json import pointers

MAX_PATTERNS: Final = 1_000
MAX_SEGMENTS: Final = 64


class Strategy(StrEnum):
    """What a pattern may say; `shared.core.merge.objects` tells what each does."""

    LWW = "lww"
    SET = "set"
    LIST = "list"
    TEXT = "text"
    COUNTER = "counter"
    MAX = "max"
    MIN = "min"
    VERSION = "version"
    DELETE_WINS = "delete-wins"
    EXACT = "exact"
    SECRET = "secret"  # noqa: S105 - a word, no password


_INHERITED: Final = frozenset({Strategy.DELETE_WINS, Strategy.EXACT, Strategy.SECRET})


class InvalidPolicies(ValueError):
    """The declaration is no declaration; `pointer` leads to the fault inside it."""

    def __init__(self, pointer: str, detail: str) -> None:
        super().__init__(f"{detail} (at {pointer!r})")
        self.pointer = pointer
        self.detail = detail


class _Node:
    """A segment in the tree of patterns. That of `**` leads to itself."""

    __slots__ = ("keys", "rest", "says", "star")

    def __init__(self) -> None:
        self.keys: dict[str, _Node] = {}
        self.star: _Node | None = None
        self.rest: _Node | None = None
        self.says: frozenset[Strategy] = frozenset()

    def add(self, segments: list[str], says: frozenset[Strategy]) -> None:
        node = self
        for segment in segments:
            if segment == "**":
                node.rest = node.rest or _Node()
                node = node.rest
                node.rest = node
            elif segment == "*":
                node.star = node.star or _Node()
                node = node.star
            else:
                node = node.keys.setdefault(segment, _Node())
        node.says = says

    def here(self) -> list[_Node]:
        """What matches a path that ends here, the most specific first."""
        return [self] if self.rest is None else [self, self.rest]


class Scope:
    """The policies at one path; `child` leads on."""

    __slots__ = ("_children", "_keys", "_nodes", "delete_wins", "exact", "secret", "strategy")

    def __init__(self, nodes: list[_Node], parent: Scope | None) -> None:
        """`nodes`: how far the patterns have come that match so far, the most specific first."""
        self.strategy: Strategy | None = None
        self.delete_wins: bool = parent is not None and parent.delete_wins
        self.exact: bool = parent is not None and parent.exact
        self.secret: bool = parent is not None and parent.secret
        for node in nodes:
            self.delete_wins = self.delete_wins or Strategy.DELETE_WINS in node.says
            self.exact = self.exact or Strategy.EXACT in node.says
            self.secret = self.secret or Strategy.SECRET in node.says
            self.strategy = self.strategy or next(iter(node.says - _INHERITED), None)
        self._nodes = nodes
        self._keys = frozenset[str]().union(*(node.keys for node in nodes))
        self._children: dict[str | None, Scope] = {}

    def child(self, key: str | None) -> Scope:
        """The policies of a key, or, for None, of the members of an array."""
        if key not in self._keys:
            key = None  # all keys that no pattern names have one scope
        scope = self._children.get(key)
        if scope is None:
            scope = self._children[key] = self._enter(key)
        return scope

    def _enter(self, key: str | None) -> Scope:
        nodes: list[_Node] = []
        for node in self._nodes:
            if node.rest is node:
                nodes.append(node)
            else:
                named = node.keys.get(key) if key is not None else None
                nodes.extend(n for branch in (named, node.star) if branch for n in branch.here())
        return self if nodes == self._nodes else Scope(nodes, self)


class Policies:
    """A declaration that holds for a space; made by `parse`, never changed."""

    __slots__ = ("_nothing_said", "_tree", "declared")

    def __init__(self, declared: Mapping[str, tuple[Strategy, ...]]) -> None:
        self.declared = dict(declared)
        self._tree = _Node()
        self._nothing_said = Scope([], None)
        """Holds everywhere if nothing is declared."""
        for pattern, strategies in declared.items():
            self._tree.add(pointers.split(pattern), frozenset(strategies))

    @property
    def have_secrets(self) -> bool:
        """Whether any pattern calls anything secret."""
        return any(Strategy.SECRET in strategies for strategies in self.declared.values())

    def scope(self) -> Scope:
        """The policies at the document itself. It remembers what it is asked for: take one for each merge."""
        return Scope(self._tree.here(), None) if self.declared else self._nothing_said

    def at(self, pointer: str) -> Scope:
        """The policies at a place."""
        scope = self.scope()
        for segment in pointers.split(pointer):
            scope = scope.child(segment)
        return scope

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Policies) and self.declared == other.declared

    def __hash__(self) -> int:
        return hash(frozenset(self.declared.items()))

    def __repr__(self) -> str:
        return f"Policies({ {p: [str(s) for s in ss] for p, ss in self.declared.items()} })"


def parse(declaration: Any) -> Policies:
    """`{pattern: strategy | [strategy, ...]}` as policies.

    At most one strategy of a pattern may be about merging; `delete-wins`, `exact` and `secret` go with any.
    Raises InvalidPolicies.
    """
    if not isinstance(declaration, dict):
        raise InvalidPolicies("", "policies are an object: pattern -> strategy")
    if len(declaration) > MAX_PATTERNS:
        raise InvalidPolicies("", f"more than {MAX_PATTERNS} patterns")
    declared = {}
    for pattern, strategies in declaration.items():
        at = "/" + pointers.escape(pattern)
        _check_pattern(pattern, at)
        declared[pattern] = _strategies(strategies, at)
    return Policies(declared)


def _check_pattern(pattern: str, at: str) -> None:
    try:
        segments = pointers.split(pattern)
    except ValueError as error:
        raise InvalidPolicies(at, str(error)) from None
    if len(segments) > MAX_SEGMENTS:
        raise InvalidPolicies(at, f"more than {MAX_SEGMENTS} segments")
    if "**" in segments[:-1]:
        raise InvalidPolicies(at, "** can only be the last segment")


def _strategies(declared: Any, at: str) -> tuple[Strategy, ...]:
    words = declared if isinstance(declared, list) else [declared]
    if not words:
        raise InvalidPolicies(at, "no strategy")
    strategies: list[Strategy] = []
    for index, word in enumerate(words):
        where = f"{at}/{index}" if isinstance(declared, list) else at
        if not isinstance(word, str) or word not in _WORDS:
            raise InvalidPolicies(where, "unknown strategy; known are " + ", ".join(sorted(_WORDS)))
        strategy = Strategy(word)
        if strategy in strategies:
            raise InvalidPolicies(where, "the same strategy twice")
        if strategy not in _INHERITED and any(s not in _INHERITED for s in strategies):
            raise InvalidPolicies(where, "a second merge strategy for one pattern")
        strategies.append(strategy)
    return tuple(strategies)


_WORDS: Final = frozenset(Strategy)
NO_POLICIES: Final = Policies({})
