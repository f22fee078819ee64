"""The messages that webhooks are sent, as the `webhooks` of the document."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from app.ports.webhooks import DisabledReason, MessageType
from app.rest.changes import AssessmentChangeAnswer

__all__ = ["add_messages"]

_REFERENCES: Final = "#/components/schemas/{model}"


class AssessmentChangedMessage(BaseModel):
    """That a client's assessment became another one."""

    type: Literal["assessment.changed"]
    timestamp: datetime = Field(description="When it became so.")
    data: AssessmentChangeAnswer


class DisabledWebhookAnswer(BaseModel):
    """A webhook that was disabled."""

    webhook_id: str
    url: str
    reason: DisabledReason
    at: datetime


class WebhookDisabledMessage(BaseModel):
    """That another webhook of the tenant was disabled, as it could not be delivered to."""

    type: Literal["webhook.disabled"]
    timestamp: datetime = Field(description="When it was.")
    data: DisabledWebhookAnswer


class PingedWebhookAnswer(BaseModel):
    """A webhook that is pinged."""

    webhook_id: str


class WebhookPingMessage(BaseModel):
    """That somebody tries whether a webhook works."""

    type: Literal["webhook.ping"]
    timestamp: datetime = Field(description="When it was asked for.")
    data: PingedWebhookAnswer


_HOOK: Final = "1c9a6f0e-9a53-4f0e-8a55-0d1f6a7b2c3d"
_AT: Final = "2026-11-25T09:00:00Z"
_MESSAGES: Final[Mapping[MessageType, tuple[type[BaseModel], str, dict[str, Any]]]] = {
    MessageType.CHANGED: (
        AssessmentChangedMessage,
        "A client's assessment became another one: `data` is an item of `GET /v1/changes`.",
        {
            "id": "17",
            "at": _AT,
            "client_id": "acme",
            "as_of": _AT,
            "aspects": ["score_step", "verdict"],
            "before": {"score": 38.5, "verdict": "watch", "client_type": "slow_payer"},
            "after": {"score": 71.25, "verdict": "renegotiate", "client_type": "slow_payer"},
        },
    ),
    MessageType.DISABLED: (
        WebhookDisabledMessage,
        "Another webhook was disabled, as it could not be delivered to: for those that ask for this type.",
        {"webhook_id": _HOOK, "url": "https://crm.example/partwise", "reason": "failed", "at": _AT},
    ),
    MessageType.PING: (
        WebhookPingMessage,
        "Somebody tries whether the webhook works, whatever it asks for.",
        {"webhook_id": _HOOK},
    ),
}
_TEXT: Final = {"type": "string", "maxLength": 500}
_HEADERS: Final = (
    ("webhook-id", "Names the message: the same on each try and each replay.", _TEXT, f"msg_{'0' * 32}"),
    (
        "webhook-timestamp",
        "When this try began, in seconds since 1970.",
        {"type": "integer", "format": "int64", "minimum": 0, "maximum": 99_999_999_999},
        1_795_597_200,
    ),
    (
        "webhook-signature",
        "`v1,` and the base64 of HMAC-SHA256 over id, timestamp and body, with dots between; several in a rotation.",
        _TEXT,
        "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ),
)
_RULES: Final = (
    " It is signed as the Standard Webhooks specification has it: verify before you believe it. Answer 2xx within 15 "
    "seconds, and do what takes longer afterwards; anything else is tried again for three days. The same message may "
    "come twice."
)


def add_messages(document: dict[str, Any]) -> None:
    """Add the messages, and what they are made of."""
    schemas = document["components"]["schemas"]
    models = [(model, "serialization") for model, _, _ in _MESSAGES.values()]
    _, found = models_json_schema(models, ref_template=_REFERENCES)  # type: ignore[arg-type]
    for name, schema in found["$defs"].items():
        schemas.setdefault(name, schema)
    document["webhooks"] = {kind.value: {"post": _operation(kind)} for kind in _MESSAGES}


def _operation(kind: MessageType) -> dict[str, Any]:
    model, summary, data = _MESSAGES[kind]
    words = kind.value.replace(".", " ").title().replace(" ", "")
    return {
        "operationId": f"on{words}",
        "summary": kind.value,
        "description": summary + _RULES,
        "tags": ["webhooks"],
        # What is sent has no key of ours: its signature tells whose it is.
        "security": [],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": description,
                "schema": schema,
                "example": example,
            }
            for name, description, schema, example in _HEADERS
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": _REFERENCES.format(model=model.__name__)},
                    "examples": {
                        "message": {
                            "summary": kind.value,
                            "value": {"type": kind.value, "timestamp": _AT, "data": data},
                        }
                    },
                }
            },
        },
        "responses": {
            "204": {"description": "It was taken; so with any other 2xx."},
            "410": {"description": "It is not wanted any more: the webhook is disabled at once."},
        },
    }
