"""Users: names, e-mail addresses, passwords, and the states that an account can be in.

Laws (tests/unit/core/access/test_access.py):
    name_key(name_key(n)) == name_key(n), and names that differ in case or in compatible characters alone share a key
    email_key(email_key(e)) == email_key(e)
    a name that may be chosen has no "@": it cannot be taken for somebody's e-mail address
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shared.core.display import is_name
from shared.core.documents import UserId, UserName

MAX_EMAIL: Final = 254
MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 1000
"""Characters; hashing takes time in proportion to what is hashed."""
NAME_RULE: Final = '1 to 100 characters, all of them visible, without "@", and without spaces at the ends'
PASSWORD_RULE: Final = f"{MIN_PASSWORD} to {MAX_PASSWORD} characters"
EMAIL_RULE: Final = f"an address such as name@example.org, {MAX_EMAIL} characters at most"

_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""What shows nothing (Default_Ignorable_Code_Point of Unicode, and the empty pattern of Braille). With it somebody
could be called as another person is, to all who see the name."""
_EMAIL: Final = re.compile(r"[^\s@\"(),:;<>\[\\\]\x00-\x1f\x7f]{1,64}@(?P<domain>[^\s@\x00-\x1f\x7f]{1,255})\Z")
_LABEL: Final = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_LEGACY_DIGITS: Final = 24


class AccountState(StrEnum):
    """What an account is."""

    ACTIVE = "active"
    DISABLED = "disabled"
    """By an administrator: nothing opens."""
    LEAVING = "leaving"
    """Its user has deleted it, and may take that back until the grace period ends. No device opens anything."""


@dataclass(frozen=True, slots=True)
class User:
    """A person. Times are seconds since 1970."""

    id: UserId
    name: UserName
    created_at: float
    email: str | None = None
    """As it was given; not verified."""
    administrator: bool = False
    disabled_at: float | None = None
    delete_at: float | None = None
    """When the account is removed, if its user deleted it."""
    exported_at: float | None = None
    """When its user last took everything along."""
    has_password: bool = False
    overrides: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Limits that are other than the settings say, by the setting's name."""

    @property
    def state(self) -> AccountState:
        if self.disabled_at is not None:
            return AccountState.DISABLED
        return AccountState.ACTIVE if self.delete_at is None else AccountState.LEAVING


def is_user_name(text: str) -> bool:
    """Whether a person may choose this name. Users of earlier releases may have others."""
    if _INVISIBLE.search(text) is not None:
        return False
    return is_name(text) and "@" not in text and text == text.strip() and bool(name_key(text))


def name_key(name: str) -> str:
    """What two names that are taken for the same have in common; names are unique by it."""
    key = name
    for _ in range(4):  # case folding can make text that is not normalised, and the other way round
        folded = " ".join(unicodedata.normalize("NFKC", key.casefold()).split())
        if folded == key:
            break
        key = folded
    return key


def email_key(text: str) -> str | None:
    """What two spellings of an address have in common; None if it is not an address. The domain as the network names
    it, the local part without case: that two people have addresses that differ in case alone is unheard of."""
    text = text.strip()
    match = _EMAIL.match(text)
    if match is None or len(text) > MAX_EMAIL:
        return None
    try:
        text.encode("utf-8")
        domain = match["domain"].encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = domain.split(".")
    if len(labels) < 2 or not all(map(_LABEL.match, labels)):
        return None
    local = name_key(text.rpartition("@")[0])
    key = f"{local}@{domain}"
    return key if _EMAIL.match(key) else None


def is_password(text: str) -> bool:
    """Whether a password may be chosen. Its length alone is judged: other rules make passwords worse."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return MIN_PASSWORD <= len(text) <= MAX_PASSWORD


def password_bytes(text: str) -> bytes:
    """What is hashed: the same for all ways in which a keyboard composes the same characters."""
    return unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")


def legacy_user_id(name: str) -> UserId:
    """The id of a user whom an earlier release knew by name alone. It follows from the name, so that all processes
    that meet a device of that user agree, whoever is first."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return UserId("u" + digest[:_LEGACY_DIGITS])
