"""Plans: a query compiled once into the functions that answer it.

graphql-core's executor is the reference: it looks at every field of every object anew and asks each value whether it
can be awaited. A plan has settled all that when it is made. It covers queries and subscriptions of object types, lists
and leaves; for anything else there is none. It knows only success: when anything goes wrong the reference is asked,
which can say so.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from operator import attrgetter
from typing import Any, Final, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)
from graphql.execution.values import VariableValues, get_argument_values
from strawberry import Schema
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

__all__ = ["Plan", "Unplanned", "plan_of"]

Complete = Callable[[Any, "_Run"], Any]
_PLAIN: Final = frozenset({"String", "ID", "Int", "Float", "Boolean"})
"""Scalars whose values are JSON as they are."""


class Unplanned(Exception):
    """A plan does not cover this."""


class _Run(NamedTuple):
    """One execution: what resolvers ask of Strawberry's info, and the variables."""

    context: Any
    variables: VariableValues


class _Completion(NamedTuple):
    """How a value becomes JSON, and whether that has to be awaited."""

    complete: Complete
    is_async: bool


class Plan(NamedTuple):
    """A compiled query."""

    complete: Complete
    subscribe: Callable[[Any, VariableValues], AsyncGenerator[Any, None]] | None = None

    def source(self, context: Any, variables: VariableValues) -> AsyncGenerator[Any, None]:
        """The events of a subscription, each of which is to be `run`.

        Raises:
            GraphQLError: its arguments cannot be used.
        """
        assert self.subscribe is not None
        return self.subscribe(context, variables)

    async def run(self, context: Any, variables: VariableValues, root: Any = None) -> dict[str, Any]:
        """Answer the query, or tell an event of a subscription.

        Raises:
            Exception: anything that went wrong; the reference says it as GraphQL wants it.
        """
        found = self.complete(root, _Run(context, variables))
        answer: dict[str, Any] = await found if asyncio.iscoroutine(found) else found
        return answer


