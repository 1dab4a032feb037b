"""Somebody whose things are nobody else's business, and those who try to get at them."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from api.access.sign_in import SignIn
from api.authentication.auth import Devices, token_hash
from api.authentication.cookies import csrf_of
from shared.adapters.argon2 import Argon2Hasher
from shared.adapters.mongodb import access_stores, opened
from shared.core.access.audit import BY_OPERATOR, AuditAct
from shared.core.access.invitations import Invitation, InvitationId
from shared.core.access.people import User
from shared.core.access.roles import Membership, Role, SpaceProfile
from shared.core.documents import SpaceId, UserId, UserName
from shared.ports.access import AccessStores
from tests.instance import Instance


@dataclass(frozen=True)
class Names:
    """What requests can name. Those of the victim's are known to whoever tries; those of nobody look the same."""

    space: str
    document: str
    hash: str
    device: str
    session: str
    invitation: str
    user: str
    cursor: str

    @staticmethod
    def of_nobody() -> Names:
        return Names(
            space="s" + secrets.token_hex(10),
            document="d" + secrets.token_hex(8),
            hash=secrets.token_hex(16),
            device="d" + secrets.token_hex(8),
            session="w" + secrets.token_hex(8),
            invitation="i" + secrets.token_hex(8),
            user="u" + secrets.token_hex(12),
            cursor=f"{secrets.token_hex(4)}-3",
        )


@dataclass
class Attacker:
    """`kind`: outsider (may do nothing in the space), unknown (one who is let in nowhere), or reader."""

    name: str
    kind: str
    client: httpx.Client
    csrf: str = ""
    has_session: bool = False


@dataclass
class Victim:
    """The owner of the space."""

    names: Names
    client: httpx.Client
    browser: httpx.Client
    secrets: set[str] = field(default_factory=set)
    """Texts that no answer to anybody else may have in it, and that no request sends."""

    known: dict[str, Any] = field(default_factory=dict)
    """What `state` was before anybody tried."""

    def state(self) -> dict[str, Any]:
        """All that somebody could have changed."""
        answers = {path: self.client.get(path) for path in ("/hashes", "/policies")}
        for path in ("", "/members", "/invitations"):
            answers[path] = self.browser.get(f"/spaces/{self.names.space}{path}")
        for path in ("/me", "/sessions", "/devices"):
            answers[path] = self.browser.get(path)
        assert {answer.status_code for answer in answers.values()} == {200}
        kept = {path: answer.json() for path, answer in answers.items()}
        for row in (*kept["/devices"]["devices"], *kept["/sessions"]["sessions"]):
            for changing in ("last_seen", "last_sync", "lag", "client"):
                row.pop(changing, None)
        return {**kept, "cursor": answers["/hashes"].headers["hypertask-cursor"]}


@dataclass(frozen=True)
class Scene:
    victim: Victim
    attackers: list[Attacker]


class Stage:
    """Makes the people, on the stores of the running server."""

    def __init__(self, stores: AccessStores, url: str) -> None:
        self.stores = stores
        self.url = url
        self.devices = Devices(stores)
        self.sign_in = SignIn(stores, Argon2Hasher(threads=1), session_days=1)

    async def user(self, name: str) -> tuple[User, SpaceId]:
        now = time.time()
        user = User(UserId("u" + secrets.token_hex(12)), UserName(name), now, f"{name}@example.org".lower())
        space = SpaceProfile(SpaceId("s" + secrets.token_hex(10)), f"Home of {name}", now)
        entry = BY_OPERATOR.entry(AuditAct.USER_ADDED, now, user=user.id)
        assert await self.stores.users.add(user, None, entry, space=space) is None
        return user, space.id

    async def token(self, user: User, space: SpaceId, name: str, **more: Any) -> tuple[str, str]:
        """The id of a device, and its token."""
        device, token = await self.devices.create(user, name=name, space=space, origin=BY_OPERATOR, **more)
        return device.id, token

    async def session(self, user: User) -> tuple[str, str]:
        session, token = await self.sign_in.begin(user, address=None, agent=f"Browser of {user.name}")
        return session.id, token

    def client(self, *, token: str | None = None, session: str | None = None) -> httpx.Client:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        cookies = {} if session is None else {"hypertask-session": session}
        return httpx.Client(base_url=self.url, headers=headers, cookies=cookies)

    def by_token(self, name: str, kind: str, token: str | None) -> Attacker:
        return Attacker(name, kind, self.client(token=token))

    def by_session(self, name: str, kind: str, session: str) -> Attacker:
        return Attacker(name, kind, self.client(session=session), csrf_of(session), has_session=True)


