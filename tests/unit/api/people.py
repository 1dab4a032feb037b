"""Browsers of people, on the API with adapters in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from api.app import create_app
from shared.adapters.openid import HttpOpenIdProvider
from shared.core.access.invitations import SignUp
from shared.settings import Settings
from tests.unit.api.in_memory import Service, running

PASSWORD = "a long password"
Row = dict[str, Any]


@dataclass
class Person:
    """Signed in: cookies, and the header that shows that a page of this site asks."""

    client: httpx.AsyncClient
    user: str
    name: str

    async def call(self, method: str, path: str, status: int = 200, **more: Any) -> Any:
        answer = await self.client.request(method, path, **more)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else None

    async def refused(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        answer = await self.client.request(method, path, **more)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer.status_code, answer.json()["code"]

    async def token(self, **more: Any) -> str:
        made = await self.call("POST", "/devices", 201, json={"name": "laptop", **more})
        return str(made["token"])

    async def home(self) -> str:
        """The space that was made with the account."""
        return str((await self.call("GET", "/spaces"))["spaces"][0]["space"])


class People:
    """A server with anybody in it who wants to."""

    def __init__(self, service: Service, transport: httpx.AsyncBaseTransport) -> None:
        self.service = service
        self.transport = transport
        self._clients: list[httpx.AsyncClient] = []

    def client(self, **headers: str) -> httpx.AsyncClient:
        client = httpx.AsyncClient(transport=self.transport, base_url="http://test", headers=headers)
        self._clients.append(client)
        return client

    def device(self, token: str, space: str | None = None) -> httpx.AsyncClient:
        more = {} if space is None else {"hypertask-space": space}
        return self.client(authorization=f"Bearer {token}", **more)

    async def join(self, name: str, **more: Any) -> Person:
        client = self.client()
        answer = await client.post("/users", json={"name": name, "password": PASSWORD, **more})
        assert answer.status_code == 201, answer.text
        client.headers["hypertask-csrf"] = answer.json()["csrf"]
        return Person(client, answer.json()["user"], name)

    async def shared(self, owner: Person, **roles: Person) -> str:
        """A new space of the owner's, with others in it by invitation."""
        space = (await owner.call("POST", "/spaces", 201, json={"name": "Shared"}))["space"]
        for role, person in roles.items():
            made = await owner.call("POST", f"/spaces/{space}/invitations", 201, json={"role": role})
            await person.call("POST", "/invitations/accept", json={"secret": made["secret"]})
        return str(space)

    async def close(self) -> None:
        for client in self._clients:
            await client.aclose()


@asynccontextmanager
async def people(sign_up: SignUp = SignUp.OPEN, **settings: Any) -> AsyncIterator[People]:
    known = Settings(sign_up=sign_up, **settings)
    service = Service(known, provider=HttpOpenIdProvider(known) if known.oidc_issuer else None)
    async with running(create_app(service.settings, service.lifespan_of)) as transport:
        found = People(service, transport)
        try:
            yield found
        finally:
            await found.close()
