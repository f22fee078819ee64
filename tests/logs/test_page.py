"""docs/observability.md shows the fields of lines as the code has them, and lines that have them."""

import json
import re
from pathlib import Path

from app.logs.fields import ALWAYS, CONTEXT, EXTRA, FIELDS
from app.settings import Settings
from app.tracing.variables import VARIABLES

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text()
FIELDS_TOLD = PAGE.partition("### Fields")[2].partition("### Lines")[0]


def test_its_tables_are_those_of_the_code():
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", FIELDS_TOLD, flags=re.MULTILINE)
    assert rows == [*ALWAYS.items(), *CONTEXT.items(), *EXTRA.items()]
    assert {"log_format", "log_level"} <= Settings.model_fields.keys()


def test_its_lines_have_the_promised_fields_in_their_order():
    blocks = re.findall(r"^```json\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    lines = [json.loads(line) for block in blocks for line in block.splitlines()]
    assert len(lines) >= 5
    for line in lines:
        assert list(line)[: len(ALWAYS)] == list(ALWAYS)
        assert line.keys() <= FIELDS.keys()
        order = list(FIELDS)
        context = [name for name in line if name in CONTEXT]
        assert context == sorted(context, key=order.index)


def test_it_names_variables_that_there_are():
    told = set(re.findall(r"\bOTEL_[A-Z_]+[A-Z]\b", PAGE.partition("### What one sees")[0]))
    unchecked = {
        "OTEL_SERVICE_NAME",
        "OTEL_TRACES_SAMPLER_ARG",
        "OTEL_EXPORTER_OTLP",
        "OTEL_BSP",
        "OTEL_EXPORTER_OTLP_TRACES",
    }
    assert told - unchecked <= VARIABLES.keys()
