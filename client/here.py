"""The time of the place where the user is, in summer and in winter: as the system knows it."""

from __future__ import annotations

import calendar
import time
from datetime import datetime, timedelta, tzinfo


class Here(tzinfo):
    """Unlike what `datetime.astimezone` gives, it has the offset of each moment and not the one of now for all."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """Of a time that the clocks skip or show twice, the system decides."""
        wall = time.localtime() if moment is None else self._local(moment)
        return timedelta(seconds=wall.tm_gmtoff)

    def dst(self, moment: datetime | None) -> timedelta:
        """Not told apart from the offset; nothing here needs it."""
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        return (time.localtime() if moment is None else self._local(moment)).tm_zone

    def fromutc(self, moment: datetime) -> datetime:
        wall = time.localtime(calendar.timegm(moment.timetuple()))
        return datetime(*wall[:5], min(wall.tm_sec, 59), moment.microsecond, tzinfo=self)

    @staticmethod
    def _local(moment: datetime) -> time.struct_time:
        fields = moment.timetuple()
        return time.localtime(time.mktime((*fields[:8], -1)))
