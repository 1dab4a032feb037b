"""The time of the place where the user is, in summer and in winter: as the system knows it."""

from __future__ import annotations

import calendar
import time
from datetime import datetime, timedelta, tzinfo
from typing import Final

_DAY: Final = 86_400


class Here(tzinfo):
    """Unlike what `datetime.astimezone` gives, it has the offset of each moment and not the one of now for all."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """A time that the clocks show twice is the first of the two, with `fold=1` the second; one that they skip has
        the offset of before the change, as RFC 5545 has it."""
        if moment is None:
            return timedelta(seconds=time.localtime().tm_gmtoff)
        wall = calendar.timegm(moment.timetuple())
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
        at = calendar.timegm(moment.timetuple()) - self.utcoffset(moment).total_seconds()
        return time.localtime(at).tm_zone

    def fromutc(self, moment: datetime) -> datetime:
        wall = time.localtime(calendar.timegm(moment.timetuple()))
        local = datetime(*wall[:5], min(wall.tm_sec, 59), moment.microsecond, tzinfo=self)
        first = self.utcoffset(local) == timedelta(seconds=wall.tm_gmtoff)
        return local if first else local.replace(fold=1)


def _offset(at: float) -> int:
    return time.localtime(at).tm_gmtoff
