"""What the surroundings decide: addresses, folders, limits. Read once, by the command, and handed on."""

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableError

from app.oidc.issuers import Issuer
from app.ports.rates import Rate, parse_rates
from app.use_cases.schedule import RETRIES

_SECRET_CHARACTERS = 32


class SettingsError(Exception):
    """An environment variable has a value that cannot be used; the message names it."""


class Settings(BaseSettings):
    """The settings of one process, from PARTWISE_<NAME>; the best known also have plain names."""

    model_config = SettingsConfigDict(
        env_prefix="PARTWISE_", env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True
    )

    database_url: str | None = Field(default=None, validation_alias="DATABASE_URL", repr=False)
    """The Postgres to use; without one, `run` starts an embedded one. The service works as the role `partwise_service`,
    where the role of this URL is a member of it."""

    migration_database_url: str | None = Field(default=None, validation_alias="MIGRATION_DATABASE_URL", repr=False)
    """The same database, as the role that owns the tables; without one, migrations run as DATABASE_URL says."""

    port: int = Field(default=8000, ge=0, le=65535, validation_alias="PORT")
    """Where the server listens; 0 takes any free port."""

    host: str = "127.0.0.1"
    """The address that the server listens on: this machine alone, unless told otherwise."""

    home: Path = Path(".partwise")
    """PARTWISE_HOME, the data folder of the embedded Postgres."""

    database_pool_size: int = Field(default=10, ge=1, le=1000)
    """Connections that one server process keeps open at most."""

    database_patience: float = Field(default=10.0, gt=0, le=30)
    """Seconds that a statement of the server may take; then the database is taken to be away."""

    database_write_pool_size: int = Field(default=8, ge=1, le=1000)
    """Batches of events that one server process writes at once at most, each on a connection of its own."""

    ingest_memory: int = Field(default=64 * 1024 * 1024, ge=16 * 1024 * 1024)
    """Bytes of events that wait in one server process to be written; who comes beyond that is told to come again."""

    ingest_patience: float = Field(default=10.0, gt=0, le=60)
    """Seconds that events wait for their turn to be written; then who sent them is told to send them again."""

    rate_limits: Annotated[tuple[Rate, ...], NoDecode] = parse_rates(
        "burst=10000/10 sustained=30000/60 events=1200000/60 cost=6000000/60"
    )
    """What one key may ask for, over all replicas: `name=quota/seconds` for each policy, `off` for none. `burst` and
    `sustained` count requests, `events` what is sent, `cost` what GraphQL queries cost."""

    rate_patience: float = Field(default=20.0, ge=0, le=300)
    """Seconds that a stream of events is held back when its key has sent all it may; beyond that it ends early."""

    failed_attempts: int = Field(default=60, ge=1)
    """Requests with keys that do not count which one address may send in a minute."""

    trusted_proxies: int = Field(default=0, ge=0, le=10)
    """Proxies in front of the server that each add to X-Forwarded-For whom they were asked by; 0 where there are none,
    and the field is not believed."""

    worker_lease: float = Field(default=60.0, ge=1, le=3600)
    """Seconds that a worker has for what it claims; when it dies, another one takes over after that."""

    secrets: str | None = Field(default=None, repr=False)
    """What cursors and tags are signed with, of 32 characters or more each, separated by commas: the first signs, all
    verify. Without it a secret for each tenant is kept in the database."""

    idempotency_keep: float = Field(default=86_400.0, ge=1, le=30 * 86_400)
    """Seconds that the answer to a request with an Idempotency-Key is kept."""

    idempotency_lease: float = Field(default=15.0, ge=1, le=300)
    """Seconds after which a request with an Idempotency-Key is done again whose server has died."""

    changes_keep: int = Field(default=30, ge=1, le=3650)
    """Days that changes of assessments are kept for those who follow them."""

    changes_wait: float = Field(default=15.0, ge=0, le=60)
    """Seconds at most that who follows changes waits for an answer without any."""

    webhooks: int = Field(default=50, ge=0, le=1000)
    """Webhooks of one tenant at most."""

    webhook_networks: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = ()
    """Networks of one's own that webhooks may be sent into beside public addresses, over http, too: `10.1.0.0/16`, with
    commas between. Whoever may manage webhooks can then reach what is there."""

    webhook_timeout: float = Field(default=15.0, ge=1, le=30)
    """Seconds that a receiver of a webhook has for one try, from the look-up of its name to the end of its answer."""

    webhook_retries: Annotated[tuple[float, ...], NoDecode] = RETRIES
    """Seconds before each try of a delivery after the first, with commas between; a fifth more or less by chance. When
    the last one fails, the webhook is disabled."""

    webhook_connections: int = Field(default=200, ge=1, le=10_000)
    """Messages of webhooks that one worker has under way at once at most; those to receivers that fail or are slow have
    a fourth of it of their own."""

    deliveries_keep: int = Field(default=7, ge=1, le=3650)
    """Days that deliveries of webhooks are kept after their end."""

    portfolio_metrics_clients: int = Field(default=10, ge=0, le=100)
    """Clients with the highest scores that portfolio metrics show one by one, where who asks does not say how many."""

    drain_delay: float = Field(default=0.0, ge=0, le=60)
    """Seconds for which a server that was told to end goes on as before, but for `/readyz`, which says that it is not
    ready: time for load balancers to notice. Then it takes no more connections and finishes what it was asked."""

    metrics: bool = True
    """Whether the process counts what it does, for Prometheus."""

    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    """The port of operators: `/metrics`, `/livez` and `/readyz` are there, and `/metrics` is not on the other one. A
    worker has no other port."""

    metrics_host: str | None = None
    """The address for that port; `host` unless told otherwise."""

    commit: str = Field(default="unknown", max_length=64)
    """What the program was built from, for `partwise_build_info`."""

    log_level: Literal["debug", "info", "warning", "error"] | None = None
    """From which level on a process logs to stderr: `info`, with a line for each request, and `warning` for `run`."""

    log_format: Literal["json", "text"] | None = None
    """How it logs: as text where that is a terminal, as JSON elsewhere, unless told otherwise."""

    graphiql: bool = True
    """Whether GraphiQL, the page to try queries on, is served at /graphql."""

    graphql_introspection: bool = True
    """Whether GraphQL clients may ask for the schema."""

    graphql_suggestions: bool = True
    """Whether errors of GraphQL say which field was perhaps meant."""

    graphql_timeout: float = Field(default=10.0, gt=0, le=60)
    """Seconds for a whole GraphQL operation."""

    graphql_documents: Path | None = None
    """A JSON file of trusted documents: their texts by the SHA-256 of each, in hex."""

    graphql_only_trusted: bool = False
    """Whether only trusted documents are run."""

    subscriptions: int = Field(default=5_000, ge=1, le=100_000)
    """GraphQL subscriptions that one server process holds at most."""

    subscriptions_of_tenant: int = Field(default=2_000, ge=1, le=100_000)
    """Those of one tenant among them, at most."""

    subscriptions_of_key: int = Field(default=1_000, ge=1, le=100_000)
    """Those of one key, or of one user, at most."""

    cors_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """The origins whose pages may use the API from a browser, with commas between: `https://app.example`. None unless
    told otherwise, and never all."""

    hsts_seconds: int = Field(default=0, ge=0, le=10 * 366 * 86_400)
    """For how long browsers are to come by TLS alone; 0 says nothing, as it must where there is no TLS."""

    head_seconds: float = Field(default=10.0, gt=0, le=300)
    """Seconds that a client has for a request line and its headers."""

    body_seconds: float = Field(default=20.0, gt=0, le=300)
    """How often it is looked whether a body comes on; it must have brought `body_rate` bytes for each second since."""

    body_rate: int = Field(default=100, ge=1, le=1_000_000)
    """Bytes a second that a body brings at least, so that nobody holds a connection by dripping."""

    read_seconds: float = Field(default=60.0, gt=0, le=3600)
    """Seconds after which a client that reads nothing of its answer, and sends nothing, is cut off."""

    keep_alive_seconds: int = Field(default=75, ge=1, le=3600)
    """Seconds that a connection may rest between two requests: longer than a proxy in front lets its own rest, or the
    proxy sends a request on one that is being closed."""

    connections: int = Field(default=1000, ge=10, le=100_000)
    """Connections that one server process holds at most; one that waits for nothing makes room for a new one."""

    oidc: tuple[Issuer, ...] = ()
    """The OpenID Connect issuers whose access tokens count beside API keys, as a JSON list; see docs/access.md."""

    @field_validator("oidc")
    @classmethod
    def _each_once(cls, issuers: tuple[Issuer, ...]) -> tuple[Issuer, ...]:
        if len({one.issuer for one in issuers}) < len(issuers):
            raise ValueError("expected each issuer once")
        return issuers

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _exact_origins(cls, given: object) -> object:
        """Take them with commas between; an origin is matched as it is written, so it must be written as it is sent."""
        origins = tuple(filter(None, map(str.strip, given.split(",")))) if isinstance(given, str) else given
        for origin in origins if isinstance(origins, tuple) else ():
            if not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:]+\](:[0-9]{1,5})?", origin):
                raise ValueError("must be origins with commas between, in lower case: https://app.example")
        return origins

    @field_validator("webhook_networks", mode="before")
    @classmethod
    def _read_networks(cls, given: object) -> object:
        return tuple(filter(None, map(str.strip, given.split(",")))) if isinstance(given, str) else given

    @field_validator("webhook_retries", mode="before")
    @classmethod
    def _read_retries(cls, given: object) -> object:
        return tuple(filter(None, map(str.strip, given.split(",")))) if isinstance(given, str) else given

    @field_validator("webhook_retries")
    @classmethod
    def _some_retries(cls, retries: tuple[float, ...]) -> tuple[float, ...]:
        if not 1 <= len(retries) <= 15 or not all(0 < seconds <= 7 * 86_400 for seconds in retries):
            raise ValueError("expected 1 to 15 numbers of seconds, each at most a week")
        return retries

    @field_validator("rate_limits", mode="before")
    @classmethod
    def _read_rates(cls, text: object) -> object:
        return parse_rates(text) if isinstance(text, str) else text

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _name_the_driver(cls, url: str | None) -> str | None:
        """Take the URL as hosting providers hand it out, and name the driver that we use."""
        if url is None:
            return None
        scheme, separator, rest = url.partition("://")
        if not separator or scheme not in ("postgres", "postgresql", "postgresql+asyncpg"):
            raise ValueError("must be a Postgres URL: postgresql://user:password@host:5432/database")
        # libpq's name for it; the driver knows the same values as `ssl`.
        return "postgresql+asyncpg://" + re.sub(r"([?&])sslmode=", r"\1ssl=", rest)

    @field_validator("secrets")
    @classmethod
    def _long_enough(cls, secrets: str | None) -> str | None:
        # Its value is not repeated in the message.
        if secrets is not None and any(len(one.strip()) < _SECRET_CHARACTERS for one in secrets.split(",")):
            raise ValueError(f"expected secrets of at least {_SECRET_CHARACTERS} characters, separated by commas")
        return secrets

    @property
    def signing_secrets(self) -> tuple[bytes, ...]:
        """The secrets, the signing one first; none where they are kept in the database."""
        return tuple(one.strip().encode() for one in (self.secrets or "").split(",") if one.strip())

    def with_database(self, url: str, migration_url: str | None = None) -> Self:
        """Return these settings for another database, and for the role that owns its tables where that is another."""
        return self.model_copy(update={"database_url": url, "migration_database_url": migration_url})

    @property
    def owner_url(self) -> str:
        """The database, as the role that migrates it."""
        return self.migration_database_url or self.database_url or ""


def read_settings() -> Settings:
    """Read the environment, or say in one line which variable is wrong."""
    try:
        return Settings()
    except UnreadableError as error:
        # It names the field, and not what is in it.
        name = next((one for one in Settings.model_fields if f'"{one}"' in str(error)), "")
        raise SettingsError(f"PARTWISE_{name.upper()}: expected JSON") from None
    except ValidationError as error:
        raise SettingsError("; ".join(_describe(each["loc"], each["msg"]) for each in error.errors())) from None


def _describe(location: tuple[int | str, ...], message: str) -> str:
    name = str(location[0]) if location else ""
    variable = name if name.isupper() else f"PARTWISE_{name.upper()}"
    inside = "".join(f"/{part}" for part in location[1:])
    return f"{variable}{inside}: {message.removeprefix('Value error, ')}"
