"""The operations of the document, as the rules for what many of them have see them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["OPERATORS", "Operation", "operations_of"]

OPERATORS = "operations"
"""The tag of what is for those who run the service."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: where it is and what the document says of it."""

    method: str
    path: str
    spec: dict[str, Any]

    @property
    def id(self) -> str:
        """Its operationId."""
        found: str = self.spec["operationId"]
        return found

    @property
    def needs_key(self) -> bool:
        """Whether it is for those who have a key."""
        return bool(self.spec.get("security"))

    @property
    def has_body(self) -> bool:
        """Whether it takes a body."""
        return "requestBody" in self.spec

    @property
    def is_deprecated(self) -> bool:
        """Whether it is not to be used any more, or a parameter of it is not."""
        return any(one.get("deprecated", False) for one in (self.spec, *self.spec.get("parameters", ())))

    @property
    def names_one(self) -> bool:
        """Whether its path names something that may not be there."""
        return "{" in self.path

    @property
    def is_api(self) -> bool:
        """Whether it is a part of the API, rather than for those who run it."""
        return OPERATORS not in self.spec["tags"]

    @property
    def media(self) -> set[str]:
        """The media types of its answers."""
        return {media for answer in self.spec["responses"].values() for media in answer.get("content", ())}

    @property
    def has_variable_target(self) -> bool:
        """Whether clients write texts of their own into its path or its query."""
        return self.names_one or any(one.get("in") == "query" for one in self.spec.get("parameters", ()))

    def has_parameter(self, name: str) -> bool:
        """Whether it takes a parameter."""
        return any(one.get("name", "").lower() == name.lower() for one in self.spec.get("parameters", ()))


def operations_of(document: dict[str, Any]) -> Iterator[Operation]:
    """All operations, in the order of the document."""
    for path, methods in document["paths"].items():
        for method, spec in methods.items():
            yield Operation(method.upper(), path, spec)
