"""docs/operations.md tells what to do at each alert, and of no alert that there is not."""

import re
from pathlib import Path

import pytest

from monitoring.alert import anchor
from monitoring.rules import alerts
from monitoring.surroundings import Surroundings

ALERTS = {one.name: one for one in alerts(Surroundings())}
PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
PARTS = ("Means.", "Clients notice.", "Look.", "Do.", "Escalate.")


def sections() -> dict[str, str]:
    """The sections under `## Alerts`, by heading."""
    (part,) = re.findall(r"^## Alerts\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^### |\Z)", part, re.MULTILINE | re.DOTALL))


def anchors() -> set[str]:
    """What the page can be entered at, as GitHub makes it from headings."""
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def test_one_section_for_each_alert():
    assert list(sections()) == list(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_tells_what_is_needed(name: str):
    text = sections()[name]
    assert re.findall(r"\*\*(.+?)\*\*", text) == list(PARTS)
    assert text.strip().startswith(f"*{ALERTS[name].severity.value}*\n")


def test_runbooks_are_found():
    for one in ALERTS.values():
        address = one.rule(Surroundings())["annotations"]["runbook_url"]
        assert address.removeprefix("docs/operations.md#") in anchors()
        assert anchor(one.name) in anchors()


def test_references_within_the_section_lead_somewhere():
    for name, text in sections().items():
        for found in re.findall(r"\]\(#([\w-]+)\)", text):
            assert found in anchors(), f"{name}: {found}"


def test_metrics_that_it_names_are_counted():
    from tests.monitoring.test_catalogue import RECORDED, labels_of

    for name, text in sections().items():
        for found in re.findall(r"\bpartwise_\w+", text):
            if found not in RECORDED:
                try:
                    labels_of(found)
                except AssertionError:
                    # A histogram, named as such.
                    labels_of(f"{found}_bucket")
        assert name in ALERTS
