"""Mutations: send events, put and erase clients, draft and activate policies; what may go wrong is typed."""

from functools import partial
from typing import Annotated, Any

import msgspec
import strawberry

from app.graphql.clients import Client
from app.graphql.context import Context, Info
from app.graphql.costs import Cost
from app.graphql.erasures import Erasure
from app.graphql.fields import described
from app.graphql.policies import PolicyVersion, policy_named
from app.graphql.scalars import JSON, encode_json
from app.ports.ledger import NewEvent, Outcome
from app.ports.rates import Unit
from app.use_cases.clients import ClientProfile
from app.use_cases.errors import (
    ConflictError,
    ForbiddenError,
    InvalidFieldsError,
    InvalidRequestError,
    NotFoundError,
    PartwiseError,
    PreconditionFailedError,
)
from app.use_cases.record_events import Refused
from app.wire.faults import Invalid, MalformedBodyError
from app.wire.fields import is_name
from app.wire.resource_tags import client_tags, only, policy_tags

__all__ = ["Mutation"]

MOST_EVENTS = 1_000
MOST_CHARACTERS = 200
_IF_MATCH = "Only if the client is as you know it: its `etag`, or `*` for any that there is."
EXPECTED_ID = f"expected 1 to {MOST_CHARACTERS} characters, without control characters"

strawberry.enum(Outcome, name="EventOutcome", description="What became of an event.")


@strawberry.interface(description="Why something was not done.")
class Problem:
    """Why something was not done."""

    message: str = described("For people.")


@strawberry.type(description="What is wrong with one field.")
class FieldFault:
    """What is wrong with one field."""

    pointer: str = described("The field, as a JSON pointer (RFC 6901) into the input.")
    detail: str = described("What was expected there.")


@strawberry.type(description="Fields of the input cannot be used.")
class InvalidInput(Problem):
    """Fields of the input cannot be used."""

    faults: list[FieldFault] = described("Every fault that was found.")


@strawberry.type(description="The key does not carry the scope that this needs.")
class Forbidden(Problem):
    """The key does not carry the scope that this needs."""


@strawberry.type(description="There is no such thing.")
class NotFound(Problem):
    """There is no such thing."""


@strawberry.type(description="It cannot be done as things stand.")
class Conflict(Problem):
    """It cannot be done as things stand."""


@strawberry.type(description="It is not as `ifMatch` or `ifNew` says: somebody else has changed it, or made it.")
class PreconditionFailed(Problem):
    """It is not as the caller knows it."""


@strawberry.type(description="What became of one event.")
class EventResult:
    """What became of one event."""

    index: int = described("Its place in what was sent.")
    outcome: Outcome = described("What became of it.")
    event_id: str | None = described("Its id, as far as it could be read.")
    source: str | None = described("Its source, as far as it could be read.")
    faults: list[FieldFault] = described("What is wrong with it; empty for what was accepted.")


@strawberry.type(description="Events were taken, each answered on its own; what was accepted is durable.")
class EventsSent:
    """Events were taken."""

    results: list[EventResult] = described("One for each event, in their order.")
    accepted: int = described("How many are new.")


@strawberry.type(description="A client was put.")
class ClientPut:
    """A client was put."""

    client: Client = described("The client as it is now.")
    created: bool = described("Whether it is new.")


@strawberry.type(description="A client was erased: nobody sees it any more, and its events are refused from now on.")
class ClientErased:
    """A client was erased."""

    erasure: Erasure = described("What stays of it.")


@strawberry.type(description="A version was drafted; it counts for nothing until it is activated.")
class PolicyDrafted:
    """A version was drafted."""

    policy: PolicyVersion = described("The new version.")


@strawberry.type(description="A version counts from now on.")
class PolicyActivated:
    """A version counts from now on."""

    policy: PolicyVersion = described("The version.")


SendEventsResult = Annotated[EventsSent | InvalidInput | Forbidden, strawberry.union("SendEventsResult")]
PutClientResult = Annotated[
    ClientPut | InvalidInput | Conflict | PreconditionFailed | Forbidden, strawberry.union("PutClientResult")
]
EraseClientResult = Annotated[
    ClientErased | InvalidInput | NotFound | PreconditionFailed | Forbidden, strawberry.union("EraseClientResult")
]
DraftPolicyResult = Annotated[
    PolicyDrafted | InvalidInput | Conflict | Forbidden, strawberry.union("DraftPolicyResult")
]
ActivatePolicyResult = Annotated[
    PolicyActivated | NotFound | PreconditionFailed | Forbidden, strawberry.union("ActivatePolicyResult")
]


