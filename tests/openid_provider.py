"""A small OpenID provider, as a process of its own: discovery, keys, a page to sign in on, the code flow with PKCE.

    python -m tests.openid_provider

It prints its issuer, on a free port. Tests tell it who there is, and what it is to do wrong: PUT /people.
"""

from __future__ import annotations

import hashlib
import html
import json
import secrets
import socket
import subprocess
import sys
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

import httpx
import uvicorn
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.instance import ROOT
from tests.patience import PATIENCE_SECONDS

CLIENT, SECRET = "hypertask", "a secret of both"


@dataclass
class State:
    issuer: str = ""
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> claims; `fault`: what is wrong with the ID token."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))
    another: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}))


STATE = State()


async def discovery(request: Request) -> Response:
    issuer = STATE.issuer
    return JSONResponse(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }
    )


async def keys(request: Request) -> Response:
    return JSONResponse({"keys": [STATE.key.as_dict(private=False)]})


async def authorize(request: Request) -> Response:
    query = dict(request.query_params)
    assert query["response_type"] == "code" and query["client_id"] == CLIENT, query
    assert query["code_challenge_method"] == "S256" and "openid" in query["scope"].split(), query
    if request.method == "GET":
        hidden = html.escape(str(request.url.query))
        return HTMLResponse(
            '<!doctype html><title>Provider</title><link rel="icon" href="data:,">'
            f'<form method="post" action="/authorize?{hidden}">'
            '<label>Name <input name="name"></label><button>Sign in</button></form>'
        )
    name = parse_qs((await request.body()).decode())["name"][0]
    code = secrets.token_urlsafe(16)
    STATE.codes[code] = {**query, "name": name}
    fields = {"code": code, "state": query["state"]}
    return RedirectResponse(f"{query['redirect_uri']}?{urlencode(fields)}", 303)


async def token(request: Request) -> Response:
    kind, _, given = request.headers["authorization"].partition(" ")
    client, _, secret = b64decode(given).decode().partition(":")
    fields = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
    asked = STATE.codes.pop(fields["code"], None)
    digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
    if (
        asked is None
        or (kind, client, unquote(secret)) != ("Basic", CLIENT, SECRET)
        or asked["redirect_uri"] != fields["redirect_uri"]
        or asked["code_challenge"] != urlsafe_b64encode(digest).decode().rstrip("=")
    ):
        return JSONResponse({"error": "invalid_grant"}, 400)
    answer = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "id_token": id_token(asked)}
    return JSONResponse(answer)


def id_token(asked: dict[str, str]) -> str:
    person = dict(STATE.people[asked["name"]])
    fault = person.pop("fault", None)
    now = int(time.time())
    claims = {"iss": STATE.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **person}
    header, key, algorithms = {"alg": "RS256", "kid": "one"}, STATE.key, ["RS256"]
    match fault:
        case "nonce":
            claims["nonce"] = "of somebody else"
        case "no nonce":
            del claims["nonce"]
        case "issuer":
            claims["iss"] = "https://evil.example"
        case "audience":
            claims["aud"] = "another client"
        case "several audiences":
            claims |= {"aud": [CLIENT, "another client"], "azp": "another client"}
        case "expired":
            claims["exp"] = now - 3600
        case "forged":
            key = STATE.another
        case "shared secret":
            shared = OctKey.import_key(SECRET.ljust(32, "."))
            return jwt.encode({"alg": "HS256", "kid": "one"}, claims, shared, algorithms=["HS256"])
        case "unsigned":
            parts = ({"alg": "none"}, claims)
            encoded = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
            return ".".join([*encoded, ""])
        case "no subject":
            del claims["sub"]
    return jwt.encode(header, claims, key, algorithms=algorithms)


async def people(request: Request) -> Response:
    STATE.people.update(await request.json())
    return Response(status_code=204)


ROUTES = [
    Route("/.well-known/openid-configuration", discovery),
    Route("/keys", keys),
    Route("/authorize", authorize, methods=["GET", "POST"]),
    Route("/token", token, methods=["POST"]),
    Route("/people", people, methods=["PUT"]),
]


@dataclass(frozen=True)
class RunningProvider:
    """For tests."""

    issuer: str

    def know(self, name: str, **claims: Any) -> None:
        """A person, who signs in by name."""
        person = {"sub": name, "preferred_username": name, **claims}
        httpx.put(f"{self.issuer}/people", json={name: person}).raise_for_status()

    def enter(self, address: str, name: str) -> str:
        """Signs in on the provider's page at that address. Where the browser is sent back to."""
        return str(httpx.post(address, data={"name": name}).headers["location"])


@contextmanager
def running_provider() -> Iterator[RunningProvider]:
    """The process."""
    command = [sys.executable, "-m", "tests.openid_provider"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield RunningProvider(process.stdout.readline().strip())
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
        process.stdout.close()


def main() -> None:
    bound = socket.create_server(("127.0.0.1", 0))
    STATE.issuer = f"http://127.0.0.1:{bound.getsockname()[1]}"
    print(STATE.issuer, flush=True)
    uvicorn.Server(uvicorn.Config(Starlette(routes=ROUTES), log_level="warning")).run(sockets=[bound])


if __name__ == "__main__":
    main()
