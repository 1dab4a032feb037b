"""OpenIdProvider over HTTP: discovery, the address that people are sent to, and what it says of them (OpenID Connect
Core 1.0, the code flow with PKCE). ID tokens are verified by authlib and joserfc."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.ports import UnavailableError
from shared.ports.sign_in import ProviderRefusal
from shared.settings import Settings

ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""With a key pair alone: neither "none" nor a secret that both have."""
LEEWAY_SECONDS: Final = 60
_TIMEOUT_SECONDS: Final = 10
_KEPT_SECONDS: Final = 3600.0
_AGAIN_SECONDS: Final = 60.0
"""How often keys are asked for again when none fits: a provider that has changed them has new ones."""
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class ProviderError(UnavailableError):
    """The provider does not answer, or not as one."""


class HttpOpenIdProvider:
    """The one that the settings name."""

    def __init__(self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """ValueError for an issuer that is not reached by https."""
        self._issuer = settings.oidc_issuer.rstrip("/")
        self._client_id = settings.oidc_client_id
        self._secret = settings.oidc_client_secret
        self._scopes = settings.oidc_scopes
        self._transport = transport
        self._metadata: tuple[float, dict[str, Any]] | None = None
        self._keys: tuple[float, KeySet] | None = None
        self._loading = asyncio.Lock()
        parts = urlsplit(self._issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("HYPERTASK_OIDC_ISSUER must begin with https://")

    async def address(self, *, redirect: str, state: str, nonce: str, verifier: str) -> str:
        metadata = await self._discovered()
        return str(
            prepare_grant_uri(
                metadata["authorization_endpoint"],
                self._client_id,
                "code",
                redirect_uri=redirect,
                scope=self._scopes,
                state=state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        )

    async def claims(
        self, code: str, *, redirect: str, nonce: str, verifier: str
    ) -> Mapping[str, Any] | ProviderRefusal:
        metadata = await self._discovered()
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "code_verifier": verifier,
            "client_id": self._client_id,
        }
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        by_header = bool(self._secret) and "client_secret_basic" in methods
        if self._secret and not by_header:
            fields["client_secret"] = self._secret
        auth = httpx.BasicAuth(self._client_id, self._secret) if by_header else None
        answer = await self._fetched("POST", metadata["token_endpoint"], data=fields, auth=auth)
        if answer.status_code >= 500:
            raise ProviderError(f"the OpenID provider answers with status {answer.status_code}")
        token = _members(answer).get("id_token") if answer.status_code == 200 else None
        if not isinstance(token, str):
            return ProviderRefusal("it does not know this sign-in any more")
        return await self._verified(token, nonce, metadata)

    async def _verified(
        self, token: str, nonce: str, metadata: Mapping[str, Any]
    ) -> Mapping[str, Any] | ProviderRefusal:
        try:
            decoded = await self._decoded(token, metadata)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": metadata["issuer"]},
                    "aud": {"essential": True, "value": self._client_id},
                    "nonce": {"essential": True, "value": nonce},
                },
                {"nonce": nonce, "client_id": self._client_id},
            )
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError) as error:
            return ProviderRefusal(f"its ID token is not valid ({getattr(error, 'error', type(error).__name__)})")
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            return ProviderRefusal("its ID token has no valid subject")
        return dict(claims)

    async def _decoded(self, token: str, metadata: Mapping[str, Any]) -> jwt.Token:
        """JoseError if no key of the provider's has signed it."""
        try:
            return jwt.decode(token, await self._key_set(metadata, _KEPT_SECONDS), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            return jwt.decode(token, await self._key_set(metadata, _AGAIN_SECONDS), algorithms=ALGORITHMS)

    async def _key_set(self, metadata: Mapping[str, Any], age: float) -> KeySet:
        async with self._loading:
            if self._keys is None or time.monotonic() - self._keys[0] > age:
                answer = await self._fetched("GET", metadata["jwks_uri"])
                try:
                    self._keys = (time.monotonic(), KeySet.import_key_set(_members(answer)))  # type: ignore[arg-type]
                except (JoseError, KeyError, TypeError, ValueError) as error:
                    raise ProviderError("the OpenID provider has no keys that can be read") from error
            return self._keys[1]

    async def _discovered(self) -> Mapping[str, Any]:
        async with self._loading:
            if self._metadata is None or time.monotonic() - self._metadata[0] > _KEPT_SECONDS:
                answer = await self._fetched("GET", f"{self._issuer}/.well-known/openid-configuration")
                metadata = _members(answer) if answer.status_code == 200 else {}
                if str(metadata.get("issuer", "")).rstrip("/") != self._issuer:
                    raise ProviderError("the OpenID provider does not call itself as HYPERTASK_OIDC_ISSUER says")
                wanted = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                if not all(isinstance(metadata.get(name), str) for name in wanted):
                    raise ProviderError("the OpenID provider does not say where to sign in")
                self._metadata = (time.monotonic(), metadata)
            return self._metadata[1]

    async def _fetched(self, method: str, url: str, **options: Any) -> httpx.Response:
        client = httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, transport=self._transport)
        try:
            async with client:
                return await client.request(method, url, **options)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ProviderError("the OpenID provider does not answer") from error


def _members(answer: httpx.Response) -> dict[str, Any]:
    try:
        members = answer.json()
    except ValueError as error:
        raise ProviderError("the OpenID provider does not answer with JSON") from error
    if not isinstance(members, dict):
        raise ProviderError("the OpenID provider does not answer with a JSON object")
    return members
