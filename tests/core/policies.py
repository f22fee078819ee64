"""Hypothesis strategies for policies: any that the bounds allow, from a few settings changed at a time."""

import dataclasses
from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

from annotated_types import Ge, Gt, Le, Lt
from hypothesis import strategies as st

from app.core.deal_breakers import DEAL_BREAKERS
from app.core.policy import DEFAULT_POLICY, Policy
from app.core.working_calendar import WorkingCalendar, WorkingHours

Path = tuple[str, ...]


def leaves(cls: type[Any], path: Path = ()) -> Iterator[tuple[Path, type[Any], Any, Any]]:
    """Every setting that is a number: where, its type and its bounds."""
    for name, hint in get_type_hints(cls, include_extras=True).items():
        if dataclasses.is_dataclass(hint):
            yield from leaves(hint, (*path, name))  # type: ignore[arg-type]
        elif get_args(hint) and get_args(hint)[0] in (int, float):
            low = next(m.ge if isinstance(m, Ge) else m.gt for m in hint.__metadata__ if isinstance(m, Ge | Gt))
            high = next(m.le if isinstance(m, Le) else m.lt for m in hint.__metadata__ if isinstance(m, Le | Lt))
            yield (*path, name), get_args(hint)[0], low, high


LEAVES = list(leaves(Policy))


def changed(policy: Any, path: Path, value: Any) -> Any:
    """A policy with one setting changed."""
    name, *rest = path
    new = changed(getattr(policy, name), tuple(rest), value) if rest else value
    return dataclasses.replace(policy, **{name: new})


def _numbers(kind: type[Any], low: float, high: float) -> st.SearchStrategy[Any]:
    if kind is int:
        return st.integers(int(low), int(high))
    ends = st.sampled_from([low, high, (low + high) / 2]).filter(lambda x: low < x < high)
    return st.floats(low, high, exclude_min=True, exclude_max=True, allow_subnormal=False) | ends


def calendars() -> st.SearchStrategy[WorkingCalendar]:
    """Zones with and without changes of the clock, nights and days off."""
    hours = st.sampled_from(
        [None, WorkingHours(time(9), time(18)), WorkingHours(time(0), time(23, 59)), WorkingHours(time(2), time(3))]
    )
    return st.builds(
        WorkingCalendar,
        zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"]),
        week=st.tuples(*[hours] * 7),
        country=st.sampled_from([None, "DE", "US"]),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Any policy; what its parts refuse together is left out."""
    policy = dataclasses.replace(
        DEFAULT_POLICY,
        calendar=draw(calendars()),
        deal_breakers=draw(st.frozensets(st.sampled_from(sorted(DEAL_BREAKERS)))),
        currency=draw(st.sampled_from(["USD", "EUR", "JPY"])),
        exchange_rates=MappingProxyType(
            draw(st.dictionaries(st.sampled_from(["USD", "EUR"]), st.sampled_from([Decimal("0.01"), Decimal("1e8")])))
        ),
    )
    for path, kind, low, high in draw(st.lists(st.sampled_from(LEAVES), max_size=8, unique_by=lambda leaf: leaf[0])):
        try:
            policy = changed(policy, path, draw(_numbers(kind, low, high)))
        except ValueError:
            continue
    return policy
