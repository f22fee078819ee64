"""What is written in the store: statements that do not name the tenant.

Row-level security lets them find nothing of a neighbour. They are wrong all the same: each is to say itself whose rows
it means, and every index begins with that.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from app.store.tables import METADATA

_TABLES = "|".join(METADATA.tables)
_SQL = re.compile(rf"\b(?:FROM|JOIN|INTO|UPDATE)\s+(?:{_TABLES})\b(?!_)", re.IGNORECASE)
# The beginning of a statement that is put together: what is put after it is looked at where that happens.
_BEGINNING = re.compile(rf"^\s*SELECT [^;]* FROM (?:{_TABLES})\s*$", re.IGNORECASE)
# What is inserted names its tenant in the row: the column may not be empty.
_BUILDERS = ("select", "update", "delete", "exists")


def nameless(source: str) -> list[str]:
    """The statements, as `line: text`, of a module that do not name the tenant."""
    tree = ast.parse(source)
    found = []
    for statement in _smallest_statements(tree):
        text = ast.get_source_segment(source, statement) or ""
        if (_speaks_sql(statement) or _builds(statement)) and "tenant_id" not in text and ":tenant" not in text:
            found.append(f"{statement.lineno}: {' '.join(text.split())[:100]}")
    return found


def openings(source: str) -> list[str]:
    """The calls, as `line: name`, that open connections otherwise than `app.store.connection` does."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
            given = {keyword.arg for keyword in node.keywords}
            if name == "asyncpg.connect" or (name.endswith("create_pool") and "connect" not in given):
                found.append(f"{node.lineno}: {name}")
            if name.endswith("create_async_engine") and "async_creator_fn" not in ast.unparse(node):
                found.append(f"{node.lineno}: {name}")
    return found


def modules(folder: Path) -> Iterator[Path]:
    """The modules of the store, without its migrations: those are of no tenant, or of all."""
    for path in sorted(folder.rglob("*.py")):
        if "migrations" not in path.relative_to(folder).parts:
            yield path


def _smallest_statements(tree: ast.AST) -> Iterator[ast.stmt | ast.expr]:
    """Statements that hold no others, and what those that do begin with."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.stmt) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not any(isinstance(inner, ast.stmt) for inner in ast.walk(node) if inner is not node):
            yield node
        elif isinstance(node, ast.With | ast.AsyncWith):
            yield from (item.context_expr for item in node.items)
        elif isinstance(node, ast.For | ast.AsyncFor):
            yield node.iter
        elif isinstance(node, ast.If | ast.While):
            yield node.test


def _speaks_sql(statement: ast.stmt | ast.expr) -> bool:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return False  # a docstring
    for node in ast.walk(statement):
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "?" for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        else:
            continue
        if _SQL.search(text) and not _BEGINNING.match(text):
            return True
    return False


def _builds(statement: ast.stmt | ast.expr) -> bool:
    """Whether it calls `select` and the like on one of the tables."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BUILDERS:
            for argument in ast.walk(ast.Module([ast.Expr(one) for one in node.args], [])):
                if isinstance(argument, ast.Name) and argument.id in METADATA.tables:
                    return True
    return False
