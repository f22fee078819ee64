"""The tags of what can be changed, by which a change is made to what its maker knows, and to nothing else."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

from app.ports.clients import ClientRecord
from app.ports.tenants import ApiKey
from app.ports.webhooks import Webhook
from app.use_cases.seen_webhooks import SeenWebhook
from app.wire.tags import Tagger, Taggers, Tags

__all__ = [
    "ClientTags",
    "Conditions",
    "KeyTags",
    "PolicyTags",
    "WebhookTags",
    "client_tags",
    "key_tags",
    "only",
    "policy_tags",
    "webhook_tags",
]

_SEPARATOR: Final = "."


@dataclass(frozen=True, slots=True)
class Conditions:
    """What has to hold before anything is changed (RFC 9110, 13.1).

    Attributes:
        match: `If-Match`.
        none_match: `If-None-Match`.
    """

    match: Tags | None = None
    none_match: Tags | None = None

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self.match is not None or self.none_match is not None


class _Conditional:
    def __init__(self, tagger: Tagger, conditions: Conditions) -> None:
        """Tag with a tagger, for who changes something on some conditions."""
        self._tagger = tagger
        self.conditions = conditions

    def _fit(self, *parts: object) -> bool:
        match, none = self.conditions.match, self.conditions.none_match
        if match is not None and not (match.everything or self._knows(match.strong, parts)):
            return False
        return none is None or not (none.everything or self._knows(none.all, parts))

    def _knows(self, tags: Sequence[str], parts: Sequence[object]) -> bool:
        return self._tagger.knows(tags, *parts)


class ClientTags(_Conditional):
    """The tags of one client as it is known."""

    def of(self, record: ClientRecord) -> str:
        """Its tag."""
        return self._tagger.tag(*_shown(record))

    def fit(self, record: ClientRecord | None) -> bool:
        """Whether the conditions hold for it, or for there being none."""
        return self.conditions.match is None if record is None else self._fit(*_shown(record))


def _shown(record: ClientRecord) -> tuple[object, ...]:
    """All that an answer about it shows."""
    return record.name, record.country, record.currency, record.time_zone, record.created_at.isoformat()


class PolicyTags(_Conditional):
    """The tags of policies: they change with whichever version is activated, so that nobody overlooks that."""

    def of(self, version: str, activation: int) -> str:
        """The tag of a version after so many activations."""
        return self._tagger.tag(version, activation)

    def fit(self, version: str, activation: int) -> bool:
        """Whether the conditions hold for it then."""
        return self._fit(version, activation)


class KeyTags(_Conditional):
    """The tags of API keys: of two parts, since a change is not to fail because the key was used meanwhile."""

    def of(self, key: ApiKey, status: str) -> str:
        """The tag of a key as it stands: what was made of it, and then what time and use have made."""
        passing = (status, key.last_used_at, key.overlap_ends_at)
        return _SEPARATOR.join((self._tagger.tag(*_settled(key)), self._tagger.tag(*map(str, passing))))

    def fit(self, key: ApiKey) -> bool:
        """Whether the conditions hold for what was made of it."""
        return self._fit(*_settled(key))

    def _knows(self, tags: Sequence[str], parts: Sequence[object]) -> bool:
        return super()._knows([tag.partition(_SEPARATOR)[0] for tag in tags], parts)


def _settled(key: ApiKey) -> tuple[object, ...]:
    moments = (key.created_at, key.expires_at, key.revoked_at)
    return key.key_id, key.name, key.hint, sorted(key.scopes), *map(str, moments)


class WebhookTags(_Conditional):
    """The tags of webhooks: of two parts, since a change is not to fail because something was delivered meanwhile."""

    def of(self, seen: SeenWebhook) -> str:
        """The tag of a webhook as it stands: what was made of it, and then how it does."""
        passing = map(str, astuple(seen.progress))
        return _SEPARATOR.join((self._tagger.tag(*_of_webhook(seen.webhook)), self._tagger.tag(*passing)))

    def fit(self, webhook: Webhook) -> bool:
        """Whether the conditions hold for what was made of it."""
        return self._fit(*_of_webhook(webhook))

    def _knows(self, tags: Sequence[str], parts: Sequence[object]) -> bool:
        return super()._knows([tag.partition(_SEPARATOR)[0] for tag in tags], parts)


def _of_webhook(webhook: Webhook) -> tuple[object, ...]:
    return webhook.webhook_id, webhook.revision


def only(if_match: str | None = None, *, if_new: bool = False) -> Conditions:
    """The conditions of who names one tag, without quotes, or `*`; or wants to make what is not there yet."""
    match = None if if_match is None else Tags(everything=True) if if_match == "*" else Tags(strong=(if_match,))
    return Conditions(match, Tags(everything=True) if if_new else None)


async def client_tags(taggers: Taggers, tenant_id: str, client_id: str, conditions: Conditions) -> ClientTags:
    """The tags of one client."""
    return ClientTags(await taggers.of(tenant_id, "client", client_id), conditions)


async def policy_tags(taggers: Taggers, tenant_id: str, conditions: Conditions) -> PolicyTags:
    """The tags of policies."""
    return PolicyTags(await taggers.of(tenant_id, "policy"), conditions)


async def key_tags(taggers: Taggers, tenant_id: str, conditions: Conditions) -> KeyTags:
    """The tags of API keys."""
    return KeyTags(await taggers.of(tenant_id, "key"), conditions)


async def webhook_tags(taggers: Taggers, tenant_id: str, conditions: Conditions) -> WebhookTags:
    """The tags of webhooks."""
    return WebhookTags(await taggers.of(tenant_id, "webhook"), conditions)
