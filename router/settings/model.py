"""Every setting, as one frozen struct that is read once, at start.

The values and one line of why for each stand in `config/default.toml`; `router.settings.load` reads them.
Durations are in seconds.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from router.core.destinations import DestinationKind
from router.core.identities import RouterName, ServerName
from router.core.single_sign_on import Grant

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
ISSUER = r"^(https://[^\s?#]+|http://(localhost|127\.0\.0\.1)(:\d+)?(/[^\s?#]*)?)?$"
"""Encrypted, unless it is on this machine."""
Port = Annotated[int, Meta(ge=1, le=65_535)]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the settings file."""


class AsteriskServer(Section, frozen=True):
    """One Asterisk server and the AMI account on it."""

    name: ServerName
    host: str
    port: Port
    username: str
    secret: str
    """Resolved: a reference to the environment or a file has been followed."""
    tls: bool = False
    tls_ca_file: str = ""

    def __repr__(self) -> str:
        """Without the secret: settings end up in logs and tracebacks."""
        return f"AsteriskServer({self.name!r}, {self.username!r} at {self.host}:{self.port})"


class AmiSettings(Section, frozen=True):
    connect_seconds: Seconds
    login_seconds: Seconds
    claim_seconds: Seconds
    action_seconds: Seconds
    ping_every_seconds: Seconds
    ping_seconds: Seconds
    pings_missed: Annotated[int, Meta(ge=1)]
    reconnect_first_seconds: Seconds
    reconnect_most_seconds: Seconds
    refused_wait_seconds: Seconds
    events_waiting: Annotated[int, Meta(ge=100)]
    """Events of one server that may wait to be handled before the session is given up and resynced."""


class RouterSettings(Section, frozen=True):
    name: RouterName
    """Empty: the host name."""
    hold_seconds: Seconds
    hold_margin_seconds: Seconds
    lookup_seconds: Seconds
    settle_seconds: Seconds


class RedisSettings(Section, frozen=True):
    url: str
    """Empty: an embedded server is started."""
    prefix: str
    shards: Annotated[int, Meta(ge=0, le=256)]
    """0: one on a single server or Sentinel, sixteen on Cluster."""
    timeout_seconds: Seconds
    connect_seconds: Seconds
    embedded_folder: str
    decisions_kept: Annotated[int, Meta(ge=100)]
    jobs_kept: Annotated[int, Meta(ge=100)]


class WorkerSettings(Section, frozen=True):
    name: str
    """Empty: the host name and process id."""
    lookups: Annotated[int, Meta(ge=1)]
    """In flight at the same time."""
    attempt_seconds: Seconds
    retry_first_seconds: Seconds
    answer_bytes: Annotated[int, Meta(ge=1024)]
    large_answer_bytes: Annotated[int, Meta(ge=1024)]
    """The limit of answers that describe a CRM itself."""
    redirects: Annotated[int, Meta(ge=0, le=10)]
    connections: Annotated[int, Meta(ge=1)]
    connections_per_host: Annotated[int, Meta(ge=1)]
    https_only: bool
    allowed_networks: tuple[str, ...]
    """Networks such as `10.20.0.0/16` that may be asked although they are not public."""
    reclaim_slack_seconds: Seconds


class VaultSettings(Section, frozen=True):
    keys: tuple[Any, ...]
    """Texts or references, which only workers follow. The first one seals, every one opens. Empty: the key
    file's."""
    key_file: str
    folder: str
    """Where a worker keeps sealed copies of grants that have a refresh token."""

    def __repr__(self) -> str:
        """Without the keys."""
        return f"VaultSettings({len(self.keys)} keys)"


class TenantSettings(Section, frozen=True):
    source: Literal["files", "records"]
    """The folder `tenants`, or what was published from the records."""


class RecordsSettings(Section, frozen=True):
    url: Annotated[str, Meta(min_length=1)]

    def __repr__(self) -> str:
        """Without the address, which may hold a password."""
        return "RecordsSettings(…)"


class SingleSignOnSettings(Section, frozen=True):
    """An OpenID Connect provider, where people sign in with their organisation's account."""

    issuer: Annotated[str, Meta(pattern=ISSUER)]
    """As its discovery document writes it. Empty: there is none."""
    client_id: str
    client_secret: Any
    """A text or a reference, which only `crmroute admin` follows. Empty: a public client."""
    scopes: tuple[str, ...]
    label: Annotated[str, Meta(max_length=60)]
    """Of the button; empty for a text of ours."""
    links_by_name: bool
    """Whether a verified e-mail address that is a user's name makes that user the person's, at the first
    sign-in."""
    roles_claim: str
    """Whose values `roles` gives a meaning; `realm_access.roles` is one within another. Empty: roles are
    given on the page of users."""
    roles: tuple[Grant, ...]

    def __repr__(self) -> str:
        """Without the secret."""
        return f"SingleSignOnSettings({self.issuer!r}, {self.client_id!r})"


class AdminSettings(Section, frozen=True):
    host: Annotated[str, Meta(min_length=1)]
    port: Port
    base_url: Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+$")]
    """Where browsers find it. With https, cookies are sent over encrypted connections only."""
    trusted_proxies: tuple[str, ...]
    single_sign_on: SingleSignOnSettings

    @property
    def is_encrypted(self) -> bool:
        return self.base_url.startswith("https://")


class LogSettings(Section, frozen=True):
    level: Literal["debug", "info", "warning", "error"]
    format: Literal["json", "text"]


class Settings(Section, frozen=True):
    router: RouterSettings
    ami: AmiSettings
    asterisk: tuple[AsteriskServer, ...]
    redis: RedisSettings
    worker: WorkerSettings
    vault: VaultSettings
    tenants: TenantSettings
    records: RecordsSettings
    admin: AdminSettings
    destinations: dict[DestinationKind, str]
    """Templates, `context,exten,priority` with `{option}` and `{tenant}`. A kind whose template is empty is
    not offered: it is not in here."""
    log: LogSettings
