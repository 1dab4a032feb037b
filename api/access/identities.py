"""People who sign in at an OpenID provider: whose account that is, and what their groups give them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.access.accounts import FIRST_SPACE
from api.access.spaces import gone, new_space_id
from api.authentication.auth import token_hash
from api.errors import ACCOUNT_DISABLED, IDENTITY_TAKEN, PROVIDER_REFUSED, SIGN_UP_CLOSED, ProblemError
from api.streams.live import Live
from shared.core.access.audit import SERVER, AuditAct, Origin
from shared.core.access.groups import Identity, ProviderSignUp, group_changes, group_rules, roles_of
from shared.core.access.invitations import may_sign_up
from shared.core.access.people import AccountState, User, email_key, is_user_name
from shared.core.access.roles import Membership, Role, SpaceProfile
from shared.core.access.sessions import ProviderFlow
from shared.core.documents import SpaceId, UserId, UserName
from shared.ports.access import AcceptFailure, AccessStores, Taken
from shared.ports.sign_in import OpenIdProvider, ProviderRefusal
from shared.settings import Settings

FLOW_SECONDS: Final = 600.0
"""How long somebody may take at the provider."""
_NAMES: Final = 20


@dataclass(frozen=True, slots=True)
class ProviderRedirect:
    """Where the browser goes, and the secret that it keeps in a cookie."""

    address: str
    browser: str


class Identities:
    """Of one process. Only where there is a provider."""

    def __init__(self, stores: AccessStores, settings: Settings, live: Live, provider: OpenIdProvider | None) -> None:
        self._stores = stores
        self._settings = settings
        self._live = live
        self._provider = provider
        self._rules = group_rules(settings.oidc_groups)

    async def begin(
        self, redirect: str, target: str, user: UserId | None, invitation: str | None = None
    ) -> ProviderRedirect:
        """`user`: whose account is to be connected with the identity. `invitation`: the hash of the secret of one
        that is followed; whoever comes back without an account may make one with it."""
        provider = self._known_provider()
        state, nonce, verifier, browser = (secrets.token_urlsafe(32) for _ in range(4))
        address = await provider.address(redirect=redirect, state=state, nonce=nonce, verifier=verifier)
        flow = ProviderFlow(
            nonce, verifier, token_hash(browser), target, time.time() + FLOW_SECONDS, user, invitation
        )
        await self._stores.flows.add(flow, token_hash(state))
        return ProviderRedirect(address, browser)

    async def finish(
        self, *, code: str, state: str, browser: str, redirect: str, address: str | None
    ) -> tuple[User, ProviderFlow]:
        """Who came back, with the roles that the groups give. 403 if that is not the browser that went, if the
        provider says no or what is not valid, and for one for whom no account is made; 409 if the identity is another
        account's than the one to connect."""
        provider = self._known_provider()
        flow = await self._stores.flows.take(token_hash(state), time.time())
        if flow is None or not browser or token_hash(browser) != flow.browser_hash:
            raise ProblemError(PROVIDER_REFUSED, "This sign-in was begun elsewhere, or too long ago. Begin again.")
        claims = await provider.claims(code, redirect=redirect, nonce=flow.nonce, verifier=flow.verifier)
        if isinstance(claims, ProviderRefusal):
            raise ProblemError(PROVIDER_REFUSED, f"The provider: {claims.reason}. Begin again.")
        groups = groups_of(claims, self._settings.oidc_groups_claim)
        wanted = roles_of(groups, self._rules)
        identity = await self._identity(claims, wanted, flow, address)
        needed = None if self._is_welcome(wanted) else flow.invitation
        user = await self._user(identity, claims, needed, address)
        if user.state is AccountState.DISABLED:
            raise ProblemError(ACCOUNT_DISABLED, "An administrator has disabled this account.")
        await self._give(identity, wanted, address)
        return user, flow

    def _known_provider(self) -> OpenIdProvider:
        if self._provider is None:
            raise ProblemError(PROVIDER_REFUSED, "No provider is set (HYPERTASK_OIDC_ISSUER).")
        return self._provider

    async def _identity(
        self, claims: Mapping[str, Any], wanted: Mapping[SpaceId, Role], flow: ProviderFlow, address: str | None
    ) -> Identity:
        """By issuer and subject alone. An address that both have connects nothing: whoever made an account with
        somebody's address, which nobody verifies here, would share the account with them."""
        issuer, subject, linked = self._settings.oidc_issuer.rstrip("/"), claims["sub"], flow.user
        known = await self._stores.identities.by_subject(issuer, subject)
        has_account = known is not None and bool(await self._stores.users.by_ids([known.user]))
        is_welcome = linked is not None or has_account or self._is_welcome(wanted)
        if not is_welcome and not await self._is_invited(flow.invitation):
            detail = "No account is made for you here. Ask an administrator (HYPERTASK_OIDC_SIGN_UP)."
            raise ProblemError(SIGN_UP_CLOSED, detail)
        if known is None:
            user = linked or UserId("u" + secrets.token_hex(12))
            origin = Origin(SERVER, user, address)
            entry = origin.entry(AuditAct.USER_LINKED, time.time(), user=user, issuer=issuer)
            known = await self._stores.identities.add(Identity(issuer, subject, user), entry)
        if linked is not None and known.user != linked:
            raise ProblemError(IDENTITY_TAKEN, "Sign out, and in again in that way.")
        return known

    def _is_welcome(self, wanted: Mapping[SpaceId, Role]) -> bool:
        """Whether an account is made for one who has none, without an invitation."""
        mode = self._settings.oidc_sign_up
        return mode is ProviderSignUp.ALL or (mode is ProviderSignUp.GROUPS and bool(wanted))

    async def _is_invited(self, invitation: str | None) -> bool:
        """Whether one is made for them with the invitation of that secret's hash."""
        if invitation is None or self._settings.oidc_sign_up is ProviderSignUp.NONE:
            return False
        now = time.time()
        known = await self._stores.invitations.by_secret(invitation)
        return known is not None and known.is_valid(now) and may_sign_up(self._settings.sign_up, known, now)

    async def _user(
        self, identity: Identity, claims: Mapping[str, Any], invitation: str | None, address: str | None
    ) -> User:
        """The identity's, who is made if not there yet. `invitation`: the one that this needs; 410 if somebody
        else was quicker."""
        known = (await self._stores.users.by_ids([identity.user])).get(identity.user)
        email = verified_email(claims)
        for name in [*names_of(claims), f"user {secrets.token_hex(4)}"]:
            if known is not None:
                return known
            now = time.time()
            user = User(identity.user, UserName(name), now, email)
            space = SpaceProfile(new_space_id(), FIRST_SPACE, now)
            entry = Origin(SERVER, user.id, address).entry(AuditAct.USER_ADDED, now, user=user.id)
            taken = await self._stores.users.add(user, None, entry, space=space, invitation=invitation)
            if taken is Taken.EMAIL:  # the new one gets no address; who has it keeps the account
                email = None
                user = User(user.id, user.name, now)
                taken = await self._stores.users.add(user, None, entry, space=space, invitation=invitation)
            if isinstance(taken, AcceptFailure):
                raise gone()
            known = (await self._stores.users.by_ids([identity.user])).get(identity.user)
        if known is None:
            raise ProblemError(PROVIDER_REFUSED, "No name is free for you. Begin again.")
        return known

    async def _give(self, identity: Identity, wanted: Mapping[SpaceId, Role], address: str | None) -> None:
        """The roles. What is to be taken back is known before anything is given."""
        stores, user = self._stores, identity.user
        profiles = await stores.spaces.by_ids(list(wanted))
        wanted = {space: role for space, role in wanted.items() if space in profiles}
        held = {member.space: member.role for member in await stores.members.of_user(user)}
        changes = group_changes(wanted, identity.granted, held)
        before = {**identity.granted, **changes.granted}
        if before != identity.granted:
            await stores.identities.set_granted(identity.issuer, identity.subject, before)
        origin, now = Origin(SERVER, user, address), time.time()
        for space, role in changes.add.items():
            entry = origin.entry(AuditAct.MEMBER_ADDED, now, space=space, user=user, role=role.value, groups=True)
            await stores.members.add(Membership(space, user, role, now), entry)
        for space, role in changes.change.items():
            act = AuditAct.MEMBER_ROLE_CHANGED
            entry = origin.entry(act, now, space=space, user=user, role=role.value, groups=True)
            await stores.members.set_role(space, user, role, entry)
        for space in changes.remove:
            entry = origin.entry(AuditAct.MEMBER_REMOVED, now, space=space, user=user, groups=True)
            await stores.members.remove(space, user, entry)
        if less := {*changes.change, *changes.remove}:
            await self._live.tell_access(*less)
        if before != changes.granted:
            await stores.identities.set_granted(identity.issuer, identity.subject, changes.granted)


def groups_of(claims: Mapping[str, Any], name: str) -> set[str]:
    """A list of texts, or one text; anything else is no group."""
    groups = claims.get(name)
    values = groups if isinstance(groups, list) else [groups]
    return {value for value in values if isinstance(value, str)}


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """The address, if the provider has verified it."""
    email = claims.get("email")
    is_fine = isinstance(email, str) and claims.get("email_verified") is True and email_key(email) is not None
    return str(email) if is_fine else None


def names_of(claims: Mapping[str, Any]) -> list[str]:
    """What they may be called, most wanted first."""
    values = [claims.get(name) for name in ("preferred_username", "name", "email", "sub")]
    names = [value.partition("@")[0].strip()[:80] for value in values if isinstance(value, str)]
    names = [name for name in names if is_user_name(name)][:1]
    return [*names, *(f"{name} {number}" for name in names for number in range(2, _NAMES))]
