"""Text of others on a terminal: what it would obey instead of showing it. Pure.

Laws (tests/unit/core/test_display.py):
    shown(t) has no character that a terminal obeys, but line feeds and tabs where they are let through
    shown(t) == t for text without such characters
    is_name(t) => shown(t) == t
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

MAX_NAME: Final = 100
"""Characters."""

# C0, DEL and C1 controls; line and paragraph separators; marks that turn the direction of what follows, with which a
# text can look like another one; halves of characters, which no output takes.
_OBEYED: Final = (
    "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"  # a range of characters
)


@cache
def _obeyed(*, lines: bool) -> re.Pattern[str]:
    """Made when it is needed: most texts have none of these characters, and making it takes time."""
    return re.compile(f"(?![\n\t])[{_OBEYED}]" if lines else f"[{_OBEYED}]")


def is_name(text: str) -> bool:
    """Whether a device or a user may be called so: 1 to 100 characters that a terminal shows."""
    return 0 < len(text) <= MAX_NAME and is_shown(text)


def shown(text: str, *, lines: bool = False) -> str:
    """`text` as it may go to a terminal: `\\x1b` for an escape. `lines`: line feeds and tabs stay."""
    return text if text.isprintable() else _obeyed(lines=lines).sub(_escaped, text)


def is_shown(text: str) -> bool:
    """Whether all of it is shown as it is."""
    return text.isprintable() or _obeyed(lines=False).search(text) is None


def shown_json(text: str) -> str:
    """The same of a JSON text, which stays the JSON text of the same value: in strings `\\u001b`."""
    return text if text.isprintable() else _obeyed(lines=True).sub(_as_json, text)


def _as_json(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
