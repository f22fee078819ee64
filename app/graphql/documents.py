"""Documents: parsed, checked and validated once, and compiled; kept by their text."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)
from graphql.validation import NoSchemaIntrospectionCustomRule, specified_rules
from strawberry import Schema

from app.graphql.analysis import Limits, check_document, check_operation, costs_of
from app.graphql.errors import coded
from app.graphql.plans import Plan, plan_of
from app.use_cases.recent import Recent

__all__ = ["Documents", "InvalidDocument", "Operation", "read_trusted"]

_KEPT_FIELDS: Final = 30_000
"""Of documents kept at hand; what is made of a field takes some three kilobytes."""
_MOST_ERRORS: Final = 20
_COSTLY: Final = 200
_LONGER: Final = Limits(characters=200_000, tokens=10_000)


def read_trusted(path: Path | None) -> dict[str, str]:
    """Read a file of trusted documents: a JSON object of their texts by SHA-256.

    Raises:
        ValueError: it is no such file, or a digest is not that of its text.
    """
    if path is None:
        return {}
    found = orjson.loads(path.read_bytes())
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected a JSON object of documents by SHA-256")
    for digest, text in found.items():
        if not isinstance(text, str) or hashlib.sha256(text.encode()).hexdigest() != digest.lower():
            raise ValueError(f"{path}: {digest} is not the SHA-256 of its document")
    return {digest.lower(): text for digest, text in found.items()}


class InvalidDocument(Exception):
    """A document that cannot be run: what is wrong with it, as GraphQL errors."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        """Name the errors."""
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


@dataclass(slots=True)
class Operation:
    """One operation of a valid document, ready to run.

    Attributes:
        document: the document.
        node: the operation.
        paged_by_variables: whether its cost depends on variables, so that it is checked again with them.
        cost: what it costs, with the variables that it came with.
        is_costly: whether it is worth looking whether somebody still waits for it.
        plan: how it is answered, once it is planned; None where the reference has to.
    """

    document: DocumentNode
    node: OperationDefinitionNode
    paged_by_variables: bool
    cost: int = 0
    is_costly: bool = False
    plan: Plan | None = None
    is_planned: bool = False

    @property
    def is_query(self) -> bool:
        """Whether it only reads."""
        return self.node.operation is OperationType.QUERY


class Documents:
    """Reads documents, and keeps what it made of them within a bound."""

    def __init__(
        self,
        schema: Schema,
        *,
        limits: Limits | None = None,
        introspection: bool = True,
        suggestions: bool = True,
        trusted: Mapping[str, str] | None = None,
        only_trusted: bool = False,
    ) -> None:
        """Read documents of a schema.

        Args:
            schema: what can be asked.
            limits: the most that one operation may ask for.
            introspection: whether the schema may be asked for.
            suggestions: whether errors say what was perhaps meant.
            trusted: documents that were registered before, by the SHA-256 of their text in hex.
            only_trusted: whether nothing else is run.
        """
        self.schema = schema
        self._core = schema._schema  # noqa: SLF001 - Strawberry offers no other way to graphql-core's schema
        self._limits = limits or Limits()
        self._costs = costs_of(self._core)
        self._rules = [*specified_rules, *([] if introspection else [NoSchemaIntrospectionCustomRule])]
        self.suggestions = suggestions
        self._trusted = dict(trusted or {})
        self._trusted_texts = frozenset(self._trusted.values())
        self._only_trusted = only_trusted
        self._kept: Recent[str, dict[str | None, Operation]] = Recent(_KEPT_FIELDS)

    def text_of(self, text: str | None, digest: str | None) -> str:
        """The text of a document that is named by its digest, or sent.

        Raises:
            InvalidDocument: it is not registered, or does not have that digest.
        """
        if digest is not None:
            found = self._trusted.get(digest.lower())
            if found is not None:
                return found
            if text is None or self._only_trusted:
                raise InvalidDocument(
                    [coded("there is no trusted document of that digest", "PERSISTED_QUERY_NOT_FOUND")]
                )
        if text is None:
            raise InvalidDocument([coded("expected `query`, the text of a document", "BAD_REQUEST")])
        if self._only_trusted and hashlib.sha256(text.encode()).hexdigest() not in self._trusted:
            raise InvalidDocument([coded("only trusted documents are run", "UNTRUSTED_DOCUMENT")])
        return text

    def operation(self, text: str, name: str | None, variables: Mapping[str, Any]) -> Operation:
        """One operation of a document.

        Raises:
            InvalidDocument: the document is none, is over a limit, or is not valid; or has no such operation.
        """
        operations = self._kept.get(text)
        if operations is None:
            operations = self._read(text, variables)
        found = operations.get(name)
        if found is None:
            if name is None:
                raise InvalidDocument([coded("expected `operationName`: there are several", "BAD_REQUEST")])
            raise InvalidDocument([coded("the document has no operation of that name", "BAD_REQUEST")])
        if not found.is_planned:
            # Only what is run is compiled.
            found.plan, found.is_planned = self._plan(found), True
        if found.paged_by_variables:
            try:
                cost, _ = check_operation(self._core, self._costs, found.document, found.node, self._limits, variables)
            except GraphQLError as error:
                raise InvalidDocument([error]) from None
            return replace(found, cost=cost)
        return found

    def _read(self, text: str, variables: Mapping[str, Any]) -> dict[str | None, Operation]:
        # Who registered a document has looked at it: it may be longer, but costs no less.
        trusted = text in self._trusted_texts
        document = self._parsed(text, _LONGER if trusted else self._limits)
        if not trusted and len(document.definitions) > self._limits.definitions:
            message = f"the document has more than {self._limits.definitions} operations and fragments"
            raise InvalidDocument([coded(message, "LIMIT_DEFINITIONS", limit=self._limits.definitions)])
        nodes = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        if not nodes:
            raise InvalidDocument([coded("the document has no operation", "BAD_REQUEST")])
        try:
            checked, fields = check_document(self._core, self._costs, document, self._limits, variables)
        except GraphQLError as error:
            raise InvalidDocument([error]) from None
        errors = validate(self._core, document, self._rules, _MOST_ERRORS, hide_suggestions=not self.suggestions)
        if errors:
            raise InvalidDocument(errors)
        found: dict[str | None, Operation] = {}
        for node, (cost, paged_by_variables) in zip(nodes, checked, strict=True):
            operation = Operation(document, node, paged_by_variables, cost, cost >= _COSTLY)
            if node.name is not None:
                found[node.name.value] = operation
            if len(nodes) == 1:
                found[None] = operation
        self._kept.put(text, found, fields + len(text) // 20)
        return found

    def _plan(self, operation: Operation) -> Plan | None:
        definitions = operation.document.definitions
        fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
        return None if _asks_for_the_schema(operation.node) else plan_of(self.schema, operation.node, fragments)

    def _parsed(self, text: str, limits: Limits) -> DocumentNode:
        if len(text) > limits.characters:
            message = f"the document has more than {limits.characters} characters"
            raise InvalidDocument([coded(message, "LIMIT_CHARACTERS", limit=limits.characters)])
        try:
            return parse(text, max_tokens=limits.tokens)
        except GraphQLError as error:
            if "tokens. Parsing aborted" in error.message:
                message = f"the document has more than {limits.tokens} tokens"
                raise InvalidDocument([coded(message, "LIMIT_TOKENS", limit=limits.tokens)]) from None
            error.extensions = {**(error.extensions or {}), "code": "GRAPHQL_PARSE_FAILED"}
            raise InvalidDocument([error]) from None
        except RecursionError:
            raise InvalidDocument([coded("the document is nested too deeply", "LIMIT_DEPTH")]) from None


def _asks_for_the_schema(node: OperationDefinitionNode) -> bool:
    return any(
        isinstance(one, FieldNode) and one.name.value in ("__schema", "__type") for one in node.selection_set.selections
    )