@strawberry.input(description="Events to record.")
class SendEventsInput:
    """Events to record."""

    events: list[JSON] = described("CloudEvents in structured mode, 1,000 at most.")
    atomic: bool = described("Store all or none.", default=False)


@strawberry.input(description="What is known of a client; what is left out stays as it is.")
class PutClientInput:
    """What is known of a client."""

    client_id: str = described("The tenant's own id.")
    name: str | None = described("What the client is called.", default=None)
    country: str | None = described("ISO 3166-1 alpha-2 code.", default=None)
    currency: str | None = described("ISO 4217 code.", default=None)
    time_zone: str | None = described("IANA name.", default=None)
    if_match: str | None = described(_IF_MATCH, default=None)
    if_new: bool = described("Only if there is no such client yet.", default=False)


@strawberry.input(description="Whom to erase.")
class EraseClientInput:
    """Whom to erase."""

    client_id: str = described("The tenant's own id.")
    if_match: str | None = described(_IF_MATCH, default=None)


@strawberry.input(description="A new version: what changes against the one that it is based on.")
class DraftPolicyInput:
    """A new version."""

    settings: JSON = described("A JSON Merge Patch (RFC 7396) of the settings.")
    based_on: str | None = described("By default the active version.", default=None)
    note: str | None = described("Why, for people.", default=None)


@strawberry.type(description="What can be changed.")
class Mutation:
    """What can be changed."""

    @strawberry.mutation(
        description="Record events, each answered on its own. Sending one again is harmless.",
        directives=[Cost(weight=1_000)],
    )
    async def send_events(self, info: Info, input: SendEventsInput) -> SendEventsResult:  # noqa: A002 - as is usual
        """Record events."""
        context = info.context
        try:
            context.permit("Mutation.sendEvents")
            found = await _decoded(context, input.events)
        except (PartwiseError, MalformedBodyError) as error:
            return _problem(error)
        sent = [one if isinstance(one, NewEvent) else _refused(one) for one in found]
        await context.allowance.take(Unit.EVENTS, len(sent))
        async with context.services.intake.turn(context.tenant_id):
            answers = await context.services.record(context.tenant_id, sent, atomic=input.atomic)
        return EventsSent(
            results=[
                EventResult(
                    index=one.index,
                    outcome=one.outcome,
                    event_id=one.id,
                    source=one.source,
                    faults=[FieldFault(pointer=pointer, detail=detail) for pointer, detail in one.faults],
                )
                for one in answers
            ],
            accepted=sum(one.outcome is Outcome.ACCEPTED for one in answers),
        )

    @strawberry.mutation(description="Say what a client is; it is recorded as an event.")
    async def put_client(self, info: Info, input: PutClientInput) -> PutClientResult:  # noqa: A002 - as is usual
        """Say what a client is."""
        context = info.context
        try:
            context.permit("Mutation.putClient")
            profile = _profile(context, input)
            conditions = only(input.if_match, if_new=input.if_new)
            tags = await client_tags(context.services.tags, context.tenant_id, input.client_id, conditions)
            record, new = await context.services.clients.put(
                context.tenant_id, input.client_id, profile, context.principal.actor, tags.fit if conditions else None
            )
        except PreconditionFailedError as error:
            return PreconditionFailed(message=str(error))
        except ConflictError as error:
            return Conflict(message=str(error))
        except PartwiseError as error:
            return _problem(error)
        return ClientPut(client=Client.of(record, await context.viewpoint(None, None)), created=new)

    @strawberry.mutation(
        description="Erase a client, with all that is known of it and for good. Erasing it again is harmless.",
        directives=[Cost(weight=1_000)],
    )
    async def erase_client(self, info: Info, input: EraseClientInput) -> EraseClientResult:  # noqa: A002 - as is usual
        """Erase a client."""
        context = info.context
        try:
            context.permit("Mutation.eraseClient")
            if not 0 < len(input.client_id) <= MOST_CHARACTERS or not is_name(input.client_id):
                raise InvalidRequestError("/clientId", EXPECTED_ID)
            conditions = only(input.if_match)
            tags = await client_tags(context.services.tags, context.tenant_id, input.client_id, conditions)
            found = await context.services.erase(
                context.tenant_id, input.client_id, context.principal.actor, tags.fit if conditions else None
            )
        except NotFoundError as error:
            return NotFound(message=str(error))
        except PreconditionFailedError as error:
            return PreconditionFailed(message=str(error))
        except PartwiseError as error:
            return _problem(error)
        return ClientErased(erasure=Erasure.of(found))

    @strawberry.mutation(description="Make a new version from the active one, or from another.")
    async def draft_policy(self, info: Info, input: DraftPolicyInput) -> DraftPolicyResult:  # noqa: A002 - as is usual
        """Make a new version."""
        context = info.context
        try:
            context.permit("Mutation.draftPolicy")
            patch = _patch(input.settings)
            based_on, note = _plain(input.based_on, "/basedOn", 40), _plain(input.note, "/note", 500)
            active = await context.services.policies.activation(context.tenant_id)
            found = await context.services.policies.draft(
                context.tenant_id, patch, based_on, note, context.principal.actor
            )
        except ConflictError as error:
            return Conflict(message=str(error))
        except PartwiseError as error:
            return _problem(error)
        return PolicyDrafted(policy=PolicyVersion.of(found, active))

    @strawberry.mutation(description="Let a version count from now on; an earlier one can be activated again.")
    async def activate_policy(
        self,
        info: Info,
        version: str,
        if_match: Annotated[
            str | None, strawberry.argument(description="Only if no version was activated since: the version's `etag`.")
        ] = None,
    ) -> ActivatePolicyResult:
        """Let a version count."""
        context = info.context
        try:
            context.permit("Mutation.activatePolicy")
            _plain(version, "/version", 40)
            conditions = only(if_match)
            tags = await policy_tags(context.services.tags, context.tenant_id, conditions)
            fits = partial(tags.fit, version) if conditions else None
            await context.services.policies.activate(context.tenant_id, version, context.principal.actor, fits=fits)
        except PreconditionFailedError as error:
            return PreconditionFailed(message=str(error))
        except (NotFoundError, InvalidRequestError):
            return NotFound(message="there is no such version")
        except ForbiddenError as error:
            return Forbidden(message=str(error))
        return PolicyActivated(policy=await policy_named(context, version))


