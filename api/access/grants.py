"""Device grants (RFC 8628): a terminal shows a code, a person who is signed in approves it, the terminal fetches its
token."""

from __future__ import annotations

import hmac
import math
import secrets
import time
from dataclasses import dataclass
from typing import Final

from api.access.callers import Caller
from api.access.spaces import unknown_space
from api.authentication.auth import Devices, NewDevice, token_from, token_hash
from api.errors import (
    ACCESS_DENIED,
    AUTHORIZATION_PENDING,
    EXPIRED_TOKEN,
    NOT_FOUND,
    RATE_LIMITED,
    SLOW_DOWN,
    Kind,
    ProblemError,
)
from shared.core.access.audit import Origin
from shared.core.access.device_grants import (
    CODE_ALPHABET,
    CODE_LENGTH,
    FREE_CODES,
    GRANT_SECONDS,
    GRANTS_PER_ADDRESS,
    Approval,
    DeviceGrant,
    Poll,
    UserCode,
    poll,
    user_code_of,
)
from shared.core.access.people import AccountState, User
from shared.core.access.roles import Act, Verdict, verdict_on
from shared.core.access.sessions import NO_FAILURES, wait_of
from shared.core.documents import Device, DeviceId, SpaceId
from shared.ports.access import AccessStores, DeviceExistsError
from shared.ports.sign_in import GrantFailure

_REFUSED: Final[dict[Poll, tuple[Kind, str]]] = {
    Poll.PENDING: (AUTHORIZATION_PENDING, "Nobody has approved the code yet. Ask again after the interval."),
    Poll.SLOW_DOWN: (SLOW_DOWN, "Wait five seconds longer between two requests, from now on."),
    Poll.EXPIRED: (EXPIRED_TOKEN, "The code has expired or was used, or there was none like it. Begin again."),
    Poll.DENIED: (ACCESS_DENIED, "The person whose account it is has refused."),
}


@dataclass(frozen=True, slots=True)
class Grants:
    """Of one process."""

    stores: AccessStores
    devices: Devices

    async def begin(self, name: str, address: str | None) -> tuple[DeviceGrant, str]:
        """A grant that waits, and the terminal's secret, which is nowhere else. 429 if many of the address wait."""
        secret = secrets.token_urlsafe(32)
        while True:
            code = UserCode("".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH)))
            now = time.time()
            salt = secrets.token_urlsafe(32)
            grant = DeviceGrant(code, name, now, now + GRANT_SECONDS, address or "", salt=salt)
            failure = await self.stores.grants.add(grant, token_hash(secret), most=GRANTS_PER_ADDRESS)
            if failure is None:
                return grant, secret
            if failure is GrantFailure.TOO_MANY:
                detail = f"{GRANTS_PER_ADDRESS} terminals of your address wait already. Try again in a minute."
                raise ProblemError(RATE_LIMITED, detail, headers={"retry-after": "60"})

    async def token(self, secret: str, address: str | None) -> tuple[Device, str]:
        """The device that was approved, and its token. ProblemError with the answer of RFC 8628 until then; 409 and
        507 if there are as many devices as there may be, and then the code goes on being good. An answer may be lost:
        for REPEAT_SECONDS the address that began is given the same token again, while the device is not revoked."""
        now = time.time()
        grant = await self.stores.grants.poll(token_hash(secret), now)
        answer = poll(grant, now)
        if answer is not Poll.APPROVED or grant is None or grant.approval is None:
            raise _refused(answer)
        if grant.used_at is not None and grant.address != (address or ""):
            raise _refused(Poll.EXPIRED)
        owner = (await self.stores.users.by_ids([grant.approval.user])).get(grant.approval.user)
        if owner is None or owner.state is not AccountState.ACTIVE:
            raise _refused(Poll.DENIED)
        token = token_of(secret, grant.salt)
        device = await self._device(owner, grant.approval, token, address)
        if device is None:
            raise _refused(Poll.EXPIRED)
        await self.stores.grants.use(token_hash(secret), now)
        return device, token.token

    async def _device(
        self, owner: User, approval: Approval, identity: NewDevice, address: str | None
    ) -> Device | None:
        """The device of the grant, made if it was not before. None: it was revoked."""
        known = await self.devices.by_hash(token_hash(identity.token))
        if known is not None:
            return known
        try:
            device, _ = await self.devices.create_bounded(
                owner,
                name=approval.name,
                space=approval.space,
                origin=Origin(approval.by, owner.id, address),
                every_space=True,
                identity=identity,
            )
        except DeviceExistsError:
            return await self.devices.by_hash(token_hash(identity.token))
        return device

    async def waiting(self, caller: Caller, typed: str) -> DeviceGrant:
        """The grant whose code the caller has typed. 404 if there is none; 429 after some wrong ones."""
        address = caller.origin.address
        keys = [f"code of {caller.user.id}", f"code from {address}"]
        now = time.time()
        failures = await self.stores.failures.read(keys)
        wait = max(wait_of(failures.get(key, NO_FAILURES), now, FREE_CODES) for key in keys)
        if wait > 0:
            seconds = math.ceil(wait)
            detail = f"Too many codes were wrong. Try again in {seconds} seconds."
            raise ProblemError(RATE_LIMITED, detail, headers={"retry-after": str(seconds)})
        code = user_code_of(typed)
        grant = None if code is None else await self.stores.grants.waiting(code, now)
        if grant is None:
            await self.stores.failures.add(keys, now)
            raise _no_code()
        return grant

    async def approve(self, caller: Caller, grant: DeviceGrant, name: str, space: SpaceId) -> None:
        """The terminal gets a token of the caller's, with that name, that opens this space where a request names
        none. 404 for a space that the caller may not read, and if the grant does not wait any more."""
        access = await self.devices.access(space, caller.user.id)
        if verdict_on(access, Act.READ) is not Verdict.ALLOWED:
            raise unknown_space()
        approval = Approval(caller.user.id, name, space, caller.origin.by)
        if not await self.stores.grants.decide(grant.user_code, time.time(), approval):
            raise _no_code()

    async def deny(self, grant: DeviceGrant) -> None:
        """404 if it does not wait any more."""
        if not await self.stores.grants.decide(grant.user_code, time.time(), None):
            raise _no_code()


def token_of(secret: str, salt: str) -> NewDevice:
    """The one device that a grant makes: nobody who has only the terminal's secret, or only the grant as it is
    stored, can tell its token, and the token is stored nowhere."""
    key, more = secret.encode(), salt.encode()
    device = DeviceId("d" + hmac.digest(key, b"device " + more, "sha256").hex()[:16])
    return NewDevice(device, token_from(hmac.digest(key, b"token " + more, "sha256")))


def _refused(answer: Poll) -> ProblemError:
    return ProblemError(*_REFUSED[answer], extensions={"error": answer.value})


def _no_code() -> ProblemError:
    return ProblemError(NOT_FOUND, "No terminal shows this code, or it has expired. Codes hold ten minutes.")
