"""Running operations, however they came: one answer, or one for each event of a subscription."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson
from graphql import ExecutionResult, GraphQLError, OperationType, execute, located_error, subscribe
from graphql.execution.values import VariableValues, get_variable_values

from app.graphql.context import Context
from app.graphql.documents import Documents, InvalidDocument, Operation
from app.graphql.errors import public
from app.graphql.operations import UNKNOWN, Ending
from app.graphql.requests import Request
from app.ports.rates import Unit
from app.use_cases.errors import RateLimitedError

__all__ = ["Answering", "Course", "Prepared", "SubscriptionFailed", "told_errors", "written"]

_MOST_ERRORS: Final = 20
_log = logging.getLogger("partwise.graphql")


@dataclass(slots=True)
class Course:
    """What is known by now of the operation of a request."""

    kind: str = UNKNOWN
    ending: Ending = Ending.REFUSED


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that may be run, with what it came with."""

    operation: Operation
    variables: VariableValues
    request: Request

    @property
    def kind(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.operation.node.operation

    @property
    def is_subscription(self) -> bool:
        """Whether it is answered more than once."""
        return self.kind is OperationType.SUBSCRIPTION


class SubscriptionFailed(Exception):
    """A subscription ends with errors: as they are told."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        """Name them."""
        super().__init__("; ".join(error["message"] for error in errors))
        self.errors = errors


class Answering:
    """Prepares operations and runs them."""

    def __init__(self, documents: Documents) -> None:
        """Read documents so."""
        self._documents = documents
        self._core = documents.schema._schema  # noqa: SLF001 - Strawberry offers no other way to graphql-core's schema

    def prepare(self, request: Request, course: Course) -> Prepared:
        """Read the document of a request.

        Raises:
            InvalidDocument: the document or the variables are wrong.
        """
        text = self._documents.text_of(request.query, request.digest)
        operation = self._documents.operation(text, request.operation_name, request.variables)
        course.kind = operation.node.operation.value
        return Prepared(operation, self._variables(operation, request.variables), request)

    async def answer(self, prepared: Prepared, context: Context, course: Course) -> tuple[int, bytes]:
        """Run a query or mutation: the status of HTTP, and the answer as JSON."""
        operation = prepared.operation
        if operation.plan is not None:
            try:
                found = written({"data": await operation.plan.run(context, prepared.variables)})
                course.ending = Ending.OK
                return 200, found
            except Exception as error:
                # It looks from the same instant, and what was loaded is not loaded again.
                _log.debug("no plan", exc_info=error)
        answer = await self._by_reference(prepared, context)
        course.ending = _ending(answer)
        # What could not be had for lack of the database is worth asking for again.
        is_away = any(error["extensions"]["code"] == "UNAVAILABLE" for error in answer.get("errors", ()))
        return 503 if is_away else 200, written(answer)

    async def payloads(self, prepared: Prepared, context: Context) -> AsyncGenerator[bytes, None]:
        """Run a subscription: each payload as JSON, as it comes. The first says that it stands.

        Raises:
            SubscriptionFailed: it cannot begin, or not go on.
        """
        events = self._planned(prepared, context) if prepared.operation.plan else self._referred(prepared, context)
        try:
            async with aclosing(events):
                async for count, answer in events:
                    await _afford(context, prepared.operation.cost * count)
                    yield written(answer)
        except (GeneratorExit, SubscriptionFailed):
            raise
        except Exception as error:
            raise SubscriptionFailed(told_errors([_located(prepared, error)])) from None

    async def _planned(self, prepared: Prepared, context: Context) -> AsyncGenerator[tuple[int, dict[str, Any]], None]:
        plan = prepared.operation.plan
        assert plan is not None
        async with aclosing(plan.source(context, prepared.variables)) as events:
            async for event in events:
                yield _count(event), {"data": await plan.run(context, prepared.variables, event)}

    async def _referred(self, prepared: Prepared, context: Context) -> AsyncGenerator[tuple[int, dict[str, Any]], None]:
        """The same by the reference, for what no plan covers."""
        made = subscribe(
            self._core,
            prepared.operation.document,
            context_value=context,
            variable_values=prepared.request.variables,
            operation_name=_name_of(prepared.operation),
            hide_suggestions=True,
        )
        found = made if isinstance(made, ExecutionResult | AsyncIterator) else await made
        if isinstance(found, ExecutionResult):
            raise SubscriptionFailed(told_errors(found.errors or []))
        try:
            async for result in found:
                yield 1, _of_result(result)
        finally:
            close = getattr(found, "aclose", None)
            if close is not None:
                await close()

    def _variables(self, operation: Operation, given: dict[str, Any]) -> VariableValues:
        definitions = operation.node.variable_definitions or ()
        found = get_variable_values(
            self._core, definitions, given, max_errors=20, hide_suggestions=not self._documents.suggestions
        )
        if isinstance(found, VariableValues):
            return found
        for error in found:
            error.extensions = {**(error.extensions or {}), "code": "BAD_USER_INPUT"}
        raise InvalidDocument(list(found))

    async def _by_reference(self, prepared: Prepared, context: Context) -> dict[str, Any]:
        ran = execute(
            self._core,
            prepared.operation.document,
            context_value=context,
            variable_values=prepared.request.variables,
            operation_name=_name_of(prepared.operation),
            hide_suggestions=True,
        )
        return _of_result(ran if isinstance(ran, ExecutionResult) else await ran)


def told_errors(errors: list[GraphQLError]) -> list[dict[str, Any]]:
    """Errors as they are answered; what is our fault is logged."""
    found = [(public(error), error) for error in errors[:_MOST_ERRORS]]
    ours = next((error for told, error in found if told["extensions"]["code"] == "INTERNAL"), None)
    if ours is not None:
        _log.error("a resolver failed", exc_info=ours.original_error)
    return [told for told, _ in found]


def written(answer: dict[str, Any]) -> bytes:
    """An answer as JSON."""
    return orjson.dumps(answer, default=_number)


def _of_result(result: ExecutionResult) -> dict[str, Any]:
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer = {"errors": told_errors(result.errors), **answer}
    return answer


def _name_of(operation: Operation) -> str | None:
    return operation.node.name.value if operation.node.name else None


def _count(event: Any) -> int:
    """What of an event is paid for; one that has nothing is free, as nobody asked for it."""
    count: int = getattr(event, "count", 1)
    return count


async def _afford(context: Context, cost: int) -> None:
    """Pay, and wait where that much is not left: what comes meanwhile is at hand."""
    while cost:
        try:
            await context.allowance.take(Unit.COST, cost)
        except RateLimitedError as error:
            await asyncio.sleep(error.wait)
        else:
            return


def _located(prepared: Prepared, error: Exception) -> GraphQLError:
    field = prepared.operation.node.selection_set.selections[0]
    alias, name = getattr(field, "alias", None), getattr(field, "name", None)
    key = alias or name
    return located_error(error, [field], [key.value if key is not None else "subscription"])


def _ending(answer: Mapping[str, Any]) -> Ending:
    if not answer.get("errors"):
        return Ending.OK
    return Ending.ERROR if answer.get("data") is None else Ending.PARTIAL


def _number(value: object) -> orjson.Fragment:
    """A JSON number as it was read, with all its digits."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is no JSON")
    return orjson.Fragment(f"{value:f}")
