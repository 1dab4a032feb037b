"""Who follows which space in this process: event streams, and requests that wait for a change."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType
from typing import Any, Final, NamedTuple, Protocol

from api.authentication.auth import Devices
from api.authentication.trusted import TRUSTED_SECONDS
from api.errors import RATE_LIMITED, ProblemError
from api.limits.limits_in_force import LimitsInForce
from api.limits.pace import Pace
from api.reads.change_feed import ChangeFeed
from api.representations import events
from api.streams.fan_out import FanOut
from api.streams.stream_counts import StreamCounts
from shared import announcement_messages, metrics
from shared.cancellation import repeat
from shared.core.access.limits import Limit
from shared.core.access.roles import Act
from shared.core.documents import Device, DeviceId, Epoch, Position, SequenceNumber, SpaceId
from shared.core.index.cursors import cursor_of
from shared.observability import event
from shared.ports import Announcements, UnavailableError

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15
"""How often a stream says that it lives; and how often it is looked after in case an announcement was lost."""
_RECHECK_SECONDS = 5.0


class RenderedAnnouncement:
    """An announcement; its text is made once for all streams."""

    __slots__ = ("_text", "first", "position", "rows")

    def __init__(
        self, first: SequenceNumber, last: SequenceNumber, history: Epoch, rows: list[list[Any]] | None
    ) -> None:
        self.first = first
        self.position = Position(history, last)
        """Where the space stands after it."""
        self.rows = rows
        """None: too many to be said."""
        self._text: bytes | None = None

    def text(self) -> bytes:
        """The event."""
        if self._text is None:
            self._text = events.changed_event(cursor_of(self.position), self.rows or [])
        return self._text


class Follower(Protocol):
    """Told of changes; must not block."""

    def on_announcement(self, announcement: RenderedAnnouncement) -> None: ...
    def lost(self) -> None:
        """Something may have changed that was not announced."""
        ...

    def beat(self) -> None:
        """Every HEARTBEAT_SECONDS."""
        ...

    def close(self) -> None: ...


class Following(NamedTuple):
    """Who a follower is."""

    device: DeviceId
    token_hash: str
    counted: tuple[str, ...] = ()
    """Whose streams it is one of, as keys of StreamCounts."""
    act: Act = Act.READ
    """What its token must be allowed."""


_WHOSE: Final = {
    Limit.STREAMS_PER_DEVICE: "One device",
    Limit.STREAMS_PER_USER: "One user",
    Limit.STREAMS_PER_SPACE: "One space",
}


def _full(limit: Limit, most: int) -> ProblemError:
    detail = (
        f"{_WHOSE[limit]} may have {most} event streams and waiting requests at a time (HYPERTASK_{limit.upper()})."
    )
    extensions = {"limit": limit.value, "quota": most, "remaining": 0}
    headers = {"retry-after": str(HEARTBEAT_SECONDS)}
    return ProblemError(RATE_LIMITED, detail, headers=headers, extensions=extensions)


class Live:
    """All followers of a process, under one subscription."""

    def __init__(
        self, feed: ChangeFeed, devices: Devices, limits: LimitsInForce, counts: StreamCounts, pace: Pace
    ) -> None:
        self.feed = feed
        self._devices = devices
        self._limits = limits
        self._followers: dict[SpaceId, dict[Follower, Following]] = {}
        self._fan_out = FanOut(self._followers, pace)
        self._counts = counts
        self._announcements: Announcements | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.closing = False
        self._turn = 0

    @asynccontextmanager
    async def following(self, announcements: Announcements) -> AsyncIterator[None]:
        """Until the end of the block, or until the process is told to stop: it would wait for the streams."""
        self._announcements = announcements
        await self._counts.look_after()
        keeping = (repeat(self._tick, "streams", every=1), self._counts.keep())
        tickers = [asyncio.create_task(work) for work in keeping]
        with _stopping(self.close):
            yield
        for ticker in tickers:
            ticker.cancel()
        await asyncio.gather(*tickers, return_exceptions=True)
        await self._fan_out.close()
        await self._counts.close()

    async def follow(self, device: Device, token_hash: str, follower: Follower) -> None:
        """Tells `follower` of what is committed in the device's space from now on, until `unfollow`. 429 if the
        device follows too much already, 401 if it was revoked before this could be heard."""
        if self.closing or self._announcements is None:
            raise UnavailableError("the server is stopping")
        bounds = await self._bounds(device)
        full = await self._counts.enter({key: most for key, (_, most) in bounds.items()})
        if full is not None:
            raise _full(*bounds[full])
        following = Following(device.id, token_hash, tuple(bounds))
        self._followers.setdefault(device.space, {})[follower] = following
        metrics.EVENT_STREAMS.inc()
        try:
            await self._announcements.listen(device.space)
            if not await self._devices.opens(token_hash, device.space):
                raise self._devices.revoked_error()
        except BaseException:
            self.unfollow(device.space, follower)
            raise

    async def _bounds(self, device: Device) -> dict[str, tuple[Limit, int]]:
        """Whose streams one of the device's is, as keys of StreamCounts, and how many each may have."""
        of_device, of_user, of_space = Limit.STREAMS_PER_DEVICE, Limit.STREAMS_PER_USER, Limit.STREAMS_PER_SPACE
        bounds = {f"device {device.id}": (of_device, await self._limits.of_user(of_device, device.owner))}
        if device.owner is not None:
            bounds[f"user {device.owner}"] = (of_user, await self._limits.of_user(of_user, device.owner))
        bounds[f"space {device.space}"] = (of_space, await self._limits.of_space(of_space, device.space))
        return bounds

    @asynccontextmanager
    async def guarded(
        self, device: Device, token_hash: str, act: Act, end: Callable[[], object]
    ) -> AsyncIterator[None]:
        """Until the end of the block: calls `end` when the token may not do that in the device's space any more, or
        the process is told to stop. For what takes long."""
        guard = _Guard(end)
        self._followers.setdefault(device.space, {})[guard] = Following(device.id, token_hash, act=act)
        try:
            if self._announcements is not None:
                with suppress(UnavailableError):  # then it is heard of at the next heartbeat
                    await self._announcements.listen(device.space)
            if not await self._devices.opens(token_hash, device.space, act):
                end()
            yield
        finally:
            self.unfollow(device.space, guard)

    def unfollow(self, space: SpaceId, follower: Follower) -> None:
        """The space stays subscribed until the next tick: the same device may be back in a moment."""
        known = self._followers.get(space, {}).pop(follower, None)
        if known is None:
            return
        metrics.EVENT_STREAMS.dec()
        if known.counted:
            self._counts.leave(known.counted)

    def on_announcement(self, space: SpaceId, data: bytes) -> None:
        """An announcement came."""
        try:
            announcement = RenderedAnnouncement(*announcement_messages.load_announcement(data))
        except ValueError:
            self.lost(space)
            return
        self._fan_out.tell(space, lambda follower: follower.on_announcement(announcement))

    def lost(self, space: SpaceId) -> None:
        """Announcements may have been missed; those of revoked devices, too."""
        self._fan_out.tell(space, lambda follower: follower.lost())
        self.access_changed(space)

    def access_changed(self, space: SpaceId) -> None:
        """Somebody may do less in the space than before: what they hold open there ends."""
        task = asyncio.create_task(self._look_for_revoked(space))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def tell_revoked(self, device: Device) -> None:
        """It was revoked here. A process that is not told by this sees it at the next heartbeat."""
        for space in await self._devices.reach(device):
            self.revoked(space, device.id)
            if self._announcements is not None:
                try:
                    await self._announcements.tell_revoked(space, device.id)
                except UnavailableError as error:
                    event(logger, logging.WARNING, "revocation_not_announced", space=space, cause=error.__cause__)

    async def tell_access(self, *spaces: SpaceId) -> None:
        """As `tell_revoked`, after somebody was removed from the spaces or may do less in them. It waits until no
        process trusts what it has looked up before."""
        await asyncio.sleep(1.1 * TRUSTED_SECONDS)
        for space in spaces:
            self.access_changed(space)
            if self._announcements is not None:
                try:
                    await self._announcements.tell_access(space)
                except UnavailableError as error:
                    event(logger, logging.WARNING, "removal_not_announced", space=space, cause=error.__cause__)

    def note_synced(self, device: DeviceId, space: SpaceId, sequence: SequenceNumber) -> None:
        """A stream has told the device of all changes of the space up to this sequence."""
        self._devices.synced(device, space, sequence)

    def revoked(self, space: SpaceId, device: DeviceId) -> None:
        """A device of the space was revoked somewhere: nothing that it holds open goes on."""
        for follower, known in list(self._followers.get(space, {}).items()):
            if known.device == device:
                follower.close()

    async def _close_revoked(self, space: SpaceId) -> None:
        """As `revoked`, for devices of which it was not heard."""
        followers = list(self._followers.get(space, {}).items())
        asked = list({(known.token_hash, known.act) for _, known in followers})
        opens = await asyncio.gather(*(self._devices.opens(token_hash, space, act) for token_hash, act in asked))
        closed = {one for one, is_open in zip(asked, opens, strict=True) if not is_open}
        for follower, known in followers:
            if (known.token_hash, known.act) in closed:
                follower.close()

    async def _look_for_revoked(self, space: SpaceId) -> None:
        try:
            await self._close_revoked(space)
        except UnavailableError as error:
            event(logger, logging.INFO, "streams_not_looked_after", cause=error.__cause__)

    def close(self) -> None:
        """Ends all streams and waits."""
        self.closing = True
        for followers in list(self._followers.values()):
            for follower in list(followers):
                follower.close()

    async def _tick(self) -> None:
        """Looks after one slice of the spaces; once a second, all of them in each HEARTBEAT_SECONDS."""
        self._turn = (self._turn + 1) % HEARTBEAT_SECONDS
        mine = [space for space in self._followers if hash(space) % HEARTBEAT_SECONDS == self._turn]
        try:
            await asyncio.gather(*map(self._look_after, mine))
        except UnavailableError as error:
            event(logger, logging.INFO, "streams_not_looked_after", cause=error.__cause__)

    async def _look_after(self, space: SpaceId) -> None:
        if not self._followers[space]:
            del self._followers[space]
            if self._announcements is not None:
                await self._announcements.unlisten(space)
            return
        self._fan_out.tell(space, lambda follower: follower.beat())
        await self._close_revoked(space)


