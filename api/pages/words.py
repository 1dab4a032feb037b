"""What a page says of something that was not done: to a person, who has forms and links and knows no routes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from api.errors import (
    ACCOUNT_LEAVING,
    CSRF,
    EXPORT_FIRST,
    OWNER_REQUIRED,
    OWNS_SHARED_SPACES,
    SESSION_REQUIRED,
    SIGN_UP_CLOSED,
    UNAUTHENTICATED,
    Kind,
    ProblemError,
)
from shared.core.access.limits import Limit

_INSTEAD: Final[Mapping[Kind, str]] = {
    ACCOUNT_LEAVING: "The account is being deleted. Sign in, and take that back, as long as it is there.",
    CSRF: "The form is too old, or was sent by another site. Load the page again.",
    EXPORT_FIRST: "Download everything first: see “Take everything along”. That must not be older than seven days.",
    OWNER_REQUIRED: "The owner stays in the space. Hand it over to another member first, or delete it.",
    OWNS_SHARED_SPACES: "Open each of them under “Spaces”: hand it over, remove its other members, or delete it.",
    SESSION_REQUIRED: "Sign in to do that.",
    SIGN_UP_CLOSED: "Ask an administrator of this server for an invitation, and follow its link.",
    UNAUTHENTICATED: "Sign in first.",
}
"""Where what a program is told is of no use to people."""
_ROUTE: Final = r"(?:GET|POST|PUT|PATCH|DELETE) /"
_ASIDE: Final = re.compile(rf" \((?:HYPERTASK_[A-Z_]+|{_ROUTE}[^)]*)\)")
_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+")
_FOR_PROGRAMS: Final = re.compile(rf"{_ROUTE}|HYPERTASK_|Authorization:|hypertask-server")
_LIMITS: Final = re.compile("|".join(sorted((limit.value for limit in Limit), key=len, reverse=True)))


def for_people(error: ProblemError) -> str:
    """Why it was not done, and what to do on a page: without routes and settings."""
    if error.kind in _INSTEAD:
        return _INSTEAD[error.kind]
    text = _LIMITS.sub(lambda match: match.group().replace("_", " ").capitalize(), _ASIDE.sub("", error.detail))
    return " ".join(sentence for sentence in _SENTENCE.split(text) if not _FOR_PROGRAMS.search(sentence))
