"""What is measured of facts in several places is measured once and kept with them."""

from collections.abc import Callable
from functools import wraps
from operator import is_
from typing import Concatenate, ParamSpec, TypeVar

from app.core.facts.chronicle import Facts

__all__ = ["measured_once"]

P = ParamSpec("P")
T = TypeVar("T")


def measured_once(measure: Callable[Concatenate[Facts, P], T]) -> Callable[Concatenate[Facts, P], T]:
    """Let a pure measure of facts remember its last answer, as long as they live and it is asked in the same light.

    Policies and portfolios never change, so that the same object means the same answer.
    """

    @wraps(measure)
    def kept(facts: Facts, /, *light: P.args, **named: P.kwargs) -> T:
        assert not named, "what is remembered is asked for by place"
        found = facts.measures.get(measure)
        if found is None or not all(map(is_, found[0], light)):
            found = facts.measures[measure] = (light, measure(facts, *light, **named))
        answer: T = found[1]
        return answer

    return kept
