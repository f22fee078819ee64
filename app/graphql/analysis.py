"""What a query would do, found in one walk over it before anything costly begins.

The walk puts selections together as execution does: what several places ask of one object is one set of fields. So it
knows how deep and how wide the answer is, what it costs, and how many pairs of fields validation would have to compare,
which is where hostile documents spend a server's time. It stops at the first limit: it is quick whatever it is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)
from strawberry.types.field import StrawberryField

from app.graphql.connections import MOST_ON_PAGE, USUAL_ON_PAGE
from app.graphql.costs import Cost
from app.graphql.errors import coded

__all__ = ["Limits", "check_document", "check_operation", "costs_of"]

Costs = Mapping[tuple[str, str], Cost]
_PAGED: Final = ("first", "last")
_META: Final = {"__schema": "__Schema", "__type": "__Type"}
_OF_THE_SCHEMA: Final = {
    "types": 80,
    "fields": 8,
    "args": 3,
    "inputFields": 3,
    "enumValues": 4,
    "possibleTypes": 3,
    "interfaces": 2,
    "directives": 6,
}
"""How many there are, about, of what the schema tells of itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one operation may ask for.

    Attributes:
        characters: of the document.
        tokens: of the document.
        definitions: operations and fragments of the document.
        depth: fields in fields.
        fields: in all, as often as fragments are spread.
        aliases: fields under another name.
        directives: in all.
        pairs: fields of one response name in one place, which have to be compared.
        cost: see `costs.py`.
        schema_cost: the same of what the schema tells of itself, whose fields are cheap.
    """

    characters: int = 20_000
    tokens: int = 1_000
    definitions: int = 50
    depth: int = 12
    fields: int = 500
    aliases: int = 50
    directives: int = 50
    pairs: int = 500
    cost: int = 20_000
    schema_cost: int = 200_000


def costs_of(schema: GraphQLSchema) -> Costs:
    """The costs that a schema tells, by type and field."""
    found: dict[tuple[str, str], Cost] = {}
    for type_name, kind in schema.type_map.items():
        for field_name, field in getattr(kind, "fields", {}).items():
            told = field.extensions.get("strawberry-definition") if isinstance(field, GraphQLField) else None
            if isinstance(told, StrawberryField):
                for directive in told.directives:
                    if isinstance(directive, Cost):
                        found[type_name, field_name] = directive
    return found


def check_operation(  # noqa: PLR0917 - a schema, a document and what holds for them
    schema: GraphQLSchema,
    costs: Costs,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    limits: Limits,
    variables: Mapping[str, Any],
) -> tuple[int, bool]:
    """Walk an operation, which need not be valid yet.

    Returns:
        What it costs, and whether that depends on its variables.

    Raises:
        GraphQLError: it is over a limit, which its code and message name.
    """
    walk = _Walk(schema, costs, document, limits, variables)
    walk.operation(operation)
    return walk.cost, walk.asked_variables


def check_document(
    schema: GraphQLSchema, costs: Costs, document: DocumentNode, limits: Limits, variables: Mapping[str, Any]
) -> tuple[list[tuple[int, bool]], int]:
    """Walk a whole document, also what no operation reaches: validation reads it all.

    What is counted in all, such as fields, is so over all operations; each has a cost of its own.

    Returns:
        For each operation what `check_operation` returns, and how many fields there are in all.

    Raises:
        GraphQLError: it is over a limit, which its code and message name.
    """
    walk = _Walk(schema, costs, document, limits, variables)
    found = []
    for node in document.definitions:
        if isinstance(node, OperationDefinitionNode):
            walk.cost, walk.asked_variables = 0, False
            walk.operation(node)
            found.append((walk.cost, walk.asked_variables))
    walk.cost = 0
    walk.unreached()
    return found, walk.fields


class _Walk:
    def __init__(
        self,
        schema: GraphQLSchema,
        costs: Costs,
        document: DocumentNode,
        limits: Limits,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._costs = costs
        self._limits = limits
        self._variables = variables
        self.asked_variables = False
        self._reached: set[str] = set()
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self.fields = self._aliases = self._directives = self._pairs = self.cost = self._schema_cost = 0

    def operation(self, operation: OperationDefinitionNode) -> None:
        self._count_directives(operation)
        self._walk(operation.selection_set, self._schema.get_root_type(operation.operation))

    def unreached(self) -> None:
        for name, fragment in self._fragments.items():
            if name not in self._reached:
                self._reached.add(name)
                self._walk(fragment.selection_set, self._type(fragment.type_condition.name.value))

    def _walk(self, selection_set: SelectionSetNode, root: GraphQLNamedType | None) -> None:
        # Without recursion: a document may be deeper than the interpreter's stack.
        waiting: list[tuple[list[tuple[SelectionSetNode, GraphQLNamedType | None]], int, int]] = [
            ([(selection_set, root)], 1, 1)
        ]
        while waiting:
            selections, depth, times = waiting.pop()
            # The schema describes itself in deep nests, which validation bounds by a rule of its own.
            if depth > self._limits.depth and not any(_is_of_introspection(parent) for _, parent in selections):
                raise _over("DEPTH", "deeper", self._limits.depth, "levels")
            for nodes in self._collected(selections).values():
                self._pairs += len(nodes) * (len(nodes) - 1) // 2
                if self._pairs > self._limits.pairs:
                    message = "more fields of the same name in one place than can be compared"
                    raise coded(f"the operation has {message}", "LIMIT_PAIRS", limit=self._limits.pairs)
                node, parent = nodes[0]
                field = getattr(parent, "fields", {}).get(node.name.value)
                weight, size = self._weighed(parent, node)
                if _is_of_introspection(parent):
                    self._schema_cost += weight * times
                else:
                    self.cost += weight * times
                if self.cost > self._limits.cost or self._schema_cost > self._limits.schema_cost:
                    raise _over("COST", "costlier", self._limits.cost, "points; see @cost in the schema")
                kind = self._type(_META.get(node.name.value, "")) if field is None else get_named_type(field.type)
                inner = [(one.selection_set, kind) for one, _ in nodes if one.selection_set is not None]
                if inner:
                    waiting.append((inner, depth + 1, times * size))

    def _collected(
        self, selections: list[tuple[SelectionSetNode, GraphQLNamedType | None]]
    ) -> dict[str, list[tuple[FieldNode, GraphQLNamedType | None]]]:
        found: dict[str, list[tuple[FieldNode, GraphQLNamedType | None]]] = {}
        spread: set[str] = set()
        waiting = list(selections)
        while waiting:
            selection_set, parent = waiting.pop()
            for node in selection_set.selections:
                self._count_directives(node)
                match node:
                    case FieldNode():
                        self._count_field(node)
                        found.setdefault((node.alias or node.name).value, []).append((node, parent))
                    case InlineFragmentNode(type_condition=condition):
                        self._count_selection()
                        waiting.append((node.selection_set, self._type(condition.name.value) if condition else parent))
                    case FragmentSpreadNode():
                        self._count_selection()
                        fragment = self._fragments.get(node.name.value)
                        if fragment is not None and node.name.value not in spread:
                            spread.add(node.name.value)
                            self._reached.add(node.name.value)
                            condition_type = self._type(fragment.type_condition.name.value)
                            waiting.append((fragment.selection_set, condition_type))
                    case _:
                        pass
        return found

    def _type(self, name: str) -> GraphQLNamedType | None:
        return self._schema.type_map.get(name)

    def _count_selection(self) -> None:
        self.fields += 1
        if self.fields > self._limits.fields:
            raise _over("FIELDS", "wider", self._limits.fields, "fields")

    def _count_field(self, node: FieldNode) -> None:
        self._count_selection()
        if node.alias is not None:
            self._aliases += 1
            if self._aliases > self._limits.aliases:
                raise _over("ALIASES", "aliased more often", self._limits.aliases, "times")

    def _count_directives(self, node: Any) -> None:
        self._directives += len(node.directives or ())
        if self._directives > self._limits.directives:
            raise _over("DIRECTIVES", "directed more often", self._limits.directives, "times")

    def _weighed(self, parent: GraphQLNamedType | None, node: FieldNode) -> tuple[int, int]:
        """A field's own cost, and how many times what is below it counts."""
        told = self._costs.get((parent.name, node.name.value)) if parent is not None else None
        if told is None:
            return 1, _OF_THE_SCHEMA.get(node.name.value, 1) if _is_of_introspection(parent) else 1
        return told.weight, self._page(node) if told.size == 0 else told.size

    def _page(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in _PAGED:
                value: Any = None
                if isinstance(argument.value, IntValueNode):
                    value = int(argument.value.value[:6])
                elif isinstance(argument.value, VariableNode):
                    self.asked_variables = True
                    value = self._variables.get(argument.value.name.value, MOST_ON_PAGE)
                if isinstance(value, int) and not isinstance(value, bool):
                    return min(max(value, 1), MOST_ON_PAGE)
        return USUAL_ON_PAGE


def _is_of_introspection(kind: GraphQLNamedType | None) -> bool:
    return kind is not None and kind.name.startswith("__")


def _over(code: str, how: str, limit: int, what: str) -> Exception:
    return coded(f"the operation is {how} than {limit} {what}", f"LIMIT_{code}", limit=limit)
