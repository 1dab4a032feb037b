"""Signing a device in with a code that a person approves in a browser (RFC 8628), and out again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from client.sync.upstream import NotAnUpstreamError, RefusedAccessError, UpstreamError
from client.upstreams.coding import value_of
from client.upstreams.http_channel import Channel, refusal

CLIENT_ID: Final = "hypertask"
DEVICE_GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
SLOW_DOWN_SECONDS: Final = 5.0
_NO_ROOM: Final = (409, 507)
"""The user, or the space, has as many devices as it may have."""


class NotApprovedError(UpstreamError):
    """Nobody approved the code in time, or somebody refused it."""

    code = "not-approved"


@dataclass(frozen=True, slots=True)
class LoginCode:
    """What the person is shown, and what the terminal asks with."""

    user_code: str
    page: str
    page_with_code: str
    secret: str
    expires_in: float
    interval: float


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, and which device it is."""

    token: str
    device: str
    space: str


async def begin_login(channel: Channel, device_name: str) -> LoginCode:
    """Raises UpstreamError; NotAnUpstreamError if the server has no accounts."""
    answer = await channel.request("POST", "/oauth/device", form={"client_id": CLIENT_ID, "device_name": device_name})
    if answer.status_code in (404, 405):
        raise NotAnUpstreamError(
            f"{channel.url} has no accounts that one could sign in to. With a token: hypertask connect {channel.url}"
        )
    members = _members(channel, answer)
    try:
        return LoginCode(
            str(members["user_code"]),
            str(members["verification_uri"]),
            str(members.get("verification_uri_complete") or members["verification_uri"]),
            str(members["device_code"]),
            float(members["expires_in"]),
            max(float(members.get("interval", 5)), 0.0),
        )
    except (KeyError, TypeError, ValueError):
        raise channel.unexpected(answer, "there is no code in its answer") from None


async def finish_login(
    channel: Channel,
    code: LoginCode,
    *,
    tell: Callable[[str], None] = lambda why: None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Granted:
    """Waits until the code is approved. Raises NotApprovedError if it is refused or expires, and UpstreamError.
    `tell`: is called once if it is approved and there is no room for another device."""
    interval, end = code.interval, clock() + code.expires_in
    no_room = ""
    form = {"grant_type": DEVICE_GRANT, "device_code": code.secret, "client_id": CLIENT_ID}
    while clock() < end:
        await sleep(interval)
        try:
            answer = await channel.request("POST", "/oauth/token", form=form)
        except UpstreamError as error:
            if not error.passing:
                raise
            interval += SLOW_DOWN_SECONDS  # it may be over before the code has expired
            continue
        if answer.status_code == 200:
            return _granted(channel, answer)
        match _error(answer):
            case "authorization_pending":
                continue
            case "slow_down":
                interval += SLOW_DOWN_SECONDS
            case "access_denied":
                raise NotApprovedError(f"{channel.url}: you refused the code {code.user_code} there.")
            case "expired_token":
                break
            case _ if answer.status_code in _NO_ROOM:
                if not no_room:
                    no_room = refusal(answer).reason
                    tell(no_room)
                interval = max(interval, SLOW_DOWN_SECONDS)
            case _:
                raise channel.unexpected(answer, refusal(answer).reason)
    if no_room:
        raise NotApprovedError(f"{channel.url}: {no_room} Then: hypertask login {channel.url}")
    raise NotApprovedError(f"The code {code.user_code} has expired. Once more: hypertask login {channel.url}")


async def log_out(channel: Channel) -> str | None:
    """Revokes the token of the channel; its device's name. None: it opened nothing any more before."""
    try:
        answer = await channel.request("GET", "/devices")
        rows = _members(channel, answer).get("devices")
        current = [row for row in rows if row.get("current")] if isinstance(rows, list) else []
        if not current:
            raise channel.unexpected(answer, "this device is not in the list")
        ended = await channel.request("DELETE", f"/devices/{current[0]['device']}")
    except RefusedAccessError:
        return None
    if ended.status_code not in (204, 404):
        raise channel.unexpected(ended, refusal(ended).reason)
    return str(current[0].get("name", ""))


async def space_named(channel: Channel, wanted: str) -> str:
    """The id of the space that is called so, or has that id, among those that the token opens. Raises UpstreamError
    with their names if there is none, or more than one."""
    rows = _members(channel, await channel.request("GET", "/spaces")).get("spaces")
    spaces = {str(row.get("space")): str(row.get("name")) for row in rows} if isinstance(rows, list) else {}
    if wanted in spaces:
        return wanted
    named = [space for space, name in spaces.items() if name == wanted]
    if len(named) == 1:
        return named[0]
    listed = ", ".join(f"{name} ({space})" for space, name in spaces.items())
    why = "you are in no space that is called" if not named else "more than one of your spaces is called"
    raise NotAnUpstreamError(f"{channel.url}: {why} {wanted}. Your spaces: {listed}")


def _granted(channel: Channel, answer: httpx.Response) -> Granted:
    members = _members(channel, answer)
    if not isinstance(members.get("access_token"), str):
        raise channel.unexpected(answer, "there is no token in its answer")
    return Granted(members["access_token"], str(members.get("device", "")), str(members.get("space", "")))


def _members(channel: Channel, answer: httpx.Response) -> Mapping[str, Any]:
    members = channel.value_of(answer)
    if not isinstance(members, dict):
        raise channel.unexpected(answer, "its answer is not a JSON object")
    return members


def _error(answer: httpx.Response) -> str:
    try:
        value = value_of(answer)
    except ValueError:
        return ""
    return str(value.get("error", "")) if isinstance(value, dict) else ""
