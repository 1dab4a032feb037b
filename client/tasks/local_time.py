"""The time of the place where the user is, in summer and in winter: as the system knows it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, tzinfo
from typing import Final

_DAY: Final = 86_400
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  without a zone, as what is compared with it


class Here(tzinfo):
    """Unlike what `datetime.astimezone` gives, it has the offset of each moment and not the one of now for all."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """A time that the clocks show twice is the first of the two, with `fold=1` the second; one that they skip has
        the offset of before the change, as RFC 5545 has it."""
        if moment is None:
            return timedelta(seconds=time.localtime().tm_gmtoff)
        wall = _as_utc(moment)
        before, after = _offset(wall - _DAY), _offset(wall + _DAY)
        if before == after:
            return timedelta(seconds=before)
        fitting = [offset for offset in (before, after) if _offset(wall - offset) == offset]
        if not fitting:
            return timedelta(seconds=before)
        return timedelta(seconds=fitting[-1] if moment.fold else fitting[0])

    def dst(self, moment: datetime | None) -> timedelta:
        """Not told apart from the offset; nothing here needs it."""
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        if moment is None:
            return time.localtime().tm_zone
        at = _as_utc(moment) - self.utcoffset(moment).total_seconds()
        return time.localtime(at).tm_zone

    def fromutc(self, moment: datetime) -> datetime:
        wall = time.localtime(_as_utc(moment))
        local = datetime(*wall[:5], min(wall.tm_sec, 59), moment.microsecond, tzinfo=self)
        first = self.utcoffset(local) == timedelta(seconds=wall.tm_gmtoff)
        return local if first else local.replace(fold=1)


def _as_utc(moment: datetime) -> int:
    """The seconds since 1970 if its clock were that of UTC, without parts of one."""
    since = moment.replace(tzinfo=None) - _EPOCH
    return since.days * _DAY + since.seconds


def _offset(at: float) -> int:
    return time.localtime(at).tm_gmtoff
