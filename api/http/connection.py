"""Whether whoever sent a request is still there: what waits for its turn is not done for nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from api.errors import MALFORMED_REQUEST, ProblemError

CONNECTION: Final = "hypertask.connection"
"""Where a request's Connection is in its scope."""
WHOLE: Final = "hypertask.whole"
"""What is true in a request's scope once all of its body is there: taking it waits for nothing."""


class Connection:
    """One that carries requests, one after another."""

    def __init__(self) -> None:
        self._is_gone = False
        self._callbacks: list[Callable[[], None]] = []

    @contextmanager
    def telling(self, callback: Callable[[], None]) -> Iterator[None]:
        """`callback` is called if the connection ends within the block."""
        self._callbacks.append(callback)
        try:
            yield
        finally:
            self._callbacks.remove(callback)

    def check(self) -> None:
        """ProblemError if it has ended."""
        if self._is_gone:
            raise ProblemError(MALFORMED_REQUEST, "The connection ended before the turn of its request came.")

    def end(self) -> None:
        self._is_gone = True
        for callback in list(self._callbacks):
            callback()


LASTING: Final = Connection()
"""One that does not end."""


def connection_of(scope: Mapping[str, Any]) -> Connection:
    """Over which the request came, as far as that is known."""
    connection = scope.get(CONNECTION, LASTING)
    assert isinstance(connection, Connection)
    return connection
