"""The server that takes the writes, selected once for as long as the driver knows no other of the servers."""

from __future__ import annotations

from typing import Any, Final

from pymongo.server_selectors import writable_server_selector

_ONE_TAKES_WRITES: Final = {"ReplicaSetWithPrimary", "Single"}


class Primary:
    """Of one client. For each command the driver looks through what it knows of all servers, and makes lists of them:
    130 lines of Python. What it knows is one object, which another one replaces with each change."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._selected: tuple[Any, Any] | None = None
        """What was known of all servers, and the one that took the writes."""

    def server(self, session: Any, command: str) -> Any:
        """As the driver selects it for a command of this name. `session`: of a transaction that has begun, or None.
        Raises what the driver raises."""
        selected, known = self._selected, self._client.topology_description
        if selected is not None and selected[0] is known:
            return selected[1]
        server = self._client._select_server(writable_server_selector, session, command)
        if known.topology_type_name in _ONE_TAKES_WRITES:  # of several routers each takes its turn
            self._selected = known, server
        return server
