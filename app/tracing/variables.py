"""The OTEL_ variables: whether they ask for traces, and which one is wrong. Nothing of OpenTelemetry is imported.

The SDK passes over a value that it cannot use, or tells of it in the middle of a traceback; here it is one line.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Final
from urllib.parse import urlsplit

__all__ = ["VARIABLES", "TracingSettingError", "asks_for_traces", "check", "exporters"]

_RATIO: Final = ("traceidratio", "parentbased_traceidratio")
_SAMPLERS: Final = ("always_on", "always_off", "parentbased_always_on", "parentbased_always_off", *_RATIO)
_HTTP: Final = "http/protobuf"


class TracingSettingError(Exception):
    """A variable of OpenTelemetry has a value that cannot be used; the message names it."""


def asks_for_traces(variables: Mapping[str, str]) -> bool:
    """Whether they do: they say where to send traces, or how, and do not switch it off."""
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    wanted = _names(variables.get("OTEL_TRACES_EXPORTER", ""))
    if wanted:
        return wanted != ["none"]
    return any(
        variables.get(name, "").strip()
        for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    )


def exporters(variables: Mapping[str, str]) -> list[str]:
    """The names of the exporters that are asked for."""
    return [name for name in _names(variables.get("OTEL_TRACES_EXPORTER", "")) or ["otlp"] if name != "none"]


def check(variables: Mapping[str, str]) -> None:
    """See that those that there are can be used.

    Raises:
        TracingSettingError: one cannot.
    """
    for name, expected in VARIABLES.items():
        value = variables.get(name, "").strip()
        if value and not expected[1](value):
            # Some hold secrets: no value is repeated.
            raise TracingSettingError(f"{name}: expected {expected[0]}")
    if variables.get("OTEL_TRACES_SAMPLER", "").strip().lower() in _RATIO:
        ratio = variables.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
        if ratio and not (_is_number(ratio) and float(ratio) <= 1):
            raise TracingSettingError("OTEL_TRACES_SAMPLER_ARG: expected a share of traces, from 0 to 1")


def _names(value: str) -> list[str]:
    return [name for one in value.split(",") if (name := one.strip())]


def _is_number(value: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", value) is not None


def _is_count(value: str) -> bool:
    return re.fullmatch(r"[0-9]{1,12}", value) is not None


def _is_url(value: str) -> bool:
    try:
        found = urlsplit(value)
        return found.scheme in ("http", "https") and bool(found.hostname) and (found.port is None or found.port > 0)
    except ValueError:
        return False


def _are_pairs(value: str) -> bool:
    return all(re.fullmatch(r"\s*[^=\s,]+\s*=[^,]*", one) for one in value.split(",") if one.strip())


def _known(group: str, *ours: str) -> Callable[[str], bool]:
    """Whether each of some names is one of ours, or of an installed package's."""

    def are_known(value: str) -> bool:
        names = _names(value)
        return bool(names) and all(name in ours or entry_points(group=group, name=name) for name in names)

    return are_known


def _one_of(*words: str) -> Callable[[str], bool]:
    return lambda value: value.lower() in words


def _is_sampler(value: str) -> bool:
    return value.lower() in _SAMPLERS or bool(entry_points(group="opentelemetry_traces_sampler", name=value))


def _rules() -> Iterable[tuple[str, tuple[str, Callable[[str], bool]]]]:
    yield "OTEL_SDK_DISABLED", ("true or false", _one_of("true", "false"))
    yield (
        "OTEL_TRACES_EXPORTER",
        ("otlp, console or none", _known("opentelemetry_traces_exporter", "otlp", "console", "none")),
    )
    yield (
        "OTEL_PROPAGATORS",
        ("names of propagators that are installed, such as tracecontext", _known("opentelemetry_propagator", "none")),
    )
    yield "OTEL_TRACES_SAMPLER", (f"one of {', '.join(_SAMPLERS)}", _is_sampler)
    yield "OTEL_RESOURCE_ATTRIBUTES", ("name=value pairs with commas between", _are_pairs)
    for about in ("OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"):
        yield f"{about}ENDPOINT", ("a URL, such as http://localhost:4318", _is_url)
        yield f"{about}PROTOCOL", (f"{_HTTP}, the one that is built in", _one_of(_HTTP))
        yield f"{about}HEADERS", ("name=value pairs with commas between", _are_pairs)
        yield f"{about}TIMEOUT", ("a number of seconds", _is_number)
        yield f"{about}COMPRESSION", ("gzip, deflate or none", _one_of("gzip", "deflate", "none"))
    for name in ("SCHEDULE_DELAY", "EXPORT_TIMEOUT", "MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE"):
        yield f"OTEL_BSP_{name}", ("a whole number", _is_count)


VARIABLES: Final[Mapping[str, tuple[str, Callable[[str], bool]]]] = dict(_rules())
"""What each is expected to be, and whether a value is."""