def plan_of(
    schema: Schema, operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> Plan | None:
    """Compile an operation that is valid; None where a plan does not cover it."""
    root = schema._schema.get_root_type(operation.operation)  # noqa: SLF001 - Strawberry offers no other way to it
    if operation.operation is OperationType.MUTATION or root is None:
        return None
    compiler = _Compiler(schema, fragments)
    try:
        if operation.operation is OperationType.SUBSCRIPTION:
            return compiler.subscription(root, operation.selection_set)
        return Plan(compiler.object(root, [operation.selection_set]).complete)
    except Unplanned:
        return None


class _Compiler:
    def __init__(self, schema: Schema, fragments: Mapping[str, FragmentDefinitionNode]) -> None:
        self._schema = schema
        self._fragments = fragments

    def subscription(self, root: GraphQLObjectType, selection_set: SelectionSetNode) -> Plan:
        """A subscription: what its one field opens, and how each of its events is told."""
        ((key, nodes),) = self._collected(root, [selection_set]).items()
        field = root.fields[nodes[0].name.value]
        told = field.extensions.get("strawberry-definition")
        if not isinstance(told, StrawberryField) or told.base_resolver is None:
            raise Unplanned
        subscribe: Callable[..., AsyncGenerator[Any, None]] = told.base_resolver.wrapped_func  # type: ignore[assignment]
        arguments = self._arguments(field, told, nodes[0])
        inner = [node.selection_set for node in nodes if node.selection_set is not None]
        complete, waits = self._completion(field.type, inner)

        def opened(context: Any, variables: VariableValues) -> AsyncGenerator[Any, None]:
            run = _Run(context, variables)
            return subscribe(None, info=run, **arguments(run))

        async def ask(event: Any, run: _Run) -> dict[str, Any]:
            return {key: await complete(event, run)}

        return Plan(ask if waits else lambda event, run: {key: complete(event, run)}, opened)

    def object(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> _Completion:
        """Objects of a type, as dictionaries in the order of the query."""
        parts = []
        for key, nodes in self._collected(kind, selections).items():
            parts.append((key, *self._field(kind, nodes)))
        plain = [(key, get) for key, get, is_async in parts if not is_async]
        waiting = [(key, get) for key, get, is_async in parts if is_async]
        if not waiting:
            return _Completion(lambda value, run: {key: get(value, run) for key, get in plain}, False)
        keys = [key for key, _, _ in parts]
        if len(waiting) == 1:
            name, ask = waiting[0]

            async def with_one(value: Any, run: _Run) -> dict[str, Any]:
                found = {key: get(value, run) for key, get in plain}
                found[name] = await ask(value, run)
                return {key: found[key] for key in keys} if plain else found

            return _Completion(with_one, True)

        async def with_many(value: Any, run: _Run) -> dict[str, Any]:
            found = {key: get(value, run) for key, get in plain}
            answers = await asyncio.gather(*(get(value, run) for _, get in waiting))
            found |= {key: answer for (key, _), answer in zip(waiting, answers, strict=True)}
            return {key: found[key] for key in keys}

        return _Completion(with_many, True)

    def _collected(self, kind: GraphQLObjectType, selections: list[SelectionSetNode]) -> dict[str, list[FieldNode]]:
        """The fields that are asked for, by response name; what several places ask for is put together."""
        found: dict[str, list[FieldNode]] = {}

        spread: set[str] = set()

        def collect(selection_set: SelectionSetNode) -> None:
            for node in selection_set.selections:
                if node.directives:
                    raise Unplanned
                match node:
                    case FieldNode():
                        key = (node.alias or node.name).value
                        found.setdefault(key, []).append(node)
                    case InlineFragmentNode(type_condition=condition):
                        if condition is None or self._is(kind, condition.name.value):
                            collect(node.selection_set)
                    case FragmentSpreadNode():
                        name = node.name.value
                        fragment = self._fragments[name]
                        # Once, as in the reference: what is spread twice would double at each level.
                        if name not in spread:
                            spread.add(name)
                            if self._is(kind, fragment.type_condition.name.value):
                                collect(fragment.selection_set)
                    case _:
                        raise Unplanned

        for selection_set in selections:
            collect(selection_set)
        return found

    def _is(self, kind: GraphQLObjectType, condition: str) -> bool:
        return condition == kind.name or any(interface.name == condition for interface in kind.interfaces)

    def _field(self, kind: GraphQLObjectType, nodes: list[FieldNode]) -> tuple[Complete, bool]:
        name = nodes[0].name.value
        if name == "__typename":
            return (lambda value, run: kind.name), False
        field = kind.fields.get(name)
        told = field.extensions.get("strawberry-definition") if field is not None else None
        if field is None or not isinstance(told, StrawberryField):
            raise Unplanned
        inner = [node.selection_set for node in nodes if node.selection_set is not None]
        completion = self._completion(field.type, inner)
        if told.base_resolver is None:
            return _of_attribute(told.python_name, completion), completion.is_async
        return self._of_resolver(field, told, nodes[0], completion)

    def _of_resolver(
        self, field: GraphQLField, told: StrawberryField, node: FieldNode, completion: _Completion
    ) -> tuple[Complete, bool]:
        assert told.base_resolver is not None
        resolve: Callable[..., Any] = told.base_resolver.wrapped_func  # type: ignore[assignment]
        takes_info = told.base_resolver.info_parameter is not None
        arguments = self._arguments(field, told, node)
        complete, waits = completion
        if told.is_async:

            async def ask(value: Any, run: _Run) -> Any:
                named = arguments(run)
                found = await (resolve(value, info=run, **named) if takes_info else resolve(value, **named))
                return await complete(found, run) if waits else complete(found, run)

            return ask, True

        def get(value: Any, run: _Run) -> Any:
            named = arguments(run)
            return complete(resolve(value, info=run, **named) if takes_info else resolve(value, **named), run)

        return get, waits

    def _arguments(
        self, field: GraphQLField, told: StrawberryField, node: FieldNode
    ) -> Callable[[_Run], dict[str, Any]]:
        """The resolver's arguments: settled now where no variable has a part in them."""
        if not told.arguments:
            return lambda run: {}
        converter = self._schema.schema_converter

        def read(variables: VariableValues | None) -> dict[str, Any]:
            values = get_argument_values(field, node, variables)
            return convert_arguments(values, told.arguments, converter.scalar_registry, converter.config)

        if "$" not in _source(node):
            settled = read(None)
            return lambda run: settled
        plain = self._plain_variables(field, told, node)
        if plain is not None:
            return lambda run: {to: run.variables.coerced[name] for to, name in plain if name in run.variables.coerced}
        return lambda run: read(run.variables)

    def _plain_variables(
        self, field: GraphQLField, told: StrawberryField, node: FieldNode
    ) -> list[tuple[str, str]] | None:
        """The resolver's arguments and the variables that they are, where all are variables of plain scalars."""
        converter = self._schema.schema_converter
        names = {converter.config.name_converter.from_argument(one): one.python_name for one in told.arguments}
        found: list[tuple[str, str]] = []
        for argument in node.arguments or ():
            kind = field.args[argument.name.value].type
            kind = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
            plain = isinstance(kind, GraphQLScalarType) and kind.name in _PLAIN
            if not plain or not isinstance(argument.value, VariableNode):
                return None
            found.append((names[argument.name.value], argument.value.name.value))
        return found

    def _completion(self, kind: GraphQLOutputType, inner: list[SelectionSetNode]) -> _Completion:
        if isinstance(kind, GraphQLNonNull):
            return _required(self._nullable(kind.of_type, inner))
        return _optional(self._nullable(kind, inner))

    def _nullable(self, kind: GraphQLOutputType, inner: list[SelectionSetNode]) -> _Completion:
        match kind:
            case GraphQLList(of_type=of_type):
                return _each(self._completion(of_type, inner))
            case GraphQLObjectType():
                return self.object(kind, inner)
            case GraphQLEnumType():
                names = _Names(kind)
                return _Completion(lambda value, run: names[value], False)
            case GraphQLScalarType(name=name) if name in _PLAIN:
                return _Completion(lambda value, run: value, False)
            case GraphQLScalarType():
                serialize = kind.coerce_output_value
                return _Completion(lambda value, run: serialize(value), False)
        raise Unplanned


class _Names(dict[Any, Any]):
    """An enum's names by its values, each asked of the enum once."""

    def __init__(self, kind: GraphQLEnumType) -> None:
        super().__init__()
        self._kind = kind

    def __missing__(self, value: Any) -> Any:
        name = self[value] = self._kind.coerce_output_value(value)
        return name


def _of_attribute(name: str, completion: _Completion) -> Complete:
    get, complete = attrgetter(name), completion.complete
    return lambda value, run: complete(get(value), run)


def _required(completion: _Completion) -> _Completion:
    complete = completion.complete
    if completion.is_async:

        def ask(value: Any, run: _Run) -> Awaitable[Any]:
            if value is None:
                raise Unplanned
            found: Awaitable[Any] = complete(value, run)
            return found

        return _Completion(ask, True)

    def get(value: Any, run: _Run) -> Any:
        if value is None:
            raise Unplanned
        return complete(value, run)

    return _Completion(get, False)


def _optional(completion: _Completion) -> _Completion:
    complete = completion.complete
    if completion.is_async:

        async def ask(value: Any, run: _Run) -> Any:
            return None if value is None else await complete(value, run)

        return _Completion(ask, True)
    return _Completion(lambda value, run: None if value is None else complete(value, run), False)


def _each(completion: _Completion) -> _Completion:
    complete = completion.complete
    if completion.is_async:

        async def ask(values: Any, run: _Run) -> list[Any]:
            return list(await asyncio.gather(*(complete(value, run) for value in values)))

        return _Completion(ask, True)
    return _Completion(lambda values, run: [complete(value, run) for value in values], False)


def _source(node: FieldNode) -> str:
    """The text of a field's arguments."""
    if not node.arguments or node.loc is None:
        return ""
    first, last = node.arguments[0].loc, node.arguments[-1].loc
    assert first is not None
    assert last is not None
    return node.loc.source.body[first.start : last.end]
