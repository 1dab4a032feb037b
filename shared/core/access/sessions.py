"""Web sessions, and how fast somebody may try passwords. Pure.

Laws (tests/unit/core/access/test_access.py):
    the wait after failures never shrinks as they grow in number, and never passes its bound
    the failures of an account alone never refuse: they delay, by seconds, so that nobody can lock its owner out
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NewType

from shared.core.documents import UserId

WebSessionId = NewType("WebSessionId", str)

FREE_ATTEMPTS: Final = 5
"""Wrong passwords for one account from one address before the next one has to wait."""
FREE_ATTEMPTS_OF_ADDRESS: Final = 30
"""The same from one address for all accounts together: many people may share it."""
FREE_ATTEMPTS_OF_ACCOUNT: Final = 20
"""The same for one account from all addresses together."""
MAX_WAIT_SECONDS: Final = 900.0
MAX_DELAY_SECONDS: Final = 3.0
FORGET_SECONDS: Final = 24 * 3600.0
"""After so long without a failure all of them are forgotten."""


@dataclass(frozen=True, slots=True)
class WebSession:
    """A browser that is signed in. Times are seconds since 1970."""

    id: WebSessionId
    user: UserId
    created_at: float
    expires_at: float
    last_seen: float
    address: str = ""
    """Where it signed in from."""
    agent: str = ""
    """What the browser calls itself."""


@dataclass(frozen=True, slots=True)
class ProviderFlow:
    """A sign-in that is under way at an OpenID provider."""

    nonce: str
    verifier: str
    """Of PKCE (RFC 7636)."""
    browser_hash: str
    """Of the secret in the cookie of the browser that began it: no other one can end it."""
    target: str
    """The page to go to."""
    expires_at: float
    user: UserId | None = None
    """The account that the identity is to be connected with; None: whose it is."""
    invitation: str | None = None
    """The hash of the secret of the invitation that was followed, to be accepted afterwards."""


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong passwords one after another, and when the last one was."""

    count: int
    at: float


NO_FAILURES: Final = Failures(0, 0.0)


def wait_of(failures: Failures, now: float, free: int) -> float:
    """Seconds until the next attempt of an address is looked at, of which `free` have to wait for nothing; 0: now."""
    if failures.count < free or now - failures.at > FORGET_SECONDS:
        return 0.0
    pause = min(2.0 ** min(failures.count - free, 20), MAX_WAIT_SECONDS)
    return max(failures.at + pause - now, 0.0)


def delay_of(failures: Failures, now: float) -> float:
    """Seconds by which any attempt for an account is slowed down, whoever makes it."""
    if failures.count < FREE_ATTEMPTS_OF_ACCOUNT or now - failures.at > FORGET_SECONDS:
        return 0.0
    return min(0.1 * (failures.count - FREE_ATTEMPTS_OF_ACCOUNT + 1), MAX_DELAY_SECONDS)
