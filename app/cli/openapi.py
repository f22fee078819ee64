"""`openapi`: write the API's document from the code."""

import json
from pathlib import Path
from typing import Annotated

import typer

from app.cli.errors import CommandError
from app.settings import Settings

FILE = Path("openapi/openapi.json")


def openapi(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail when the file has drifted.")] = False,
) -> None:
    """Write openapi/openapi.json."""
    text = document()
    if check:
        if not FILE.exists() or FILE.read_text() != text:
            raise CommandError(f"{FILE} has drifted from the code; `make openapi` writes it anew")
        return
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text)
    typer.echo(FILE)


def document() -> str:
    """The OpenAPI document as it is committed."""
    from app.composition import create_app

    app = create_app(Settings().with_database("postgresql+asyncpg://nobody@localhost/none"))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"
