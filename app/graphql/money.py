"""Money."""

from decimal import Decimal
from typing import Self

import strawberry

from app.core.money import Money
from app.graphql.fields import described

__all__ = ["MoneyType"]


@strawberry.type(name="Money", description="An amount in a currency.")
class MoneyType:
    """An amount in a currency."""

    amount: Decimal = described("How much.")
    currency: str = described("ISO 4217 code.")

    @classmethod
    def of(cls, found: Money) -> Self:
        """Make it from money."""
        return cls(amount=found.amount, currency=found.currency)
