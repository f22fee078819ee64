"""Plans answer what graphql-core's executor answers: on queries drawn from the schema, and on those of front ends."""

from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import ExecutionResult, execute, print_ast, value_from_ast_untyped  # noqa: F401 - the reference
from graphql.execution.values import VariableValues, get_variable_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries

from app.cli.demo import load_demo
from app.cli.openapi import sdl
from app.graphql.context import Context
from app.graphql.documents import Documents, InvalidDocument
from app.graphql.schema import make_schema
from app.language import speaker
from app.services import Services
from app.settings import Settings
from app.use_cases.keys import Principal
from app.use_cases.rates import Allowance

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLIENTS = ["velvet-fashion", "mirage-ventures", "first-light-yoga", "nobody"]
DOCUMENTS = Documents(make_schema())
SCHEMA = DOCUMENTS.schema._schema


@pytest.fixture(scope="session")
async def principal(services: Services, database_url: str) -> Principal:
    return await services.keys.authenticate(await load_demo(Settings().with_database(database_url)))


def context(services: Services, principal: Principal) -> Context:
    found = Context(services, principal, speaker("en"), Allowance(services.rates, "", "", (), 0.0))
    found.__dict__["_now"] = NOW
    return found


async def both(
    services: Services, principal: Principal, text: str, **variables: Any
) -> tuple[Any, ExecutionResult] | None:
    """What a plan answers and what the reference does; None where there is no plan."""
    operation = DOCUMENTS.operation(text, None, variables)
    if operation.plan is None:
        return None
    ran = execute(SCHEMA, operation.document, context_value=context(services, principal), variable_values=variables)
    expected = ran if isinstance(ran, ExecutionResult) else await ran
    values = get_variable_values(SCHEMA, operation.node.variable_definitions or (), variables)
    assert isinstance(values, VariableValues)
    try:
        return await operation.plan.run(context(services, principal), values), expected
    except Exception as error:
        return error, expected


def agree(found: Any, expected: ExecutionResult) -> None:
    if expected.errors:
        assert isinstance(found, Exception), "what goes wrong is left to the reference"
    else:
        assert found == expected.data
        assert list_keys(found) == list_keys(expected.data)


def list_keys(value: Any) -> Any:
    """The order of fields, which is that of the query."""
    if isinstance(value, dict):
        return [(name, list_keys(one)) for name, one in value.items()]
    return [list_keys(one) for one in value] if isinstance(value, list) else None


MOMENTS = st.sampled_from(["2026-11-24", "2026-06-01T12:00:00Z", "2025-01-01"]).map(nodes.String)
SCALARS = {
    "Moment": MOMENTS,
    "Date": st.sampled_from(["2026-06-01", "2026-11-01"]).map(nodes.String),
    "DateTime": st.just(nodes.String("2026-06-01T12:00:00Z")),
    "Decimal": st.just(nodes.String("1.5")),
    "JSON": st.just(nodes.Object([])),
}
DRAWN = queries(
    sdl(),
    fields=["client", "clients", "portfolio", "policies", "policy", "events"],
    custom_scalars=SCALARS,
    allow_null=False,
)


@given(DRAWN)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
async def test_on_queries_drawn_from_the_schema(services: Services, principal: Principal, text: str):
    try:
        found = await both(services, principal, text)
    except InvalidDocument as invalid:
        codes = [str((error.extensions or {}).get("code", "")) for error in invalid.errors]
        if all(code.startswith("LIMIT_") for code in codes):
            return  # the generator knows no limits
        raise
    if found is not None:
        agree(*found)


LEAVES = [
    "id",
    "clientId",
    "name",
    "createdAt",
    "eventCount",
    "__typename",
    "other: clientId",
    "score { score verdict }",
]
DEEPER = [
    "score { score asOf knownAt interval { low high } clientType { name probabilities { name probability } } }",
    "score { leadingSign evidenceLevel dealBreakers { name } policyVersion }",
    "explanation { signs { sign title sentence figures { name value unit } events { id type data } } }",
    "russian: explanation(language: RU) { strategy { tone drafts { body } } parting { letter { body } } }",
    "explanation { trend { days change moved { sign points } } }",
    "explanation { costOfStaying { perMonth terms { term amount } } totalDecibans }",
    "recourse { exact better { verdict steps { action subjects score } } }",
    'history(step: MONTH, since: "2026-06-01") { asOf score signs { sign decibans } }',
    "timeline(first: 3) { edges { cursor node { change moved { sign } event { id } } } pageInfo { endCursor } }",
    "events(first: 2) { edges { node { id time recordedAt } } pageInfo { hasNextPage } }",
    "... on Node { id } ... on Client { name } ... { country }",
    "...Part",
]
SELECTIONS = st.lists(st.sampled_from(LEAVES + DEEPER), min_size=1, max_size=5, unique=True).map(" ".join)
FRAGMENT = " fragment Part on Client { id ...Further } fragment Further on Client { currency score { score } }"


@given(
    st.sampled_from(CLIENTS),
    SELECTIONS,
    SELECTIONS,
    st.sampled_from(
        ["", "orderBy: {by: NAME}", "orderBy: {by: CHANGE, direction: ASC}", "filter: {verdict: [PART, KEEP]}"]
    ),
    st.integers(0, 4),
)
@settings(max_examples=80, suppress_health_check=list(HealthCheck))
async def test_on_what_front_ends_send(  # noqa: PLR0917 - drawn one by one
    services: Services, principal: Principal, client: str, one: str, many: str, order: str, first: int
):
    text = """query ($id: String!, $n: Int) { client(clientId: $id) { ONE } portfolio { clients }
      page: clients(first: $n ORDER) { totalCount edges { cursor node { MANY } }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
    text = text.replace("ONE", one).replace("MANY", many).replace("ORDER", order)
    if "...Part" in text:
        text += FRAGMENT
    found = await both(services, principal, text, id=client, n=first)
    assert found is not None, "it is planned"
    agree(*found)
    assert not found[1].errors


@pytest.mark.parametrize(
    "text",
    [
        'mutation { activatePolicy(version: "v1") { __typename } }',
        '{ node(id: "x") { id } }',
        "{ __schema { types { name } } }",
        "query ($yes: Boolean!) { eventTypes { type @include(if: $yes) } }",
    ],
)
def test_what_is_not_planned_is_left_to_the_reference(text: str):
    assert DOCUMENTS.operation(text, None, {}).plan is None
