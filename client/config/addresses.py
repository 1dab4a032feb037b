"""Addresses of upstreams as people write them, and names for them. Pure, but for where a path leads from here."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

SCHEMES: Final = ("http", "https", "folder", "git+file", "git+ssh", "git+http", "git+https", "mongodb", "mongodb+srv")
LONGEST_NAME: Final = 32

_SCP: Final = re.compile(r"[\w.-]+@[\w.-]+:(?!//).+\Z")


class AddressError(ValueError):
    """What somebody wrote is no address; the message says what one looks like."""


def address(text: str) -> str:
    """The address that `text` means: an address, a directory, a repository. Raises AddressError."""
    text = text.strip()
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme in SCHEMES:
        return _checked(text, scheme)
    if scheme in ("ssh", "git"):
        return f"git+ssh://{text.partition('://')[2]}"
    if scheme:
        raise AddressError(f"{scheme}:// is not supported. Supported: {', '.join(SCHEMES)}")
    if _SCP.match(text):
        user, _, path = text.partition(":")
        return f"git+ssh://{user}/{path}"
    if text.startswith(("/", "./", "../", "~")) or text in (".", ".."):
        place = Path(text).expanduser().absolute()
        repository = place.suffix == ".git" or (place / ".git").exists() or (place / "objects").is_dir()
        return f"{'git+file' if repository else 'folder'}://{quote(str(place))}"
    if re.match(r"[\w.-]+(:\d+)?(/|\Z)", text) and ("." in text or ":" in text):
        raise AddressError(f"{text!r} has no scheme; is it https://{text}?")
    raise AddressError(f"{text!r} is not an address. Examples: https://tasks.example.org, /media/stick/tasks")


def without_password(url: str) -> tuple[str, str | None]:
    """An address of a database, and the password that stood in it."""
    parts = urlsplit(url)
    if not url.startswith("mongodb") or parts.password is None:
        return url, None
    user, _, hosts = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user.partition(':')[0]}@{hosts}").geturl(), unquote(parts.password)


def name_for(url: str, taken: Collection[str]) -> str:
    """A short name for an address that nothing else has."""
    parts = urlsplit(url)
    words = parts.hostname or Path(unquote(parts.path).rstrip("/")).name.removesuffix(".git")
    if parts.hostname in ("localhost", "127.0.0.1", "::1"):
        words = "local"
    elif parts.hostname and not parts.hostname.replace(".", "").isdigit():
        words = max(parts.hostname.split(".")[-3:-1] or [parts.hostname], key=len)
    stem = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[: LONGEST_NAME - 3] or "upstream"
    name, number = stem, 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}"
    return name


def server_address(text: str) -> str:
    """The address of a server. Raises AddressError."""
    text = text.strip()
    parts = _parts(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressError(f"{text!r} is not the address of a server. Example: https://tasks.example.org")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise AddressError("leave out user and password, ? and #; the token says who you are")
    return text.rstrip("/")


def _checked(text: str, scheme: str) -> str:
    if scheme in ("http", "https"):
        return server_address(text)
    _parts(text)
    return text


def _parts(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  raises ValueError
    except ValueError as error:
        raise AddressError(f"{text!r} is not an address: {error}") from None
    return parts
