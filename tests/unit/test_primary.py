"""Which server takes the writes is found once, until the driver knows something else of any of them."""

from __future__ import annotations

from typing import Any

import pytest

from shared.adapters.mongodb.primary import Primary


class Known:
    """What a driver knows of all servers."""

    def __init__(self, kind: str) -> None:
        self.topology_type_name = kind


class Client:
    """A driver; each time it selects, it is another server."""

    def __init__(self, kind: str) -> None:
        self.topology_description = Known(kind)
        self.selected = 0

    def _select_server(self, _selector: object, _session: object, _command: str) -> Any:
        self.selected += 1
        return self.selected


@pytest.mark.parametrize("kind", ["ReplicaSetWithPrimary", "Single"])
def test_it_is_found_once_until_something_changes(kind: str) -> None:
    client = Client(kind)
    primary = Primary(client)
    assert [primary.server(None, "find") for _ in range(3)] == [1, 1, 1]
    client.topology_description = Known(kind)
    assert [primary.server(None, "find") for _ in range(3)] == [2, 2, 2]


@pytest.mark.parametrize("kind", ["Sharded", "LoadBalanced", "ReplicaSetNoPrimary", "Unknown"])
def test_of_several_or_none_the_driver_is_asked_each_time(kind: str) -> None:
    primary = Primary(Client(kind))
    assert [primary.server(None, "find") for _ in range(3)] == [1, 2, 3]


def test_what_changes_while_it_is_looked_for_counts() -> None:
    class Changing(Client):
        def _select_server(self, selector: object, session: object, command: str) -> Any:
            self.topology_description = Known("ReplicaSetWithPrimary")
            return super()._select_server(selector, session, command)

    primary = Primary(Changing("ReplicaSetNoPrimary"))
    assert [primary.server(None, "find") for _ in range(3)] == [1, 2, 3]
