"""`openapi`: write what the API is, OpenAPI and GraphQL, from the code."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.errors import CommandError
from app.settings import Settings

FILE = Path("openapi/openapi.json")
SDL_FILE = Path("openapi/schema.graphql")
PROBLEMS_FILE = Path("docs/problems.md")


def openapi(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when a file has drifted.")] = False,
) -> None:
    """Write openapi/openapi.json, openapi/schema.graphql and docs/problems.md."""
    for file, text in ((FILE, document()), (SDL_FILE, sdl()), (PROBLEMS_FILE, problems())):
        if check:
            if not file.exists() or file.read_text() != text:
                raise CommandError(f"{file} has drifted from the code; `make openapi` writes it anew")
            continue
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        typer.echo(file)


def document() -> str:
    """The OpenAPI document as it is committed."""
    return json.dumps(document_of_the_code(), indent=2, ensure_ascii=False) + "\n"


def document_of_the_code() -> dict[str, Any]:
    """The OpenAPI document of the code."""
    from app.composition import create_app

    app = create_app(Settings().with_database("postgresql+asyncpg://nobody@localhost/none"))
    return app.openapi()


def problems() -> str:
    """The documentation of the problem types as it is committed."""
    from app.rest.openapi import problems_document

    return problems_document(document_of_the_code())


def sdl() -> str:
    """The GraphQL schema as it is committed."""
    from app.graphql.schema import make_schema

    return make_schema().as_str() + "\n"