async def _decoded(context: Context, events: list[JSON]) -> list[NewEvent | Invalid]:
    if not 0 < len(events) <= MOST_EVENTS:
        raise InvalidRequestError("/events", f"expected 1 to {MOST_EVENTS} events, got {len(events)}")
    try:
        body = encode_json(events)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidRequestError("/events", f"expected CloudEvents: {error}") from None
    return await context.services.decoder.batch_in_turns(body, MOST_EVENTS)


def _patch(settings: JSON) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(encode_json(settings))
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError) as error:
        raise InvalidRequestError("/settings", f"expected JSON: {error}") from None
    if not isinstance(found, dict):
        raise InvalidRequestError("/settings", "expected an object")
    return found


def _refused(found: Invalid) -> Refused:
    return Refused(tuple((fault.pointer, fault.detail) for fault in found.faults), found.id, found.source)


def _profile(context: Context, given: PutClientInput) -> ClientProfile:
    """Check it as the event that it becomes.

    Raises:
        InvalidFieldsError: some of it cannot be.
    """
    said = {
        "name": given.name,
        "country": given.country,
        "currency": given.currency,
        "time_zone": given.time_zone,
    }
    event = {
        "specversion": "1.0",
        "id": "put",
        "source": "partwise:api",
        "type": "client.updated",
        "subject": given.client_id,
        "data": {name: value for name, value in said.items() if value is not None},
    }
    try:
        found = context.services.decoder.structured(msgspec.json.encode(event))
    except ValueError:
        raise InvalidRequestError("", "expected text that UTF-8 can say") from None
    if isinstance(found, Invalid):
        names = {"/subject": "/clientId", "/data/time_zone": "/timeZone"}
        faults = [(names.get(one.pointer, one.pointer.removeprefix("/data")), one.detail) for one in found.faults]
        raise InvalidFieldsError("the client has fields that cannot be used", faults)
    return ClientProfile(**said)


def _plain(text: str | None, pointer: str, most: int) -> str | None:
    if text is not None and (len(text) > most or not is_name(text)):
        raise InvalidRequestError(pointer, f"expected at most {most} characters, without control characters")
    return text


def _problem(error: Exception) -> InvalidInput | Forbidden:
    match error:
        case ForbiddenError():
            return Forbidden(message=str(error))
        case InvalidFieldsError(faults=faults):
            found = [FieldFault(pointer=pointer, detail=detail) for pointer, detail in faults]
            return InvalidInput(message=str(error), faults=found)
        case InvalidRequestError(pointer=pointer):
            fault = FieldFault(pointer="/basedOn" if pointer == "/based_on" else pointer, detail=str(error))
            return InvalidInput(message=str(error), faults=[fault])
        case _:
            return InvalidInput(message=str(error), faults=[])
