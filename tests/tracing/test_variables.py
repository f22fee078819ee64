"""The OTEL_ variables: what asks for traces, and a wrong one is told by its name and without its value."""

import subprocess
import sys

import pytest

from app.tracing.variables import TracingSettingError, asks_for_traces, check, exporters

WRONG = {
    "OTEL_SDK_DISABLED": "perhaps",
    "OTEL_TRACES_EXPORTER": "zipkin",
    "OTEL_PROPAGATORS": "tracecontext,nonsense",
    "OTEL_TRACES_SAMPLER": "often",
    "OTEL_RESOURCE_ATTRIBUTES": "a=1,b",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "ftp://collector",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
    "OTEL_EXPORTER_OTLP_HEADERS": "secret",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "10s",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "squeezed",
    "OTEL_BSP_SCHEDULE_DELAY": "1.5",
    "OTEL_BSP_MAX_QUEUE_SIZE": "-1",
}


@pytest.mark.parametrize(
    ("variables", "asks"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "partwise", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, False),
        ({"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
    ],
)
def test_traces_are_sent_where_that_is_asked_for(variables: dict[str, str], asks: bool):
    check(variables)
    assert asks_for_traces(variables) is asks


def test_the_exporters_are_those_that_are_named():
    assert exporters({}) == ["otlp"]
    assert exporters({"OTEL_TRACES_EXPORTER": "otlp, console"}) == ["otlp", "console"]


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_a_wrong_one_is_told_by_its_name_and_not_by_its_value(name: str, value: str):
    with pytest.raises(TracingSettingError) as found:
        check({name: value})
    assert str(found.value).startswith(f"{name}: expected ")
    assert value not in str(found.value)


@pytest.mark.parametrize("share", ["2", "-0.5", "half"])
def test_a_share_of_traces_is_from_0_to_1(share: str):
    check({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.25"})
    with pytest.raises(TracingSettingError, match="OTEL_TRACES_SAMPLER_ARG: expected a share"):
        check({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": share})


@pytest.mark.parametrize("command", ["serve", "worker"])
@pytest.mark.parametrize("name", ["OTEL_PROPAGATORS", "OTEL_TRACES_SAMPLER"])
def test_a_process_says_so_in_one_line_and_ends(name: str, command: str):
    environment = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "PORT": "0", name: "nonsense"}
    done = subprocess.run(
        [sys.executable, "-m", "app", command],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {name}: expected ")
