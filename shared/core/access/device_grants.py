"""Device grants (RFC 8628): a terminal shows a code, and a person who is signed in approves it. Pure.

Laws (tests/unit/core/access/test_device_grants.py):
    a grant gives one token at most: what was used is answered for REPEAT_SECONDS, then EXPIRED for ever
    whatever was decided, nothing but EXPIRED is answered from `expires_at` on
    user_code_of(shown(code)) == code, in whatever case, with whatever spaces and hyphens
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from shared.core.documents import SpaceId, UserId

UserCode = NewType("UserCode", str)
"""Letters of CODE_ALPHABET, without the hyphen that people see."""

CODE_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""Without vowels, so that codes are no words, and without digits, which look like letters (RFC 8628, 6.1)."""
CODE_LENGTH: Final = 8
"""34 bits. Codes are tried by people who are signed in, some a minute: see FREE_CODES."""
GRANT_SECONDS: Final = 600.0
"""How long a code can be approved and its token be fetched."""
REPEAT_SECONDS: Final = 60.0
"""How long a token that was given is given again: its answer may have been lost on the way."""
POLL_SECONDS: Final = 2.0
"""How often a terminal may ask."""
SLOW_DOWN_SECONDS: Final = 5.0
"""How much longer it has to wait each time that it asks too early (RFC 8628, 3.5)."""
JITTER_SECONDS: Final = 0.5
"""By how much a request may seem early because the one before it was late."""
FREE_CODES: Final = 5
"""Wrong codes of one person, or from one address, before the next one has to wait."""
GRANTS_PER_ADDRESS: Final = 50
"""Grants that wait and were asked for from one address; more are refused."""


class GrantDecision(StrEnum):
    """What the person said."""

    APPROVED = "approved"
    DENIED = "denied"


class Poll(StrEnum):
    """What a terminal that asks is answered."""

    PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED = "expired_token"
    DENIED = "access_denied"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Approval:
    """Whose device it is, what it is called, and which space it opens where a request names none."""

    user: UserId
    name: str
    space: SpaceId
    by: str
    """The session that approved it, as in the audit log."""


@dataclass(frozen=True, slots=True)
class DeviceGrant:
    """A terminal that wants a token. Times are seconds since 1970."""

    user_code: UserCode
    name: str
    """What the terminal calls itself."""
    created_at: float
    expires_at: float
    address: str = ""
    """Where it asked from, as far as that is known."""
    interval: float = POLL_SECONDS
    """Seconds between two of its requests."""
    polled_at: float | None = None
    decision: GrantDecision | None = None
    approval: Approval | None = None
    used_at: float | None = None
    """When its token was given first."""
    salt: str = ""
    """With the terminal's secret it makes the token: see `token_of`. It goes with the grant, so that afterwards the
    secret is worth nothing. A grant of an earlier release has none."""

    def waits(self, now: float) -> bool:
        """Whether it can be approved or denied."""
        return self.decision is None and now < self.expires_at

    def is_early(self, now: float) -> bool:
        """Whether a request at this time comes too soon after the one before."""
        return self.polled_at is not None and now < self.polled_at + self.interval - JITTER_SECONDS


def poll(grant: DeviceGrant | None, now: float) -> Poll:
    """What to answer at this time. None: no such grant is known."""
    if grant is None or now >= grant.expires_at:
        return Poll.EXPIRED
    if grant.used_at is not None and now >= grant.used_at + REPEAT_SECONDS:
        return Poll.EXPIRED
    if grant.decision is GrantDecision.DENIED:
        return Poll.DENIED
    if grant.is_early(now):
        return Poll.SLOW_DOWN
    return Poll.PENDING if grant.decision is None else Poll.APPROVED


def user_code_of(text: str) -> UserCode | None:
    """The code that somebody typed; None if it can be none."""
    code = "".join(text.split()).replace("-", "").upper()
    fits = len(code) == CODE_LENGTH and all(letter in CODE_ALPHABET for letter in code)
    return UserCode(code) if fits else None


def shown(code: UserCode) -> str:
    """As people see it: WDJB-MJHT."""
    half = CODE_LENGTH // 2
    return f"{code[:half]}-{code[half:]}"
