"""Sections of kb.toml on who comes in and what goes out."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import (
    Field,
    model_validator,
)

from api.limits.work import Counted
from api.settings.kinds import AllowedHost, Cron, HostName, Mistake, Number, Origin, Section

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class McpSettings(Section):
    """Who may reach `/mcp` besides programs on this machine; a wrong name is refused at start."""

    hosts: tuple[HostName, ...] = ()
    """Names in the `Host` header, lower case, without port; needed behind a reverse proxy."""
    origins: tuple[Origin, ...] = ()
    """Web pages that may call, as browsers state them in `Origin`: scheme, name and port."""


class LinkSettings(Section):
    """Whether links to others' pages are looked behind; our own are always judged."""

    enabled: bool = False
    """Nothing leaves the machine unless the team says so."""
    allow_hosts: tuple[AllowedHost, ...] = ()
    """Hosts inside the team's network that may be asked; all others there are refused."""
    schedule: Cron = "0 2 * * mon"
    """Cron, UTC; before the freshness check, which reads what is found."""
    per_host_seconds: float = Field(default=1.0, ge=0.1, le=3600.0)
    """Between two requests to one host."""


class WebhookSettings(Section):
    kind: Literal["slack", "signed"]
    """What chats take, or JSON signed with KB_WEBHOOK_SECRET."""
    url: str | None = Field(default=None, pattern=r"^https?://")
    url_env: str | None = Field(default=None, pattern=r"^KB_[A-Z0-9_]+$")
    """Environment variable that holds the URL, where the URL is a secret, as Slack's are."""
    owners: tuple[str, ...] = ()
    """Whose notices go there; everybody's where left out."""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> WebhookSettings:
        if (self.url is None) == (self.url_env is None):
            raise Mistake(("notices", "webhooks"), "a webhook has a url or a url_env")
        return self


class NoticeSettings(Section):
    """How owners hear of what waits for them."""

    base_url: str | None = Field(default=None, pattern=r"^https?://")
    """Of the service's pages, for links in notices."""
    smtp_host: str | None = None
    smtp_port: Number = Field(default=587, ge=1, le=65535)
    smtp_from: str | None = Field(default=None, pattern=r"^[^\r\n]+@[^\r\n]+$")
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    webhooks: tuple[WebhookSettings, ...] = ()
    allow_hosts: tuple[AllowedHost, ...] = ()
    """Hosts inside the team's network that webhooks may reach."""
    digest_schedule: Cron = "0 6 * * mon"
    """Cron, UTC; after the Drive."""
    reminder_schedule: Cron = "0 7 * * *"
    remind_after_days: Number = Field(default=7, ge=1, le=365)
    escalate_after_days: Number = Field(default=14, ge=1, le=365)
    """Then the owner's fallback is told."""

    @model_validator(mode="after")
    def _adds_up(self) -> NoticeSettings:
        if self.smtp_host is not None and self.smtp_from is None:
            raise Mistake(("notices", "smtp_host"), "smtp_host needs smtp_from")
        if self.escalate_after_days < self.remind_after_days:
            raise Mistake(
                ("notices", "escalate_after_days"), "escalation comes before the reminder"
            )
        return self


class LimitSettings(Section):
    """How much is taken on: calls a minute and key, and searches at once."""

    searches_per_minute: Number = Field(default=6_000, ge=1, le=10_000_000)
    writes_per_minute: Number = Field(default=3_000, ge=1, le=10_000_000)
    reads_per_minute: Number = Field(default=6_000, ge=1, le=10_000_000)
    searches_at_once: Number | None = Field(default=None, ge=1, le=16)
    """As many as there are processors, and at least 2, where left out."""
    searches_waiting: Number = Field(default=64, ge=0, le=10_000)
    longest_wait_seconds: float = Field(default=5.0, gt=0.0, le=60.0)

    @property
    def per_minute(self) -> dict[Counted, int]:
        return {
            Counted.SEARCHES: self.searches_per_minute,
            Counted.WRITES: self.writes_per_minute,
            Counted.READS: self.reads_per_minute,
        }


CLIENT_SECRET_VARIABLE = "KB_OIDC_CLIENT_SECRET"  # noqa: S105  (a name, no secret)


class GrantSettings(Section):
    """Who comes in through OpenID Connect as what; the first that fits counts."""

    claim: str = Field(default="email", min_length=1, max_length=80)
    """Of the ID token: "email", "groups", or whatever the provider states."""
    value: str = Field(min_length=1, max_length=300)
    """What the claim must be, or hold where it is a list."""
    role: Literal["owner", "editor", "admin"]
    owner: str | None = None


class SignInSettings(Section):
    """How people get to the pages."""

    keys: bool = True
    """Whether an API key of a person's role signs in, too."""
    passwords: bool = True
    idle_minutes: Number = Field(default=120, ge=5, le=1440)
    absolute_hours: Number = Field(default=12, ge=1, le=168)
    public_url: Origin | None = None
    """Where people reach the pages, behind a proxy; what the browser asked for where left out."""
    openid_issuer: str | None = Field(default=None, pattern=r"^https?://[^\s?#]+$")
    openid_name: str = Field(default="your organisation", max_length=60)
    """What the button says."""
    client_id: str | None = None
    allowed_domains: tuple[HostName, ...] = ()
    """E-mail domains that may come in; the provider must call the address verified."""
    grants: tuple[GrantSettings, ...] = ()

    @model_validator(mode="after")
    def _provider_is_whole(self) -> SignInSettings:
        if self.openid_issuer is not None:
            if not self.client_id:
                raise Mistake(("sign_in", "client_id"), "OpenID Connect needs a client_id")
            if not self.grants:
                raise Mistake(
                    ("sign_in", "openid_issuer"),
                    "nobody could come in: say who with [[sign_in.grants]]",
                )
            host = urlsplit(self.openid_issuer).hostname or ""
            if self.openid_issuer.startswith("http://") and host not in LOOPBACK:
                raise Mistake(("sign_in", "openid_issuer"), "the provider must be https")
        for grant in self.grants:
            if grant.role == "owner" and grant.owner is None:
                raise Mistake(("sign_in", "grants"), "role 'owner' needs an owner")
        return self
