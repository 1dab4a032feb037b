"""Running transactions on MongoDB."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final, Generic, NamedTuple, TypeVar

from pymongo.client_session import ClientSession
from pymongo.errors import (
    ConnectionFailure,
    PyMongoError,
)

from shared import metrics
from shared.adapters.mongodb.atomic import BACKOFF
from shared.adapters.mongodb.begun import BegunSession, Sessions
from shared.adapters.mongodb.client import Mongo, errors_mapped
from shared.adapters.mongodb.commands import Commands
from shared.adapters.mongodb.faults import UNKNOWN_COMMIT, is_ended
from shared.adapters.mongodb.known_heads import HeadsChangedError, KnownHeads, KnownInSpace
from shared.adapters.mongodb.space_row import PoliciesChangedError, PoliciesOf
from shared.adapters.mongodb.transaction import MongoTransaction
from shared.core.documents import (
    Position,
    SpaceId,
)
from shared.ports import Fence, Transaction

T = TypeVar("T")

logger = logging.getLogger(__name__)

_AT_ONCE: Final = 64
"""Transactions, each of another space. More wait for their turn."""
_SPACES_REMEMBERED: Final = 10_000
_CAREFUL: Final = 16
"""Transactions: a push that is repeated begins each of its batches again at most so often."""


class _Asked(NamedTuple, Generic[T]):
    """See `DocumentStore.transact`."""

    space: SpaceId
    work: Callable[[Transaction], T]
    fence: Fence | None
    max_bytes: int | None
    meanwhile: Callable[[T], None] | None


class Transactions:
    """Runs them, and again what met another one. See `DocumentStore.transact`."""

    def __init__(self, mongo: Mongo, *, give_up_after_seconds: float) -> None:
        self._mongo = mongo
        self._database = mongo.database.name
        self._give_up_after = give_up_after_seconds
        self._sessions = Sessions(mongo.client.delegate)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="transaction")
        self._policies: PoliciesOf = {}
        self._known_positions: dict[SpaceId, Position] = {}
        """How far the spaces were when this process last wrote to them. It may be less, never more."""
        self._known = KnownHeads()
        self._careful = Cautions()
        """Spaces where nothing is taken for new, because something was not."""
        self._shared = Cautions()
        """Spaces where others write, too: how this process left one says little about it when the lease was away."""

    async def run(
        self,
        space: SpaceId,
        work: Callable[[Transaction], T],
        fence: Fence | None = None,
        max_bytes: int | None = None,
        meanwhile: Callable[[T], None] | None = None,
    ) -> T:
        # In one thread from its beginning to its end, on the client that Motor wraps. Motor hands each call to a
        # thread and waits for it, and a transaction makes half a dozen, one after another.
        asked = _Asked(space, work, fence, max_bytes, meanwhile)
        return await self._started(partial(self._transact, asked))

    def _started(self, transact: Callable[[], T]) -> asyncio.Future[T]:
        # By `run_in_executor` an answer goes through two futures more, under locks.
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        context = contextvars.copy_context()  # which requests it is for, and which trace
        self._threads.submit(context.run, self._answer, answer, transact)
        return answer

    def _answer(self, answer: asyncio.Future[T], transact: Callable[[], T]) -> None:
        """Runs it, in its thread, and gives the loop what it returns or raises."""
        if answer.cancelled():
            return
        say: Callable[[], None]
        try:
            say = partial(self._tell, answer.set_result, answer, transact())
        except BaseException as error:  # noqa: BLE001 -- raised where the answer is waited for
            say = partial(self._tell, answer.set_exception, answer, error)
        with suppress(RuntimeError):  # the loop has ended, and with it whoever waits
            answer.get_loop().call_soon_threadsafe(say)

    def _tell(self, give: Callable[[Any], None], answer: asyncio.Future[Any], what: object) -> None:
        if not answer.done():  # whoever waited may have gone
            give(what)
        self._mongo.connections.watch()

    def _transact(self, asked: _Asked[T]) -> T:
        space = asked.space
        deadline = time.monotonic() + self._give_up_after
        with errors_mapped():
            failures = 0
            while True:
                begun = self._sessions.begin()
                try:
                    result = self._attempt(begun, asked, deadline)
                except PoliciesChangedError:
                    begun.session.end_session()
                    self._known.forget(space)
                    continue
                except HeadsChangedError as error:
                    begun.session.end_session()
                    self._known.forget(space)
                    (self._careful if error.presumed else self._shared).note(space)
                    continue
                except PyMongoError as error:
                    begun.session.end_session()
                    self._known.forget(space)
                    if not is_ended(error) or time.monotonic() > deadline:
                        raise
                except BaseException:
                    begun.session.end_session()
                    raise
                else:
                    self._sessions.rest(begun)
                    return result
                failures += 1
                metrics.TRANSACTION_RETRIES.inc()
                time.sleep(BACKOFF.delay(failures) or 0.0)

    def _attempt(self, begun: BegunSession, asked: _Asked[T], deadline: float) -> T:
        space, work, fence, max_bytes, meanwhile = asked
        began = time.perf_counter()
        commands = Commands(begun, self._mongo.connections, self._database)
        try:
            known_position = self._known_positions.get(space)
            transaction = MongoTransaction(
                self._mongo,
                commands,
                space,
                fence,
                self._policies,
                max_bytes=max_bytes,
                known_position=known_position,
                known=self._knows(space, fence),
                presumes=not self._careful.hold(space),
            )
            result = work(transaction)
            transaction.finish()
        except BaseException:
            commands.release()
            _abort(begun.session)
            raise
        worked = time.perf_counter()
        is_prepared = False

        def prepare() -> None:
            """Does once what needs not wait for the commit."""
            nonlocal is_prepared
            if is_prepared:
                return
            is_prepared = True
            metrics.WORK_SECONDS.observe(worked - began)
            try:
                transaction.prepare_heads()
                if meanwhile is not None:
                    meanwhile(result)
                self._sessions.begin_next(begun)
            except Exception:
                logger.exception("preparation_failed", extra={"fields": {"space": space}})

        try:
            self._commit(commands, prepare, deadline)
        finally:
            commands.release()
        prepare()
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - worked)
        self._remember(space, transaction.position)
        if fence is not None:
            try:
                transaction.note_heads(self._known)
            except Exception:
                logger.exception("preparation_failed", extra={"fields": {"space": space}})
                self._known.forget(space)
        return result

    def _commit(self, commands: Commands, meanwhile: Callable[[], None], deadline: float) -> None:
        while True:
            try:
                commands.commit(meanwhile)
            except PyMongoError as error:
                if not error.has_error_label(UNKNOWN_COMMIT) or time.monotonic() > deadline:
                    raise
            else:
                return

    def _remember(self, space: SpaceId, position: Position | None) -> None:
        if position is not None:
            if len(self._known_positions) >= _SPACES_REMEMBERED:
                self._known_positions.clear()
            self._known_positions[space] = position

    def _knows(self, space: SpaceId, fence: Fence | None) -> KnownInSpace | None:
        """What this process knows of the space, for who has this lease."""
        known = self._known.of(space) if fence is not None else None
        if known is None or known.row is None or not self._shared.hold(space):
            return known
        is_same_lease = fence is not None and known.row.get("fence") == [fence.number, fence.token]
        return known if is_same_lease else replace(known, row=None)


class Cautions:
    """Spaces where something turned out to be otherwise, for the transactions that come next."""

    def __init__(self) -> None:
        self._left: dict[SpaceId, int] = {}

    def note(self, space: SpaceId) -> None:
        if len(self._left) >= _SPACES_REMEMBERED:
            self._left.clear()
        self._left[space] = _CAREFUL

    def hold(self, space: SpaceId) -> bool:
        """Whether to be careful in one more transaction."""
        if not self._left:
            return False
        left = self._left.get(space, 0)
        if left > 1:
            self._left[space] = left - 1
        elif left:
            self._left.pop(space, None)
        return bool(left)


def _abort(session: ClientSession) -> None:
    """Aborts as well as it goes: an abort that is lost ends when the server times the transaction out."""
    try:
        session.abort_transaction()
    except ConnectionFailure:
        return
