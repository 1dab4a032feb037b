"""Keeping the cyclic collector of a process that goes on from holding up what it is asked.

A batch makes thousands of small objects that are gone when it is answered. Each some hundred of them make Python's
collector look, and every now and then at all that there is, libraries included: ten to thirty milliseconds in which
the process does nothing else.
"""

from __future__ import annotations

import gc
from typing import Final

_YOUNG: Final = 10_000
"""Containers made, less those that are gone, until the collector looks at the youngest ..."""
_OLDER: Final = 20
"""... and how often it does that until it looks at those that outlived it too."""


def freeze_after_startup() -> None:
    """To be called when a process has loaded and opened what it will use: the collector leaves that alone from now
    on. What becomes garbage later is found as before."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