async def _staged(server: Instance) -> Scene:
    mark = secrets.token_hex(6)
    async with opened(server.settings) as mongo:
        stage = Stage(access_stores(mongo), server.url)
        stores = stage.stores
        alice, _ = await stage.user(f"Alice {mark}".replace(" ", "-"))
        space = SpaceId("s" + secrets.token_hex(10))
        entry = BY_OPERATOR.entry(AuditAct.SPACE_ADDED, time.time(), space=space)
        await stores.spaces.add(SpaceProfile(space, f"Plans {mark}", time.time()), alice.id, entry)
        device, token = await stage.token(alice, space, f"Laptop {mark}", every_space=True)
        session, cookie = await stage.session(alice)
        secret = "hi_" + secrets.token_hex(20)
        invitation = Invitation(
            InvitationId("i" + secrets.token_hex(8)), alice.id, time.time(), time.time() + 9e5, space, Role.EDITOR
        )
        await stores.invitations.add(
            invitation, token_hash(secret), BY_OPERATOR.entry(AuditAct.INVITATION_ADDED, 1.0)
        )

        attackers = [stage.by_token("nobody", "unknown", None), stage.by_token("no token", "unknown", "ht_x")]
        other, home = await stage.user(f"Olaf-{secrets.token_hex(4)}")
        for name, every in (("another user", True), ("another user's token of one space", False)):
            _, known = await stage.token(other, home, "phone", every_space=every)
            attackers.append(stage.by_token(name, "outsider", known))
        attackers.append(stage.by_session("another user's session", "outsider", (await stage.session(other))[1]))

        removed, home = await stage.user(f"Rex-{secrets.token_hex(4)}")
        known = (await stage.token(removed, home, "phone", every_space=True))[1]
        of_space = (await stage.token(removed, space, "tablet"))[1]
        browser = (await stage.session(removed))[1]
        now = time.time()
        added = BY_OPERATOR.entry(AuditAct.MEMBER_ADDED, now, space=space, user=removed.id)
        await stores.members.add(Membership(space, removed.id, Role.EDITOR, now), added)
        await stores.members.remove(space, removed.id, replace(added, act=AuditAct.MEMBER_REMOVED))
        attackers.append(stage.by_token("a removed member", "outsider", known))
        attackers.append(stage.by_token("a removed member's token of the space", "outsider", of_space))
        attackers.append(stage.by_session("a removed member's session", "outsider", browser))

        revoked, was = await stage.token(alice, space, "old phone", every_space=True)
        await stage.devices.revoke(revoked, origin=BY_OPERATOR)  # type: ignore[arg-type]
        attackers.append(stage.by_token("a revoked token", "unknown", was))
        _, late = await stage.token(alice, space, "old tablet", every_space=True, expires_at=time.time() - 1)
        attackers.append(stage.by_token("an expired token", "unknown", late))
        ended, gone = await stage.session(alice)
        entry = BY_OPERATOR.entry(AuditAct.SESSION_ENDED, time.time())
        await stores.sessions.end(ended, alice.id, entry)  # type: ignore[arg-type]
        attackers.append(stage.by_session("an ended session", "unknown", gone))

        reader, home = await stage.user(f"Rita-{secrets.token_hex(4)}")
        await stores.members.add(Membership(space, reader.id, Role.READER, now), replace(added, user=reader.id))
        known = (await stage.token(reader, home, "phone", every_space=True))[1]
        attackers.append(stage.by_token("a reader", "reader", known))
        attackers.append(stage.by_session("a reader's session", "reader", (await stage.session(reader))[1]))
    client = stage.client(token=token)
    client.headers["hypertask-space"] = space
    document = "d" + secrets.token_hex(8)
    made = client.post(
        f"/task/{document}", json={"client_state": {"id": document, "text": f"first {mark}"}, "base": "0"}
    )
    again = {"client_state": {"id": document, "text": f"second {mark}"}, "base": made.json()["rev"]}
    head = client.post(f"/task/{document}", json=again).raise_for_status().json()
    cursor = client.get("/hashes").headers["hypertask-cursor"]
    names = Names(space, document, made.json()["hash"], device, session, invitation.id, alice.id, cursor)
    known_secrets = {mark, head["hash"], head["rev"], secret, token, cookie}
    victim = Victim(names, client, stage.client(session=cookie), known_secrets)
    victim.known = victim.state()
    return Scene(victim, attackers)


@contextmanager
def staged(server: Instance) -> Iterator[Scene]:
    """The people, and connections for each of them."""
    scene = asyncio.run(_staged(server))
    try:
        yield scene
    finally:
        for client in (scene.victim.client, scene.victim.browser, *(one.client for one in scene.attackers)):
            client.close()
