"""Every field of queries and mutations × every set of scopes × another tenant: allowed is what app/scopes.py says."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import httpx
import pytest
from graphql import (
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_input_field,
)

from app.graphql.nodes import global_id
from app.graphql.schema import make_schema
from app.ports.tenants import Scope
from app.scopes import GRAPHQL
from app.services import Services
from tests.cloud_events import cloud_event
from tests.graphql.conftest import Caller
from tests.rest.conftest import anybody
from tests.rest.walks import LOG, World, new_entries, world_of

__all__ = ["anybody"]

SCHEMA = make_schema()._schema
SETS = [frozenset(some) for size in range(len(Scope) + 1) for some in combinations(Scope, size)]
FIELDS = [
    f"{parent.name}.{name}"
    for parent in (SCHEMA.query_type, SCHEMA.mutation_type)
    if parent is not None
    for name in parent.fields
]
CLIENT = SCHEMA.get_type("Client")
assert isinstance(CLIENT, GraphQLObjectType)
OF_CLIENTS = [name for name, field in CLIENT.fields.items() if not is_leaf_type(get_named_type(field.type))]
each_field = pytest.mark.parametrize("field", FIELDS)
TELLING = {
    f"Query.{name}" for name in ("node", "nodes", "client", "clients", "events", "policies", "policy", "webhooks")
}
"""Those whose answers tell what the tenant wrote, so that one sees whether another tenant's do."""


def test_the_table_is_of_the_fields_that_there_are():
    live = {f"Subscription.{name}" for name in SCHEMA.subscription_type.fields}
    assert set(FIELDS) | {f"Client.{name}" for name in OF_CLIENTS} | live | {"Webhook.deliveries"} == set(GRAPHQL)


def given(names: dict[str, Any], name: str, kind: GraphQLInputType) -> Any:
    """A value for an argument, or for a field of an input."""
    bare = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
    if isinstance(bare, GraphQLList):
        return [given(names, name, bare.of_type)]
    if isinstance(bare, GraphQLInputObjectType):
        return {
            inner: given(names, inner, field.type)
            for inner, field in bare.fields.items()
            if inner in names or is_required_input_field(field)
            if not isinstance(get_named_type(field.type), GraphQLInputObjectType)
        }
    return names[name]


def selection(kind: GraphQLOutputType, depth: int = 4) -> str:
    """What there is to see of it, without more arguments."""
    bare = get_named_type(kind)
    if is_leaf_type(bare):
        return ""
    if isinstance(bare, GraphQLUnionType | GraphQLInterfaceType):
        parts = [f"... on {one.name} {selection(one, depth)}" for one in SCHEMA.get_possible_types(bare)]
        return f"{{ __typename {' '.join(parts)} }}"
    assert isinstance(bare, GraphQLObjectType)
    inner = [] if bare is CLIENT else [*_inside(bare, depth)]
    leaves = [name for name, field in bare.fields.items() if is_leaf_type(get_named_type(field.type))]
    return f"{{ __typename {' '.join((*leaves, *inner))} }}"


def _inside(kind: GraphQLObjectType, depth: int) -> Iterator[str]:
    for name, field in kind.fields.items():
        if depth and name in ("edges", "node", "client") and not is_leaf_type(get_named_type(field.type)):
            yield f"{name} {selection(field.type, depth - 1)}"


def request(field: str, names: dict[str, Any]) -> dict[str, Any]:
    parent, _, name = field.partition(".")
    kind = SCHEMA.get_type(parent)
    assert isinstance(kind, GraphQLObjectType)
    asked = kind.fields[name]
    told = {
        one: argument
        for one, argument in asked.args.items()
        if one in names or isinstance(argument.type, GraphQLNonNull)
    }
    declared = ", ".join(f"${one}: {argument.type}" for one, argument in told.items())
    passed = ", ".join(f"{one}: ${one}" for one in told)
    call = f"{name}({passed})" if told else name
    query = f"{parent.lower()} {f'({declared})' if told else ''} {{ {call} {selection(asked.type)} }}"
    return {"query": query, "variables": {one: given(names, one, argument.type) for one, argument in told.items()}}


