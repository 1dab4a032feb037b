"""One frozen Settings. Only entry points call `from_env`; nothing is read at import."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from shared.addresses import NO_ADDRESSES, AddressList, address_list
from shared.core.access.groups import NO_RULES, GroupRules, ProviderSignUp, checked_rules
from shared.core.access.invitations import SignUp
from shared.core.origins import NO_ORIGINS, OriginList, origin_list
from shared.core.protocol import Limits
from shared.core.resolution.retention import Retention


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set, each as HYPERTASK_<NAME> in the environment (docs/operations.md)."""

    mongo_url: str = field(default="mongodb://127.0.0.1:27017/?replicaSet=rs0", repr=False)
    """With user and password. A replica set, even of one member: transactions need it."""
    mongo_database: str = "hypertask"
    redis_url: str = field(default="redis://127.0.0.1:6379/0", repr=False)
    redis_sentinels: AddressList = NO_ADDRESSES
    """Sentinels that say where the master of Redis is: redis-1:26379,redis-2:26379. Of the URL of Redis account,
    database and TLS hold then, and its address does not. Without any the URL says where Redis is."""
    redis_master: str = "mymaster"
    """What the sentinels call it."""
    redis_sentinel_user: str = ""
    """The account of the sentinels themselves ..."""
    redis_sentinel_password: str = field(default="", repr=False)
    """... and its password; without one they are asked without an account."""
    max_document_bytes: int = Limits().max_document_bytes
    max_depth: int = Limits().max_depth
    submit_deadline_seconds: float = 10.0
    """How long a write may take before the API answers 503."""
    batch_documents: int = 500
    """Most submissions that one transaction resolves."""
    batch_bytes: int = 1024 * 1024
    """Most bytes of submissions that one transaction resolves (one submission is always taken)."""
    inbox_documents: int = 20_000
    """Most requests (a batch counts once) that may wait for one space; beyond that the API answers 503 at once."""
    inbox_bytes: int = 16 * 1024 * 1024
    """Most bytes of submissions that may wait for one space; beyond that the API answers 503 at once."""
    inboxes_bytes: int = 256 * 1024 * 1024
    """Most bytes of submissions that may wait for all spaces together; beyond that the API answers 503 at once."""
    pending_bytes: int = 256 * 1024 * 1024
    """Most bytes of submissions that one API process holds at a time; beyond that it answers 503 at once."""
    bodies_bytes: int = 96 * 1024 * 1024
    """Most bytes of request bodies, decompressed, that one API process holds at a time; beyond that 503."""
    space_bodies_bytes: int = 24 * 1024 * 1024
    """The same of one space; beyond that 429. One batch must fit."""
    answers_bytes: int = 128 * 1024 * 1024
    """Most bytes of answers that one API process holds until they are read; beyond that 503."""
    space_answers_bytes: int = 32 * 1024 * 1024
    """The same of one space; beyond that 429. An only answer is always sent."""
    import_bytes: int = 1024 * 1024 * 1024
    """Most bytes of one import, decompressed, which is kept on disk meanwhile (TMPDIR); beyond that 413."""
    body_seconds: float = 20.0
    """How long a body may take to come, and a second more for each 16 KiB of it; then 408."""
    header_seconds: float = 10.0
    """How long the head of a request may take to come; then 408."""
    connections: int = 8192
    """Most connections of one API process. One that waits for a request ends when another one needs its place."""
    devices_per_space: int = 200
    """Most devices of a space, those revoked within a day counted, for one of them to make another; else 409."""
    streams_per_space: int = 1024
    """Event streams and waiting requests of one space, over all API processes; beyond that 429."""
    page_bytes: int = 4 * 1024 * 1024
    """Of documents in one page of `GET /tasks`: it ends with the document that reaches it."""
    lease_seconds: float = 1.5
    """How long a space stays with a worker that gives no sign of life."""
    store_timeout_seconds: float = 4.0
    """How long a database operation waits for a primary."""
    worker_spaces: int = 64
    """Spaces that one worker process serves at the same time."""
    worker_large_spaces: int = 2
    """The same of its process for what is large to decide."""
    retention_days: float = 30.0
    """How long the body of every superseded revision stays: the promised horizon."""
    retention_bytes: int = 256 * 1024 * 1024
    """Per space: older bodies stay as long as all of them fit into it."""
    retention_hash_days: float = 400.0
    """How long the server knows a superseded revision by its hash, whatever became of its body."""
    map_cache_bytes: int = 128 * 1024 * 1024
    """Of hash maps that one API process keeps, as they are answered. 0: all come from Redis."""
    page_cache_bytes: int = 32 * 1024 * 1024
    """Of pages of documents that one API process keeps, as they are answered. 0: none."""
    streams_per_device: int = 16
    """Event streams and waiting requests that one device may have, over all API processes."""
    sign_up: SignUp = SignUp.CLOSED
    """Who may make an account: closed, whom an administrator invites; invited, whom anybody invites; open, all."""
    public_url: str = ""
    """Where browsers find the server, for links and cookies: https://tasks.example.org. Without it: where a request
    came to, and cookies travel without https as well."""
    session_days: float = 30.0
    """How long a browser stays signed in."""
    invitation_days: float = 7.0
    """How long an invitation can be accepted, unless it says something else."""
    grace_days: float = 14.0
    """How long after its deletion an account or a space can be taken back."""
    password_threads: int = 2
    """How many passwords one API process verifies at a time; each takes 19 MiB and some tens of milliseconds."""
    requests_per_address: int = 600_000
    """Most requests a minute from one address (of IPv6: from one network of 64 bits), whoever asks; 0: any number."""
    requests_per_token: int = 300_000
    """The same of one token ..."""
    requests_per_user: int = 600_000
    """... of one user, with all tokens and sessions ..."""
    requests_per_space: int = 600_000
    """... and about one space."""
    streams_per_user: int = 1024
    """Event streams and waiting requests that one user may have, over all API processes; 0: any number."""
    max_batch_bytes: int = Limits().max_batch_bytes
    """Of the body of one `POST /tasks`, decompressed."""
    spaces_per_user: int = 1000
    """Most spaces that are one user's own; 0: any number. Beyond it 507."""
    devices_per_user: int = 1000
    """Most devices of one user, those revoked within a day counted; 0: any number. Beyond it 507. `token create` is
    not bound by it."""
    space_documents: int = 5_000_000
    """Most live documents of a space; 0: any number. The same of the next two. Beyond it 507."""
    space_bytes: int = 32 * 1024 * 1024 * 1024
    """Most bytes of the documents of a space, as JSON."""
    space_history_bytes: int = 128 * 1024 * 1024 * 1024
    """Most bytes of earlier states that a space keeps."""
    sign_ups_per_address: int = 1000
    """Most requests for a new account an hour from one address; 0: any number."""
    oidc_issuer: str = ""
    """The OpenID provider with which people sign in, as it calls itself: https://login.example.org."""
    oidc_client_id: str = "hypertask"
    oidc_client_secret: str = field(default="", repr=False)
    oidc_name: str = "single sign-on"
    """What the button says: "Sign in with ..."."""
    oidc_scopes: str = "openid profile email"
    """What is asked for; some providers tell the groups with a scope of their own."""
    oidc_groups_claim: str = "groups"
    """Where the ID token has the groups."""
    oidc_groups: GroupRules = NO_RULES
    """Which role a group has in which space: GROUP=SPACE:ROLE, separated by commas."""
    oidc_sign_up: ProviderSignUp = ProviderSignUp.GROUPS
    """For whom of those that the provider lets in an account is made: groups (who gets a role by them), all, none."""
    web_app: str = ""
    """The directory of the built web client (web/app). Without it that of the checkout, if it is built; off: none."""
    cors_origins: OriginList = NO_ORIGINS
    """Origins whose pages may use the API from a browser, with tokens, separated by commas."""
    administrator: str = ""
    """The name of a user whom a starting API process makes an administrator; the account too, if there is none."""
    administrator_password: str = field(default="", repr=False)
    """Of that account when it is made; later it has no effect."""
    metrics_port: int = 0
    """Where a process answers `GET /metrics` (docs/operations.md); the next free one, if it is taken. 0: nowhere."""
    metrics_host: str = "127.0.0.1"
    """At which address."""
    metrics_token: str = field(default="", repr=False)
    """To be sent as `Authorization: Bearer`. Without one whoever reaches the port reads them."""
    worker_probe_port: int = 0
    """Where a worker answers `GET /healthz` and `GET /readyz`, on loopback alone. 0: nowhere."""
    log_level: str = "INFO"
    traces_url: str = ""
    """Where traces are sent: OTLP over HTTP, http://collector:4318/v1/traces, or file:/path. Without it there are
    none."""
    traces_share: float = 1.0
    """Of requests that bring no `traceparent`: the share that is traced."""

    @property
    def limits(self) -> Limits:
        return Limits(self.max_document_bytes, self.max_depth, max_batch_bytes=self.max_batch_bytes)

    @property
    def retention(self) -> Retention:
        """ValueError if the days contradict each other."""
        return Retention(self.retention_days, self.retention_bytes, self.retention_hash_days)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """A value may be in a file, whose name HYPERTASK_<NAME>_FILE says: a line end behind it is not part of it.
        Raises ValueError that names the variable when a value does not fit."""
        env = os.environ if env is None else env
        values: dict[str, Any] = {}
        for f in dataclasses.fields(cls):
            name = f"HYPERTASK_{f.name.upper()}"
            if (text := _text_of(name, env)) is None:
                continue
            parse, kind = _PARSERS[str(f.type)]
            try:
                values[f.name] = parse(text)
            except ValueError:
                raise ValueError(f"{name} must be {kind}, not {text!r}") from None
        settings = cls(**values)
        settings._check_redis()
        return settings

    def _check_redis(self) -> None:
        """ValueError, which does not say the URL, since passwords are in it."""
        schemes = ("redis", "rediss") if self.redis_sentinels else ("redis", "rediss", "unix")
        try:
            parts = urlsplit(self.redis_url)
            fits = parts.scheme in schemes and (parts.scheme == "unix" or parts.port != 0)
        except ValueError:  # a port that is no number, for one
            fits = False
        if not fits:
            known = " or ".join(f"{scheme}://" for scheme in schemes)
            beside = " with HYPERTASK_REDIS_SENTINELS" if self.redis_sentinels else ""
            raise ValueError(f"HYPERTASK_REDIS_URL must be an address that begins with {known}{beside}")
        if self.redis_sentinels and not self.redis_master:
            raise ValueError("HYPERTASK_REDIS_MASTER must say what the sentinels call the master")


def _text_of(name: str, env: Mapping[str, str]) -> str | None:
    file = env.get(f"{name}_FILE")
    if name in env or file is None:
        return env.get(name)
    try:
        return Path(file).read_text().rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        raise ValueError(f"{name}_FILE cannot be read: {error}") from None


_PARSERS: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "int": (int, "a whole number"),
    "float": (float, "a number"),
    "str": (str, "a text"),
    "AddressList": (address_list, "addresses such as redis-1:26379,redis-2:26379"),
    "OriginList": (origin_list, "origins such as https://app.example.org, separated by commas"),
    "GroupRules": (checked_rules, "rules such as engineering=s1a2b3:editor, separated by commas"),
    "ProviderSignUp": (ProviderSignUp, "one of groups, all, none"),
    "SignUp": (SignUp, "one of closed, invited, open"),
}
