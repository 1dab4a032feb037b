"""Signing in with a password: slower and slower for whoever guesses; no guesses of others lock an owner out."""

from __future__ import annotations

import asyncio
import hashlib
import math
import secrets
import time
import weakref
from typing import Final

from api.authentication.auth import token_hash
from api.errors import ACCOUNT_DISABLED, RATE_LIMITED, WRONG_CREDENTIALS, ProblemError
from shared.core.access.audit import AuditAct, Origin
from shared.core.access.limits import network_of
from shared.core.access.people import AccountState, User, name_key
from shared.core.access.sessions import (
    FREE_ATTEMPTS,
    FREE_ATTEMPTS_OF_ADDRESS,
    NO_FAILURES,
    WebSession,
    WebSessionId,
    delay_of,
    wait_of,
)
from shared.core.documents import UserId
from shared.ports.access import AccessStores, PasswordHasher

_MAX_AGENT: Final = 200
MOST_SESSIONS: Final = 200
"""Of a user. The oldest ends when there is another one."""
_DAY_SECONDS: Final = 86_400.0


class SignIn:
    """Of one process."""

    def __init__(self, stores: AccessStores, passwords: PasswordHasher, session_days: float) -> None:
        self._stores = stores
        self._passwords = passwords
        self._seconds = session_days * _DAY_SECONDS
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def user(self, login: str, password: str, address: str | None) -> User:
        """Whose name or e-mail address, and password, these are. 401 for anything else, as slowly for a name that
        nobody has; 429 to an address that has failed often; 403 for an account that is disabled."""
        # One attempt of an address at a time: all of them are counted.
        async with self._lock(network_of(address or "")):
            by_login = await self._stores.users.by_login(login)
            account = by_login[0].id if by_login is not None else name_key(login)
            if not await self._matches(account, None if by_login is None else by_login[1], password, address):
                raise ProblemError(WRONG_CREDENTIALS, "No account has this name, or e-mail address, and password.")
        assert by_login is not None
        user, known_hash = by_login
        if user.state is AccountState.DISABLED:
            raise ProblemError(ACCOUNT_DISABLED, "An administrator has disabled this account.")
        if known_hash is not None and self._passwords.is_outdated(known_hash):
            await self._stores.users.set_password(user.id, await self._passwords.hash(password), None)
        return user

    async def confirm(self, user: UserId, password: str | None, address: str | None) -> None:
        """Before something that a session alone is not enough for: 401 unless it is the user's password, if they have
        one. Counted as attempts to sign in are."""
        known_hash = await self._stores.users.password_hash(user)
        if known_hash is None:
            return
        async with self._lock(network_of(address or "")):
            if password is None or not await self._matches(user, known_hash, password, address):
                raise ProblemError(WRONG_CREDENTIALS, "This is not your password.", pointer="/password")

    async def begin(self, user: User, *, address: str | None, agent: str) -> tuple[WebSession, str]:
        """A session, and its token, which is nowhere else."""
        token = secrets.token_urlsafe(32)
        now = time.time()
        identity = WebSessionId("w" + secrets.token_hex(8))
        agent = "".join(character for character in agent if character.isprintable())[:_MAX_AGENT]
        session = WebSession(identity, user.id, now, now + self._seconds, now, address or "", agent)
        origin = Origin(f"session {identity}", user.id, address)
        await self._stores.sessions.add(
            session, token_hash(token), origin.entry(AuditAct.SESSION_BEGUN, now, user=user.id)
        )
        for old in (await self._stores.sessions.list_of(user.id))[:-MOST_SESSIONS]:
            entry = origin.entry(AuditAct.SESSION_ENDED, now, user=user.id, session=old.id)
            await self._stores.sessions.end(old.id, user.id, entry)
        return session, token

    async def _matches(self, account: str, known_hash: str | None, password: str, address: str | None) -> bool:
        # Whoever has one IPv6 address has all of its network.
        network = None if address is None else network_of(address)
        of_account, of_address, of_both = (
            f"account {_digest(account)}",
            f"address {network}",
            f"both {_digest(account)} {network}",
        )
        now = time.time()
        known = await self._stores.failures.read([of_account, of_address, of_both])
        wait = max(
            wait_of(known.get(of_both, NO_FAILURES), now, FREE_ATTEMPTS),
            wait_of(known.get(of_address, NO_FAILURES), now, FREE_ATTEMPTS_OF_ADDRESS),
        )
        if wait > 0:
            seconds = math.ceil(wait)
            detail = f"Too many wrong passwords came from your address. Try again in {seconds} seconds."
            raise ProblemError(RATE_LIMITED, detail, headers={"retry-after": str(seconds)})
        await asyncio.sleep(delay_of(known.get(of_account, NO_FAILURES), now))
        if await self._passwords.verify(known_hash, password):
            await self._stores.failures.forget([of_both])
            return True
        await self._stores.failures.add([of_account, of_address, of_both], now)
        return False

    def _lock(self, key: str) -> asyncio.Lock:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock


def _digest(account: str) -> str:
    """Of what somebody may have typed in the wrong field: a password, for example."""
    return hashlib.sha256(account.encode("utf-8", "replace")).hexdigest()[:32]