def names_of(world: World) -> dict[str, Any]:
    """What arguments are, by their names."""
    client, version = world.names["client_id"], world.names["version"]
    known = global_id("Client", client)
    return {
        "clientId": client,
        "version": version,
        "id": known,
        "ids": known,
        "name": "walk",
        "settings": {},
        "type": "relationship.thrived",
        "events": cloud_event("walk", "relationship.thrived", client, time="2026-02-03T04:05:06Z"),
        "first": 10,
    }


def refusal(field: str, answer: httpx.Response) -> bool:
    """Whether it was refused for its scopes; anything else is to be an answer."""
    parent, _, name = field.partition(".")
    body = answer.json()
    if parent == "Mutation":
        kind = body["data"][name]["__typename"]
        assert kind not in ("NotFound", "InvalidInput", "Conflict"), answer.text
        return bool(kind == "Forbidden")
    codes = {error["extensions"]["code"] for error in body.get("errors", ())}
    assert codes <= {"FORBIDDEN"}, answer.text
    assert codes or body["data"][name] is not None
    return bool(codes)


@each_field
async def test_what_each_may(caller: Caller, services: Services, anybody: httpx.AsyncClient, tenant: str, field: str):
    world, needed = await world_of(caller, tenant), GRAPHQL[field]
    asked = request(field, names_of(world))

    async def answer_to(scopes: frozenset[Scope]) -> httpx.Response:
        anybody.headers["Authorization"] = f"Bearer {await services.keys.create(tenant, scopes)}"
        return await anybody.post("/graphql", json=asked)

    before = await world.everything()
    for scopes in SETS:
        if needed is not None and needed not in scopes:
            answer = await answer_to(scopes)
            assert refusal(field, answer), answer.text
            assert world.mark not in answer.text
    assert without_walkers(await world.everything()) == without_walkers(before)
    for scopes in SETS:
        if needed is None or needed in scopes:
            answer = await answer_to(scopes)
            assert not refusal(field, answer), answer.text
            assert (world.mark in answer.text) == (field in TELLING)


@pytest.mark.parametrize("name", OF_CLIENTS)
async def test_what_each_may_see_of_a_client_that_he_puts(
    caller: Caller, services: Services, anybody: httpx.AsyncClient, tenant: str, name: str
):
    world, needed = await world_of(caller, tenant), GRAPHQL[f"Client.{name}"]
    query = f"""
        mutation {{ putClient(input: {{clientId: "{world.names["client_id"]}"}})
        {{ ... on ClientPut {{ client {{ {name} {{ __typename }} }} }} }} }}"""
    for scopes in SETS:
        if Scope.INGEST in scopes:
            anybody.headers["Authorization"] = f"Bearer {await services.keys.create(tenant, scopes)}"
            answer = await anybody.post("/graphql", json={"query": query})
            assert ("FORBIDDEN" in answer.text) == (needed not in scopes), answer.text


@pytest.mark.parametrize("field", [one for one in FIELDS if one.startswith("Mutation.")])
async def test_what_changes_something_is_in_the_audit_log(caller: Caller, tenant: str, field: str):
    world = await world_of(caller, tenant)
    before = await world.everything()
    asked = request(field, names_of(world))
    assert not refusal(field, await world.owner.post("/graphql", json=asked, headers={"X-Request-Id": "walk"}))
    sends = field == "Mutation.sendEvents"
    assert bool(await new_entries(world, before, sends=sends)) == (not sends)


async def test_what_only_reads_changes_nothing(caller: Caller, tenant: str):
    world = await world_of(caller, tenant)
    before = await world.everything()
    for field in FIELDS:
        if field.startswith("Query."):
            answer = await world.owner.post("/graphql", json=request(field, names_of(world)))
            assert not refusal(field, answer), answer.text
    assert await world.everything() == before


async def test_a_neighbours_things_are_not_there(caller: Caller, tenant: str):
    ours, theirs = await caller(tenant), await world_of(caller, f"{tenant}-2")
    before = await theirs.everything()
    for field in FIELDS:
        answer = await ours.post("/graphql", json=request(field, names_of(theirs)))
        assert answer.status_code == 200, answer.text
        assert theirs.mark not in answer.text, field
        if field.startswith("Mutation."):
            assert await theirs.everything() == before, field
    assert await theirs.everything() == before


def without_walkers(everything: dict[str, Any]) -> dict[str, Any]:
    """All but the keys of the walk, and that they were made."""
    return {name: value for name, value in everything.items() if name not in ("keys", LOG)}
