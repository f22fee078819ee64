"""What Schemathesis has to be told of the GraphQL API: its own scalars, and which errors have a reason."""

import re
from datetime import UTC, date, datetime
from typing import Any, Final

import graphql
import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

from tests.cloud_events import EVERY_TYPE, cloud_event

# Errors that may come of what the schema takes, by code and message, with the reason.
REASONS: Final = (
    ("BAD_USER_INPUT", "expected a cursor.*", "it is signed; none that is made up is one of ours"),
    ("BAD_USER_INPUT", "expected `first` or `last`, not both", "a schema has no either-or of arguments"),
    ("BAD_USER_INPUT", "expected (first|last) to be 0 to 100", "an Int of a schema has no limits"),
    ("BAD_USER_INPUT", "expected a global id that this API gave", "an ID of a schema may be any text"),
    ("BAD_USER_INPUT", "expected at most 100 ids", "a list of a schema may have any length"),
    ("BAD_USER_INPUT", "expected 1 to 100 events, .*", "a list of a schema may have any length"),
    ("BAD_USER_INPUT", "some of the events cannot be", "what `data` may be depends on `type`"),
    ("BAD_USER_INPUT", "expected a client id", "a String of a schema may be any text"),
    ("BAD_USER_INPUT", "expected text without control characters.*", "a String of a schema may be any text"),
    ("BAD_USER_INPUT", "expected at most 400 steps: .*", "a schema knows nothing of two arguments together"),
    ("BAD_USER_INPUT", "expected first to be 1 to .*", "an Int of a schema has no limits"),
    ("BAD_USER_INPUT", "expected either `.*", "a schema has no either-or of arguments"),
    ("BAD_USER_INPUT", "expected `next` of a digest.*", "it is signed; none that is made up is one of ours"),
    ("BAD_USER_INPUT", "expected (a period|1 to 30 days).*|changes are kept for .*", "a period within what is kept"),
    ("NOT_FOUND", "there is no .*", "names are drawn, too"),
    ("LIMIT_COST", "the operation is costlier than .*", "`@cost` in the schema tells, and is not looked at"),
)
# What is never to be: our own faults.
OURS: Final = frozenset({"INTERNAL", "TIMEOUT", "UNAVAILABLE"})


def written(value: Any) -> graphql.ValueNode:
    """A value of JSON as a literal of GraphQL; names that it cannot have are left out."""
    if isinstance(value, list):
        return graphql.ListValueNode(values=tuple(map(written, value)))
    if isinstance(value, dict):
        fields = [
            graphql.ObjectFieldNode(name=graphql.NameNode(value=name), value=written(each))
            for name, each in value.items()
            if re.fullmatch("[_A-Za-z][_0-9A-Za-z]*", name)
        ]
        return graphql.ObjectValueNode(fields=tuple(fields))
    if value is None:
        return graphql.NullValueNode()
    made: Any = {bool: nodes.Boolean, int: nodes.Int, float: nodes.Float, str: nodes.String}[type(value)]
    return made(value)


_events = st.builds(
    cloud_event,
    st.text(min_size=1, max_size=20),
    st.sampled_from(sorted(EVERY_TYPE)),
    st.sampled_from(["acme", "other"]),
)
_settings = st.fixed_dictionaries({}, optional={"late": st.fixed_dictionaries({"grace_days": st.integers(0, 30)})})
_any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex("[a-z_]{1,9}", fullmatch=True), inner),
    max_leaves=10,
)
_moments = st.integers(86_400, 7_258_032_000).map(lambda at: datetime.fromtimestamp(at, UTC).isoformat())
_days = st.dates(date(1970, 1, 2), date(2199, 12, 30)).map(str)
# Where null may be given, it is drawn without us.
_json = st.one_of(_events, _settings, _any.filter(lambda value: value is not None))
schemathesis.graphql.scalar("JSON", _json.map(written))
schemathesis.graphql.scalar("Moment", st.one_of(_moments, _days).map(nodes.String))
schemathesis.graphql.scalar("DateTime", _moments.map(nodes.String))
schemathesis.graphql.scalar("Date", _days.map(nodes.String))


@schemathesis.check
def an_error_of_graphql_has_a_reason(
    context: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """No error is ours; what is valid is refused only for what a schema cannot say."""
    assert response.status_code < 500, response.status_code
    for error in response.json().get("errors", ()):
        code, message = error["extensions"]["code"], error["message"]
        assert code not in OURS, f"{code}: {message}"
        if case.meta is not None and case.meta.generation.mode.is_positive:
            known = any(code == one and re.fullmatch(text, message, re.DOTALL) for one, text, _ in REASONS)
            assert known, f"valid data is refused: {code}: {message}"
