"""Hypothesis strategies for policies: any that the bounds allow, bounds included, a few settings changed at a time."""

import dataclasses
from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from math import nextafter
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st

from app.core.deal_breakers import DEAL_BREAKERS
from app.core.policy import DEFAULT_POLICY, NonpaymentPolicy, Policy, RatePolicy
from app.core.working_calendar import WorkingCalendar, WorkingHours

Path = tuple[str, ...]


def leaves(cls: type[Any], path: Path = ()) -> Iterator[tuple[Path, type[Any], Any, Any]]:
    """Every setting that is a number: where, its type, and the least and the most that it can be."""
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if dataclasses.is_dataclass(hint):
            yield from leaves(hint, (*path, name))  # type: ignore[arg-type]
        elif get_args(hint) and get_args(hint)[0] in (int, float):
            kind, marks = get_args(hint)[0], hint.__metadata__
            low: Any = next(m.ge if isinstance(m, Ge) else _beyond(m.gt, 9e9) for m in marks if isinstance(m, Ge | Gt))
            high: Any = next(
                m.le if isinstance(m, Le) else _beyond(m.lt, -9e9) for m in marks if isinstance(m, Le | Lt)
            )
            yield (*path, name), kind, kind(low), kind(high)


def _beyond(bound: Any, towards: float) -> float:
    """The first number beyond a bound that is not itself allowed."""
    return nextafter(bound, towards)


LEAVES = list(leaves(Policy))


def changed(policy: Any, path: Path, value: Any) -> Any:
    """A policy with one setting changed."""
    name, *rest = path
    new = changed(getattr(policy, name), tuple(rest), value) if rest else value
    return dataclasses.replace(policy, **{name: new})


def _numbers(kind: type[Any], low: float, high: float) -> st.SearchStrategy[Any]:
    if kind is int:
        return st.integers(int(low), int(high))
    return st.floats(low, high) | st.sampled_from([low, high, (low + high) / 2])


AMOUNTS = st.sampled_from(
    [Decimal("0.000000001"), Decimal("0.01"), Decimal(90), Decimal("1e8"), Decimal(1_000_000_000)]
)
_NEVER_PAID = st.sampled_from(
    [
        ((0, 0.000_001), (1, 0.000_001)),
        ((0, 0.999_999), (36_500, 0.999_999)),
        ((0, 0.000_001), (1, 0.999_999)),
        ((0, 0.000_001), (730, 0.5), (36_500, 0.999_999)),
    ]
)


def calendars() -> st.SearchStrategy[WorkingCalendar]:
    """Zones with and without changes of the clock, nights and days off."""
    hours = st.sampled_from(
        [None, WorkingHours(time(9), time(18)), WorkingHours(time(0), time(23, 59)), WorkingHours(time(2), time(3))]
    )
    return st.builds(
        WorkingCalendar,
        zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"]),
        week=st.tuples(*[hours] * 7).filter(any),
        country=st.sampled_from([None, "DE", "US"]),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy; what its parts refuse together is left out."""
    currency = draw(st.sampled_from(["USD", "EUR", "JPY"]))
    foreign = [one for one in ("USD", "EUR") if one != currency]
    policy = dataclasses.replace(
        DEFAULT_POLICY,
        calendar=draw(calendars()),
        deal_breakers=draw(st.frozensets(st.sampled_from(sorted(DEAL_BREAKERS)))),
        currency=currency,
        exchange_rates=MappingProxyType(draw(st.dictionaries(st.sampled_from(foreign), AMOUNTS))),
        rate=RatePolicy(floor=draw(st.none() | AMOUNTS)),
        nonpayment=NonpaymentPolicy(never_paid=draw(st.just(DEFAULT_POLICY.nonpayment.never_paid) | _NEVER_PAID)),
    )
    for path, kind, low, high in draw(st.lists(st.sampled_from(LEAVES), max_size=8, unique_by=lambda leaf: leaf[0])):
        try:
            policy = changed(policy, path, draw(_numbers(kind, low, high)))
        except ValueError:
            continue
    return policy
