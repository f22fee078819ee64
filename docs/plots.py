"""Draw the curves of docs/scoring.md from the code itself: evidence against the main input of each sign.

make docs
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt

from app.core.events import Event
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY
from app.core.portfolio import Portfolio, portfolio_of
from app.core.shares import share_of
from tests.core.telling import NOW, evidence, invoice, told

FOLDER = Path(__file__).parent / "plots"
Curve = tuple[str, Callable[[float], list[Event]]]


def others() -> Portfolio:
    """Four other clients who pay a hundred dollars an hour."""
    shares = {}
    for client in range(4):
        history = [
            event
            for n in range(6)
            for event in (
                told("time.logged", 300 - 30 * n, hours=10),
                *invoice(f"{client}{n}", 295 - 30 * n, 270 - 30 * n),
            )
        ]
        shares[str(client)] = share_of(gather(history, DEFAULT_POLICY, NOW), DEFAULT_POLICY)
    return portfolio_of(shares, DEFAULT_POLICY)


def waiting(hours: float, refusals: int, *, explained: bool = False) -> Callable[[float], list[Event]]:
    def history(days: float) -> list[Event]:
        found = [told("contract.sent", days)]
        if explained:
            found.append(told("contract.explained", days * 0.9))
        if hours:
            found.append(told("time.logged", min(days, 5), hours=hours))
        return found + [told("contract.declined", days * (0.8 - 0.1 * n)) for n in range(refusals)]

    return history


def creeping(*, after_telling: bool) -> Callable[[float], list[Event]]:
    def history(share: float) -> list[Event]:
        found = [told("agreement.made", 60, hours=80)]
        found += [told("time.logged", 59 - n, hours=8) for n in range(10)]
        if after_telling:
            found.append(told("expectation.stated", 58, sign="scope"))
        return found + ([told("time.logged", 20, hours=80 * share)] if share else [])

    return history


def disregarding(total: int, *, after_telling: bool = False) -> Callable[[float], list[Event]]:
    def history(bad: float) -> list[Event]:
        # Mondays at noon are in office hours, at two at night they are not.
        calm = [told("call.received", 7 * n) for n in range(total - int(bad))]
        rude = [told("call.received", 7 * n + 0.4) for n in range(int(bad))]
        stated = [told("expectation.stated", 300, sign="time")] if after_telling else []
        return calm + rude + stated

    return history


def paying(refusals: int) -> Callable[[float], list[Event]]:
    def history(share: float) -> list[Event]:
        found = [told("time.logged", 170 - 30 * n, hours=20) for n in range(5)]
        found += [e for n in range(5) for e in invoice(n, 165 - 30 * n, 150 - 30 * n, amount=2000 * share)]
        return found + [told("rate.refused", 60 - 20 * n) for n in range(refusals)]

    return history


def late_by(days: int) -> Callable[[float], list[Event]]:
    def history(late: float) -> list[Event]:
        return [
            event
            for n in range(12)
            for event in invoice(n, 400 - 25 * n, 400 - 25 * n - 30 - (days if n >= 12 - late else -5))
        ]

    return history


def owing(share: float) -> Callable[[float], list[Event]]:
    def history(days: float) -> list[Event]:
        paid = 1000 * (1 - share) / share
        found = invoice(1, 30 + days, amount=1000)
        return found if share == 1 else [*found, *invoice(2, 40, 5, amount=paid)]

    return history


def draw(
    sign: str, label: str, inputs: Sequence[float], curves: Sequence[Curve], portfolio: Portfolio | None = None
) -> None:
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    for name, history in curves:
        axes.plot(inputs, [evidence(history(x), sign, portfolio=portfolio) for x in inputs], label=name)
    axes.axhline(0, color="0.7", linewidth=0.8)
    axes.set_xlabel(label)
    axes.set_ylabel("evidence [dB]")
    axes.set_title(sign)
    axes.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(FOLDER / f"{sign}.svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


def main() -> None:
    mpl.rcParams["svg.hashsalt"] = "partwise"
    mpl.rcParams["svg.fonttype"] = "none"
    FOLDER.mkdir(exist_ok=True)
    draw(
        "contract",
        "days since the contract was sent",
        list(range(91)),
        [
            ("no work yet", waiting(0, 0)),
            ("40 hours of work", waiting(40, 0)),
            ("40 hours, refused twice", waiting(40, 2)),
            ("40 hours, refused twice after it was explained", waiting(40, 2, explained=True)),
        ],
    )
    draw(
        "scope",
        "unpaid hours beyond the agreed 80, as a share of them",
        [n / 50 for n in range(76)],
        [("before telling", creeping(after_telling=False)), ("after telling", creeping(after_telling=True))],
    )
    draw(
        "time",
        "calls out of hours, of 20",
        list(range(21)),
        [("before telling", disregarding(20)), ("after telling", disregarding(20, after_telling=True))],
    )
    draw(
        "rate",
        "effective hourly rate as a share of the other clients' median",
        [0.3 + n / 50 for n in range(56)],
        [("no talk refused", paying(0)), ("one talk refused", paying(1)), ("three talks refused", paying(3))],
        others(),
    )
    draw(
        "late",
        "late invoices, of the last 12",
        list(range(13)),
        [("1 day late", late_by(1)), ("7 days late", late_by(7)), ("30 days late", late_by(30))],
    )
    draw(
        "nonpayment",
        "days overdue",
        list(range(0, 731, 5)),
        [("all that was billed", owing(1)), ("half of it", owing(0.5)), ("a tenth of it", owing(0.1))],
    )


if __name__ == "__main__":
    main()
