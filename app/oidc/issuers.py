"""Which identity providers are trusted, with what, and for whom."""

from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.ports.tenants import Scope

__all__ = ["ALGORITHMS", "Issuer", "is_safe_url"]

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Those with a public key. There is no `none`, and no HS…, for which a public key would do as the secret."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_safe_url(url: str) -> bool:
    """Whether what is read there can be trusted: by https, or from this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or parts.fragment:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


class Issuer(BaseModel):
    """One identity provider."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: Annotated[str, Field(max_length=500)]
    """Its URL, just as `iss` has it; its keys are found by discovery."""

    audience: Annotated[str, Field(min_length=1)]
    """Which `aud` tokens are to have: us."""

    tenant: str | None = None
    """The tenant, by its name, that all of its tokens are for; where there is none, `tenant_claim` says it."""

    tenant_claim: str = "tenant"
    """The claim with the tenant's name; a JSON pointer reaches inside: `/org/name`."""

    tenants: frozenset[str] | None = None
    """The only tenants that it may speak for; without it, all."""

    scopes_claim: str = "scope"
    """The claim with what one may do: words with spaces between, or a list; a JSON pointer reaches inside."""

    scopes: dict[str, frozenset[Scope]] = Field(default_factory=lambda: {one.value: frozenset({one}) for one in Scope})
    """What each of these words stands for; others stand for nothing."""

    algorithms: frozenset[str] = frozenset({"RS256", "PS256", "ES256", "EdDSA"})
    """How tokens may be signed."""

    clients: frozenset[str] | None = None
    """The only clients that tokens may have been issued to, as `azp` or `client_id` has them; without it, all."""

    leeway: Annotated[int, Field(ge=0, le=300)] = 60
    """Seconds that its clock and ours may differ."""

    keys_fresh: Annotated[float, Field(ge=1, le=86_400)] = 300.0
    """Seconds after which its keys are read again, while those at hand are used on."""

    keys_kept: Annotated[float, Field(ge=1, le=7 * 86_400)] = 86_400.0
    """Seconds after which its keys are not used any more, where they cannot be read again."""

    keys_pause: Annotated[float, Field(ge=0.1, le=300)] = 5.0
    """Seconds between two attempts to read its keys, whatever tokens come."""

    @field_validator("issuer")
    @classmethod
    def _safe(cls, url: str) -> str:
        if not is_safe_url(url) or "?" in url:
            raise ValueError("must be an https URL without a query, or one of this machine")
        return url

    @field_validator("algorithms")
    @classmethod
    def _with_public_keys(cls, names: frozenset[str]) -> frozenset[str]:
        if not names or not names <= ALGORITHMS:
            raise ValueError(f"must be some of {', '.join(sorted(ALGORITHMS))}")
        return names

    @model_validator(mode="after")
    def _one_tenant(self) -> Self:
        if self.tenant is not None and self.tenants is not None:
            raise ValueError("expected `tenant` or `tenants`, not both")
        return self