class _Guard:
    """Follows nothing but whether it may go on."""

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end

    def on_announcement(self, announcement: RenderedAnnouncement) -> None:
        """Nothing."""

    def lost(self) -> None:
        """Nothing: whoever lost announcements is looked after as well."""

    def beat(self) -> None:
        """Nothing."""

    def close(self) -> None:
        self._end()


class Wait:
    """A request that waits for a change."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def on_announcement(self, announcement: RenderedAnnouncement) -> None:
        self._changed.set()

    def lost(self) -> None:
        self._changed.set()

    def beat(self) -> None:
        """Nothing: whoever waits looks by itself now and then."""

    def close(self) -> None:
        self._changed.set()

    async def for_change(self, seconds: float) -> None:
        """Until something is heard, for `seconds` at most, and for a few seconds in any case: then look again."""
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, _RECHECK_SECONDS)):
                await self._changed.wait()
        self._changed.clear()


@contextmanager
def _stopping(call: Any) -> Iterator[None]:
    """Runs `call` when the process is told to stop, before the server waits for its connections."""
    loop = asyncio.get_running_loop()
    known: dict[int, Any] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(call)
        known[number](number, frame)

    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if callable(before):
            known[number] = before
            signal.signal(number, stop)
    try:
        yield
    finally:
        for installed, handler in known.items():
            signal.signal(installed, handler)
