"""Version strings and their order.

As Semantic Versioning 2.0.0, section 11, orders them, and more tolerant: any number of numeric parts (1.2 is
1.2.0), a pre-release without its hyphen behind at least two (1.0rc1), and in front `v` or one operator of a
range (^1.2.3, ~1.2, >=2), which the order does not see. Build metadata (+...) does not count.
"""

from __future__ import annotations

import re
from typing import Any, Final

MAX_LENGTH: Final = 64
"""Characters; a longer string is no version. It also bounds the conversion of its digits."""

Order = tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]

_VERSION: Final = re.compile(
    r"(?:[\^~=]|[<>]=?)?\s?[vV]?"
    r"(?:(?P<numbers>\d+(?:\.\d+)*)(?:-(?P<hyphened>[0-9A-Za-z.-]+))?"
    r"|(?P<parts>\d+(?:\.\d+)+)\.?(?P<attached>[A-Za-z][0-9A-Za-z.-]*))"
    r"(?:\+[0-9A-Za-z.-]+)?",
    re.ASCII,
)


def version_order(text: Any) -> Order | None:
    """What to compare two versions by, or None if `text` is no version."""
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        return None
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    numbers = [int(part) for part in (match["numbers"] or match["parts"]).split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    pre_release = match["hyphened"] or match["attached"] or ""
    parts = tuple(_part(part) for part in pre_release.split(".")) if pre_release else ()
    return tuple(numbers), not parts, parts


def _part(text: str) -> tuple[bool, int, str]:
    """Numbers before words, numbers by value."""
    return (False, int(text), "") if text.isdecimal() else (True, 0, text)
