"""What became of a client between two ends of a period."""

import pytest

from app.core.net_change import NetKind, net_kind
from app.core.reading import Reading
from app.core.verdict import Verdict


def reading(score: float, verdict: Verdict = Verdict.WATCH, client_type: str = "slow_payer") -> Reading:
    return Reading(score, verdict, client_type)


@pytest.mark.parametrize(
    ("before", "after", "between", "kind"),
    [
        (None, reading(90, Verdict.PART), (), NetKind.NEW),
        (reading(20), reading(25, Verdict.PART), (), NetKind.WORSE),
        # The verdict counts, whatever the score says.
        (reading(60), reading(20, Verdict.PART), (), NetKind.WORSE),
        (reading(60), reading(90, Verdict.KEEP), (), NetKind.BETTER),
        (reading(20), reading(30), (), NetKind.WORSE),
        (reading(30), reading(20), (), NetKind.BETTER),
        (reading(20), reading(29.9), (), NetKind.SLIGHT),
        (reading(20), reading(20, client_type="non_payer"), (Verdict.WATCH,), NetKind.SLIGHT),
        (reading(20), reading(21), (Verdict.PART, Verdict.WATCH), NetKind.RETURNED),
        (reading(20), reading(21), (Verdict.KEEP, Verdict.WATCH), NetKind.RETURNED),
        # Who has returned, but not to where it was.
        (reading(20), reading(35), (Verdict.PART, Verdict.WATCH), NetKind.WORSE),
    ],
)
def test_what_became_of_it(before: Reading | None, after: Reading, between: tuple[Verdict, ...], kind: NetKind):
    assert net_kind(before, after, between) is kind
