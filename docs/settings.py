"""Writes the table of settings in docs/operations.md from app/settings.py: python -m docs.settings (`make docs`)."""

import ast
import inspect
import re
import textwrap
from pathlib import Path

from pydantic.fields import FieldInfo

from app.ports.rates import Rate
from app.settings import Settings

PAGE = Path(__file__).with_name("operations.md")
BEGIN, END = "<!-- settings: made by `make docs` -->\n", "<!-- end of settings -->\n"


def table() -> str:
    """The table, a row a setting, in the order of the code."""
    said = meanings()
    rows = [
        f"| `{name_of(name, field)}` | {default_of(field)} | {said[name]} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| variable | default | what it is |", "|---|---|---|", *rows]) + "\n"


def name_of(name: str, field: FieldInfo) -> str:
    """Of the environment variable."""
    return str(field.validation_alias or f"PARTWISE_{name.upper()}")


def default_of(field: FieldInfo) -> str:
    """As one would write it."""
    value = field.default
    if isinstance(value, tuple) and value and isinstance(value[0], Rate):
        value = " ".join(f"{one.name}={one.quota}/{one.seconds}" for one in value)
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        value = str(value).lower()
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def meanings() -> dict[str, str]:
    """What is written below each field in the code, on one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(Settings))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, said in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            words = said.value.value if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant) else ""
            # A plain field, with nothing said of it, is told by its name.
            found[field.target.id] = " ".join(str(words).split()).replace("|", "\\|")
    return found


def written(page: str) -> str:
    """The page with the table of today."""
    between = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    return between.sub(lambda _: BEGIN + table() + END, page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
