"""Costs: what each field costs, told in the schema by a directive, and added up before a query is run."""

import strawberry
from strawberry.schema_directive import Location

__all__ = ["Cost"]


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="What a field costs: `weight`, and what is below it `size` times where it is a list; both are 1 unless "
    "told. A size of 0 is that of a page: `first` or `last`, or 50.",
)
class Cost:
    """What a field costs.

    Attributes:
        weight: of the field itself.
        size: how many items a list is taken to have; pages say it by their arguments.
    """

    weight: int = 1
    size: int = 1
