"""Sign 6: does not pay at all."""

from dataclasses import dataclass
from math import sqrt

from app.core.decibans import DECIBANS_PER_NAT, virtual_evidence
from app.core.facts import Facts, Invoice, measured_once
from app.core.facts.settled import comparable
from app.core.message import N_
from app.core.money import convert
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.signs.sign import Figure, Reason, Sign, Weight, bounded, heaviest, weight_after_telling

__all__ = ["NONPAYMENT"]


@dataclass(frozen=True, slots=True)
class _Debt:
    """What one unpaid invoice says."""

    invoice: Invoice
    loss: float
    share: float
    decibans: float
    variance: float
    ignored_reminder: bool
    after_telling: bool


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weight:
    """Each debt is virtual evidence: the probability that it is never paid, times its share of what the client paid."""
    if not facts.billed.count:
        return Weight()
    debts = _debts(facts, policy, portfolio)
    total, spread = sum(debt.decibans for debt in debts), sqrt(sum(debt.variance for debt in debts))
    told = sum(debt.after_telling for debt in debts)
    decibans, spread = bounded(total, spread, policy.nonpayment.caps, told)
    return Weight(decibans, spread, len(debts) + facts.settled.count)


def _reason(facts: Facts, policy: Policy, portfolio: Portfolio) -> Reason:
    if not facts.billed.count:
        return Reason("nothing_billed")
    debts = _debts(facts, policy, portfolio)
    overdue = [debt.invoice for debt in debts if debt.invoice.is_overdue(facts.today)]
    code, meant = _code(debts)
    worst = max(meant, key=lambda debt: (debt.decibans, debt.invoice.id), default=None)
    expected = _in_currency([(debt.invoice, debt.loss) for debt in debts], policy)
    open_money = _in_currency([(debt.invoice, 1.0) for debt in debts], policy)
    longest = max((invoice.days_beyond_terms(facts.today) for invoice in overdue), default=0)
    return Reason(
        code=code,
        figures={
            "overdue_invoices": Figure(len(overdue), "count"),
            "overdue_amount": Figure(round(open_money, 2), policy.currency),
            "expected_loss": Figure(round(expected, 2), policy.currency),
            "longest_overdue": Figure(longest, "days"),
            "never_paid_probability": Figure(round(worst.loss, 4) if worst else 0.0, "probability"),
        },
        held_against={"never_paid_probability": Figure(round(portfolio.recovery.never_paid(0), 4), "probability")},
        events=heaviest((debt.decibans, ref) for debt in debts for ref in debt.invoice.refs),
        words={"invoice": worst.invoice.id if worst else ""},
    )


@measured_once
def _debts(facts: Facts, policy: Policy, portfolio: Portfolio) -> list[_Debt]:
    owed = [invoice for invoice in facts.invoices if _is_debt(facts, invoice)]
    return [_debt(facts, invoice, facts.settled.paid, policy, portfolio) for invoice in owed]


def _is_debt(facts: Facts, invoice: Invoice) -> bool:
    lost = invoice.written_off is not None or (invoice.charged_back is not None and invoice.is_open)
    return lost or invoice.is_overdue(facts.today)


def _debt(facts: Facts, invoice: Invoice, paid: dict[str, float], policy: Policy, portfolio: Portfolio) -> _Debt:
    settings = policy.nonpayment
    # A debt does not fade, not even once it is given up: only its payment settles it.
    lost = invoice.written_off is not None or invoice.charged_back is not None
    loss = 1.0 if lost else portfolio.recovery.never_paid(invoice.days_beyond_terms(facts.today))
    currency, amount = comparable(invoice, policy)
    still_open = amount * float(invoice.open_amount / invoice.amount.amount)
    share = still_open / (still_open + paid.get(currency, 0.0)) if still_open else 0.0
    # Every invoice may stay unpaid: only what is likelier than on its due day says something.
    ordinary = portfolio.recovery.never_paid(0)
    decibans = virtual_evidence(loss * share, settings.bayes_factor)
    decibans -= virtual_evidence(ordinary * share, settings.bayes_factor)
    gain = settings.bayes_factor - 1.0
    slope = DECIBANS_PER_NAT * share * gain / (1.0 + loss * share * gain)
    variance = slope**2 * loss * (1 - loss) / (settings.prior_invoices + portfolio.recovery.invoices)
    ignored = invoice.ignored_reminder(facts.today, policy.reminder_days)
    told = weight_after_telling(facts, "nonpayment", invoice.issued, policy) > 1
    return _Debt(invoice, loss, share, decibans, variance, ignored, ignored or told)


def _in_currency(shares: list[tuple[Invoice, float]], policy: Policy) -> float:
    """The open money in the tenant's currency, each invoice by its share; without a rate it is left out."""
    total = 0.0
    for invoice, share in shares:
        converted = convert(invoice.amount, policy.currency, policy.exchange_rates)
        if converted is not None:
            total += float(converted) * float(invoice.open_amount / invoice.amount.amount) * share
    return total


def _code(debts: list[_Debt]) -> tuple[str, list[_Debt]]:
    """The gravest that can be said, and the debts that it can be said of."""
    for code, meant in (
        ("written_off", [debt for debt in debts if debt.invoice.written_off]),
        ("charged_back", [debt for debt in debts if debt.invoice.charged_back]),
        ("ignores_reminders", [debt for debt in debts if debt.ignored_reminder]),
        ("overdue", debts),
    ):
        if meant:
            return code, meant
    return "nothing_overdue", []


NONPAYMENT = Sign(
    name="nonpayment",
    title=N_("Does not pay at all"),
    client_type="non_payer",
    weigh=_weigh,
    reason=_reason,
    sentences={
        "nothing_billed": N_("Nothing was billed, so there is nothing to weigh."),
        "nothing_overdue": N_("No invoice is overdue and none was lost."),
        "overdue": N_("Invoice {invoice} is overdue; the oldest open invoice has been for {longest_overdue:day}."),
        "ignores_reminders": N_(
            "Invoice {invoice} is overdue and reminders go unanswered; the oldest open invoice has been for "
            "{longest_overdue:day}."
        ),
        "charged_back": N_("The payment of invoice {invoice} was taken back."),
        "written_off": N_("Invoice {invoice} was never paid and is written off."),
    },
)
