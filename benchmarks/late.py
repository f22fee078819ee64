"""How well is the lateness of a client's next invoice foreseen? Through the HTTP API, next to other models.

    python -m benchmarks.late [FILE]

For each invoice issued from 2012-04-01 on, the service is asked on that day; the others see the same past. The fitted
models are fitted on the labels of four fifths of the customers and asked about the last fifth, in five folds.
"""

import csv
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import httpx
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.service import UNBOUND, Service, running

FILE = Path("../shared/data/receivables.csv")
BEGIN = date(2012, 4, 1)
HALF_LIFE = 180.0
COUNTS = [0, 1, 4, 5, 6]


@dataclass(frozen=True)
class Invoice:
    client: str
    issued: date
    due: date
    settled: date
    amount: float

    @property
    def late(self) -> bool:
        return self.settled > self.due

    def delay(self, day: date) -> int:
        """Days beyond terms, as far as they are known on a day."""
        return (min(self.settled, day) - self.due).days

    def known(self, day: date) -> bool:
        """Whether it is known on a day if it is late: it is settled or overdue by then."""
        return self.settled <= day or self.due < day


def read(file: Path) -> list[Invoice]:
    def day(text: str) -> date:
        return datetime.strptime(text, "%m/%d/%Y").date()  # noqa: DTZ007 - a day has no zone

    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = [
            Invoice(
                row["customerID"],
                day(row["InvoiceDate"]),
                day(row["DueDate"]),
                day(row["SettledDate"]),
                float(row["InvoiceAmount"]),
            )
            for row in csv.DictReader(opened)
        ]
    return sorted(rows, key=lambda invoice: (invoice.issued, invoice.client, invoice.due, invoice.amount))


def past_of(invoices: Sequence[Invoice], asked: Invoice) -> list[Invoice]:
    """The client's other invoices, as far as they say something on the day that one is issued."""
    day = asked.issued
    return [
        other
        for other in invoices
        if other.client == asked.client and other is not asked and other.issued <= day and other.known(day)
    ]


# ------------------------------------------------------------------------------------------------ what is compared


def of_the_service(service: Service, asked: Sequence[Invoice], file: Path) -> np.ndarray:
    """Import the file through the API, then ask for each client's explanation as of each day."""
    key = service.key("receivables")
    service.command("import", str(file), "--map", "receivables", "--key", key)
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:

        def ask(invoice: Invoice) -> float:
            path = f"/v1/clients/{invoice.client}/explanation"
            answer = http.get(path, params={"as_of": invoice.issued.isoformat()}).raise_for_status()
            late = next(sign for sign in answer.json()["signs"] if sign["sign"] == "late")
            return float(late["figures"]["next_invoice_late_probability"])

        with ThreadPoolExecutor(4) as pool:
            return np.array(list(pool.map(ask, asked)))


def of_the_plain_share(invoices: Sequence[Invoice], asked: Sequence[Invoice]) -> np.ndarray:
    """Late invoices of all, one of three beforehand."""
    shares = []
    for one in asked:
        past = past_of(invoices, one)
        shares.append((sum(other.delay(one.issued) > 0 for other in past) + 1) / (len(past) + 3))
    return np.array(shares)


def features(invoices: Sequence[Invoice], asked: Sequence[Invoice]) -> np.ndarray:
    """What a data scientist would try first."""
    rows = []
    for one in asked:
        day = one.issued
        past = past_of(invoices, one)
        delays = np.array([other.delay(day) for other in past], dtype=float)
        ages = np.array([(day - other.issued).days for other in past], dtype=float)
        weights = 0.5 ** (ages / HALF_LIFE)
        late = (delays > 0).astype(float)
        rows.append(
            [
                (late.sum() + 1) / (len(past) + 3),
                ((weights * late).sum() + 1) / (weights.sum() + 3),
                ((weights * np.clip(delays, -15, 15)).sum() - 5) / (weights.sum() + 1),
                delays[-1] if len(past) else 0.0,
                late[-3:].mean() if len(past) else 1 / 3,
                np.log1p(len(past)),
                sum(other.settled > day and other.due < day for other in past),
                np.log(one.amount),
            ]
        )
    return np.array(rows)


def of_a_fit(make: Callable[[], object], x: np.ndarray, y: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    found = np.zeros(len(y))
    for train, test in GroupKFold(5).split(x, y, groups):
        model = make()
        model.fit(x[train], y[train])
        found[test] = model.predict_proba(x[test])[:, 1]
    return found


def logistic() -> object:
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.3))


def boosted() -> object:
    return HistGradientBoostingClassifier(
        max_iter=80, learning_rate=0.05, max_leaf_nodes=8, min_samples_leaf=20, random_state=0
    )


# ------------------------------------------------------------------------------------------------------ how it ends


def calibration_error(y: np.ndarray, p: np.ndarray, bins: int = 10) -> float:
    """Expected calibration error over bins of equal count."""
    order = np.argsort(p, kind="stable")
    parts = np.array_split(order, bins)
    return float(sum(len(part) * abs(y[part].mean() - p[part].mean()) for part in parts) / len(y))


def main() -> None:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    if not file.exists():
        sys.exit(f"{file} is not here: name the receivables as an argument; nothing was measured")
    invoices = read(file)
    asked = [invoice for invoice in invoices if invoice.issued >= BEGIN]
    y = np.array([invoice.late for invoice in asked], dtype=float)
    groups = [invoice.client for invoice in asked]
    x = features(invoices, asked)
    print(f"{len(asked)} invoices of {len(set(groups))} customers, {y.mean():.1%} late", flush=True)
    with running(**UNBOUND) as service:
        ours = of_the_service(service, asked, file)
    rows = [
        ("Partwise, through the API", ours),
        ("plain share of late invoices", of_the_plain_share(invoices, asked)),
        ("logistic regression on counts", of_a_fit(logistic, x[:, COUNTS], y, groups)),
        ("... and on days and the amount", of_a_fit(logistic, x, y, groups)),
        ("gradient boosting on counts", of_a_fit(boosted, x[:, COUNTS], y, groups)),
        ("... and on days and the amount", of_a_fit(boosted, x, y, groups)),
    ]
    print(f"\n{'':32}{'AUC':>8}{'Brier':>8}{'ECE':>8}")
    for name, p in rows:
        print(f"{name:32}{roc_auc_score(y, p):8.4f}{brier_score_loss(y, p):8.4f}{calibration_error(y, p):8.4f}")


if __name__ == "__main__":
    main()
