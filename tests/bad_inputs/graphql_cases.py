"""What is sent to GraphQL: bodies that are wrong as a whole, documents, and every argument of every field."""

import json
from collections.abc import Iterator
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
)

from tests.bad_inputs.cases import JSON, Case
from tests.bad_inputs.values import IN_JSON, IN_TEXT, NOT_JSON

__all__ = ["graphql_cases"]

_TYPENAME = '{"query": "{ __typename }"'
_FINE = {
    "Int": {"`0`", "an integer of 10,000 digits"},
    "Boolean": {"`true`", "`false`"},
}


def graphql_cases(schema: GraphQLSchema) -> Iterator[Case]:
    """Everything that is wrong, for a schema."""
    yield from _bodies()
    yield from _documents()
    for kind, word in ((schema.query_type, "query"), (schema.mutation_type, "mutation")):
        for name, field in kind.fields.items():
            yield from _arguments(word, name, field.args)


def _case(what: str, where: str, body: bytes, kind: str | bytes = JSON, *more: tuple[str, str]) -> Case:
    headers = (("Content-Type", kind), *more) if kind else more
    return Case(what, f"GraphQL: {where}", "POST", "/graphql", body, headers)


def _bodies() -> Iterator[Case]:
    good = (_TYPENAME + "}").encode()
    for what, body in NOT_JSON.items():
        yield _case(what, "body", body)
        for name in ("query", "operationName", "variables", "extensions"):
            yield _case(what, "a member of the body", b'{"%s": %s}' % (name.encode(), body))
    yield _case("truncated", "body", good[:-1])
    yield _case("a byte order mark", "body", b"\xef\xbb\xbf" + good)
    yield _case("UTF-16", "body", good.decode().encode("utf-16"))
    yield _case("10 MiB", "body", b'{"query":"' + b"x" * 10 * 1024 * 1024 + b'"}')
    many = ",".join(f'"k{n}":{n}' for n in range(100_000))
    yield _case("100,000 names", "variables", f'{_TYPENAME},"variables":{{{many}}}}}'.encode())
    yield _case("a name given twice", "body", good[:-1] + b',"query":"{ __typename }"}')
    yield _case("a name given twice", "variables", good[:-1] + b',"variables":{"a":{"b":1,"b":1}}}')
    yield _case("an unknown Content-Encoding", "body", good, JSON, ("Content-Encoding", "snappy"))
    for wrong in ("text/plain", "application/graphql", ""):
        yield _case("a media type of another kind, or none", "body", good, wrong)
    for what, value in IN_TEXT.items():
        for name in ("query", "variables", "operationName"):
            rest = "" if name == "query" else "query={__typename}%20query%20B{__typename}&"
            yield Case(what, "GraphQL: query string", "GET", f"/graphql?{rest}{name}={value}")
    yield Case(
        "a parameter given twice", "GraphQL: query string", "GET", "/graphql?query={__typename}&query={__typename}"
    )


def _documents() -> Iterator[Case]:
    def case(what: str, text: str) -> Case:
        return _case(what, "document", json.dumps({"query": text}).encode())

    yield case("NUL byte", "{ __typename }\0")
    yield case("NUL byte in a text", '{ client(clientId: "a\0b") { id } }')
    yield case("NUL byte, escaped", r'{ client(clientId: "a\u0000b") { id } }')
    yield case("lone surrogate", "{ __typename } \ud800")
    yield case("lone surrogate, escaped", r'{ client(clientId: "\ud800") { id } }')
    yield case("nested 100,000 deep", "{ a " * 100_000 + "}" * 100_000)
    yield case("lists nested 100,000 deep", "{ nodes(ids: " + "[" * 100_000 + "]" * 100_000 + ") { id } }")
    yield case("100,000 aliases", "{" + " ".join(f"a{n}: __typename" for n in range(100_000)) + "}")
    yield case("an integer of 10,000 digits", "{ clients(first: " + "9" * 10_000 + ") { totalCount } }")
    yield case("2^63", "{ clients(first: 9223372036854775808) { totalCount } }")
    yield case("`1e400`", "{ clients(first: 1e400) { totalCount } }")
    yield case("`NaN`", "{ clients(first: NaN) { totalCount } }")
    yield case("`false`", "{ clients(first: false) { totalCount } }")
    yield case("a name given twice", '{ client(clientId: "a", clientId: "b") { id } }')
    yield case("a name given twice within", "{ clients(filter: {text: null, text: null}) { totalCount } }")
    yield case("truncated", "{ clients")
    yield case("nothing", "")
    for what, day in {
        "the year 1": "0001-01-01",
        "the year 9999": "9999-12-31",
        "the year 292277026596": "+292277026596-12-04",
    }.items():
        yield case(what, f'{{ client(clientId: "a", asOf: "{day}") {{ id }} }}')


def _arguments(word: str, name: str, arguments: dict[str, GraphQLArgument]) -> Iterator[Case]:
    for argument, one in arguments.items():
        others = {other: each for other, each in arguments.items() if is_required_argument(each) or other == argument}
        heading = ", ".join(f"${other}: {each.type}" for other, each in others.items())
        given = ", ".join(f"{other}: ${other}" for other in others)
        document = json.dumps(f"{word} ({heading}) {{ {name}({given}) {{ __typename }} }}")
        values = {other: _good(each.type) for other, each in others.items() if other != argument}
        rest = "".join(f"{json.dumps(other)}: {json.dumps(value)}, " for other, value in values.items())
        kind = get_named_type(one.type).name
        for what, value in {**{what: value for what, (value, _) in IN_JSON.items()}, **NOT_JSON}.items():
            if _is_fine(what, kind, one):
                continue
            body = f'{{"query": {document}, "variables": {{{rest}"{argument}": '.encode() + value + b"}}"
            yield _case(what, "an argument", body)


def _is_fine(what: str, kind: str, argument: GraphQLArgument) -> bool:
    """Whether a value may be given, or nothing of it is looked at."""
    if kind in ("ID", "String"):
        # Texts of any kind may be searched for; what no name can be is told by the rest.
        return what not in ("NUL byte, escaped", "lone surrogate, escaped", "control character, escaped", *NOT_JSON)
    if isinstance(get_named_type(argument.type), GraphQLEnumType | GraphQLInputObjectType):
        return what in ("`[]`", "`{}`") or isinstance(argument.type, GraphQLList)
    return kind in ("JSON",) or what in _FINE.get(kind, ())


def _good(kind: Any) -> Any:
    if isinstance(kind, GraphQLNonNull):
        return _good(kind.of_type)
    if isinstance(kind, GraphQLList):
        return [_good(kind.of_type)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        return {name: _good(one.type) for name, one in kind.fields.items() if isinstance(one.type, GraphQLNonNull)}
    return {"Int": 1, "Float": 1.0, "Boolean": True, "JSON": {}}.get(kind.name, "x")
