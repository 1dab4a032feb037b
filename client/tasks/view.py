"""What a filter or an urgency has to know beside the one task: the moment, and what the other tasks are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

from client.tasks import moments
from shared.core.identifiers import Body


def status_of(body: Body) -> str:
    """`waiting`, as earlier versions of Taskwarrior stored it, and none are pending."""
    status = body.get("status")
    return status if isinstance(status, str) and status != "waiting" else "pending"


def is_pending(body: Body, now: datetime) -> bool:
    """What a list shows by itself: what is not done, not put off and no pattern for other tasks."""
    wait = moments.seconds(body.get("wait"), now.tzinfo)
    waits = wait is not None and wait > now.timestamp()
    return body.get("status") not in ("completed", "deleted", "recurring") and not waits


def dependencies(body: Body) -> list[str]:
    """The ids that `depends` names: a list, or a text with commas."""
    value = body.get("depends")
    if isinstance(value, str):
        return [part for part in value.split(",") if part]
    return [part for part in value if isinstance(part, str)] if isinstance(value, list) else []


def tags_of(body: Body) -> list[str]:
    tags = body.get("tags")
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


class View:
    """The moment, and what the other tasks are."""

    def __init__(
        self,
        now: datetime,
        *,
        open_ids: frozenset[str] = frozenset(),
        needed: frozenset[str] = frozenset(),
        numbers: tuple[str, ...] = (),
        tags: frozenset[str] = frozenset(),
        fields: frozenset[str] | None = None,
        statuses: frozenset[str] = frozenset(),
        values: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        depends: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
        ids: frozenset[str] = frozenset(),
        coefficients: Mapping[str, float] | None = None,
    ) -> None:
        """`open_ids`: tasks that are neither completed nor deleted; `needed`: those that an open task depends on;
        `numbers`: the ids that the numbers of the last listing stand for, from 1; `tags`, `fields`, `statuses`: those
        in use; `values`: what a field may be, where the config says so; `depends`: what each task depends on, where
        it depends on any; `coefficients`: of the urgency, None: the usual ones."""
        self.now = now
        self.at = now.timestamp()
        """The same in seconds since 1970: for ten thousand tasks it is asked for as often."""
        self.open_ids = open_ids
        self.needed = needed
        self.numbers = numbers
        self.tags = tags
        self.fields = fields
        self.statuses = statuses
        self.values = values
        self.depends = depends
        self.ids = ids
        self.coefficients = coefficients

    @classmethod
    def of(cls, bodies: Iterable[Body], now: datetime, numbers: Iterable[str] = (), **known: Any) -> Self:
        """The view on all tasks of a folder."""
        open_ids: set[str] = set()
        needed: set[str] = set()
        tags: set[str] = set()
        fields: set[str] = set()
        statuses: set[str] = set()
        ids: set[str] = set()
        depends: dict[str, tuple[str, ...]] = {}
        for body in bodies:
            ids.add(body["id"])
            if "depends" in body:
                depends[body["id"]] = tuple(dependencies(body))
            fields.update(body)
            if isinstance(status := body.get("status"), str):
                statuses.add(status)
            if isinstance(mine := body.get("tags"), list):
                tags.update(tag for tag in mine if isinstance(tag, str))
            if is_open(body):
                open_ids.add(body["id"])
                if "depends" in body:
                    needed.update(dependencies(body))
        return cls(
            now,
            open_ids=frozenset(open_ids),
            needed=frozenset(needed),
            numbers=tuple(numbers),
            tags=frozenset(tags),
            fields=frozenset(fields),
            statuses=frozenset(statuses),
            depends=depends,
            ids=frozenset(ids),
            **known,
        )

    def cycle(self, document: str, depends: Iterable[str]) -> list[str] | None:
        """The way from `document` back to itself if it depended on these; None if there is none."""
        ways = [[document, one] for one in depends]
        seen: set[str] = set()
        while ways:
            way = ways.pop()
            if way[-1] == document:
                return way
            if way[-1] not in seen:
                seen.add(way[-1])
                ways += [[*way, one] for one in self.depends.get(way[-1], ())]
        return None

    def is_waiting(self, body: Body) -> bool:
        if "wait" not in body or status_of(body) != "pending":
            return False
        wait = moments.seconds(body["wait"], self.now.tzinfo)
        return wait is not None and wait > self.at

    def is_blocked(self, body: Body) -> bool:
        return "depends" in body and is_open(body) and any(d in self.open_ids for d in dependencies(body))

    def is_blocking(self, body: Body) -> bool:
        return body["id"] in self.needed and is_open(body)


def is_open(body: Body) -> bool:
    return status_of(body) not in ("completed", "deleted")
