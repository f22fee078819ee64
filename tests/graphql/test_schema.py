"""The schema: committed, described, specified, and the same in names as the core."""

from pathlib import Path

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    find_breaking_changes,
    specified_scalar_types,
)

from app.cli.openapi import SDL_FILE, sdl
from app.core.signs import SIGNS
from app.core.verdict import Verdict
from app.graphql.schema import make_schema
from app.graphql.scores import SignName
from app.language import LANGUAGES

ROOT = Path(__file__).parents[2]
OWN = {
    name: kind
    for name, kind in make_schema()._schema.type_map.items()
    if not name.startswith("__") and name not in specified_scalar_types
}


def test_the_committed_schema_is_that_of_the_code():
    assert (ROOT / SDL_FILE).read_text() == sdl(), "`make openapi` writes it anew"
    build_schema(sdl())


def test_everything_is_described():
    for name, kind in OWN.items():
        if name.endswith("Result"):  # a union says what it is by its members
            continue
        assert kind.description, name
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in kind.fields.items():
                assert field.description, f"{name}.{field_name}"


def test_every_scalar_of_ours_is_specified():
    scalars = [kind for kind in OWN.values() if isinstance(kind, GraphQLScalarType)]
    assert {kind.name for kind in scalars} == {"Date", "DateTime", "Decimal", "JSON", "Moment"}
    assert all(kind.specified_by_url for kind in scalars)


def test_the_names_are_those_of_the_core():
    assert [sign.value for sign in SignName] == [sign.name for sign in SIGNS]
    for name, expected in (
        ("Verdict", [one.name for one in Verdict]),
        ("LanguageName", [one.upper() for one in LANGUAGES]),
    ):
        kind = OWN[name]
        assert isinstance(kind, GraphQLEnumType)
        assert list(kind.values) == expected


def test_no_client_of_the_last_release_breaks():
    released = build_schema((ROOT / SDL_FILE.parent / "released" / SDL_FILE.name).read_text())
    broken = [change.description for change in find_breaking_changes(released, build_schema(sdl()))]
    assert not broken, "deprecate instead, or take the new schema over with the next major release"
