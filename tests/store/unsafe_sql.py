"""What a migration must not do to a table in use: rewrite it, read it all under a lock, take away what code reads."""

import re
from collections.abc import Iterable

_VOLATILE = (
    r"(?:random|gen_random_uuid|uuidv4|uuidv7|clock_timestamp|timeofday|nextval|statement_timestamp\(\)::text)\s*\("
)

# (what is wrong, a pattern); each is about a table that exists before the migration.
_RULES: tuple[tuple[str, str], ...] = (
    ("an index is built CONCURRENTLY: build_index", r"^CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)"),
    ("an index is dropped CONCURRENTLY: drop_index", r"^DROP INDEX (?!CONCURRENTLY)"),
    ("an index is rebuilt CONCURRENTLY", r"^REINDEX (?!.*CONCURRENTLY)"),
    ("a view is refreshed CONCURRENTLY", r"^REFRESH MATERIALIZED VIEW (?!CONCURRENTLY)"),
    ("a volatile default rewrites the table", rf"ADD (?:COLUMN )?.*DEFAULT\b.*{_VOLATILE}"),
    (
        "a generated column or an identity rewrites the table",
        r"ADD (?:COLUMN )?.*\b(?:GENERATED|(?:BIG|SMALL)?SERIAL)\b",
    ),
    ("rows that exist have no value for it", r"ADD (?:COLUMN )(?!.*\bDEFAULT\b).*\bNOT NULL\b"),
    ("another type may rewrite the table", r"ALTER (?:COLUMN )?\S+ (?:SET DATA )?TYPE\b"),
    ("NOT NULL reads the table, unless a validated check says so already", r"ALTER (?:COLUMN )?\S+ SET NOT NULL"),
    (
        "a constraint is added NOT VALID, and validated by another statement",
        r"ADD (?:CONSTRAINT \S+ )?(?:CHECK|FOREIGN KEY)\b(?!.*NOT VALID)",
    ),
    ("a key is added USING INDEX", r"ADD (?:CONSTRAINT \S+ )?(?:UNIQUE|PRIMARY KEY)\b(?!.*USING INDEX)"),
    ("an exclusion reads the table", r"ADD (?:CONSTRAINT \S+ )?EXCLUDE\b"),
    ("code that runs reads it by its old name", r"^ALTER TABLE .*\bRENAME\b"),
    ("code that runs reads it", r"\bDROP (?:COLUMN|TABLE)\b"),
    ("it rewrites the table or empties it", r"^(?:VACUUM FULL|CLUSTER|TRUNCATE)\b|SET (?:UN)?LOGGED|SET TABLESPACE"),
    ("it locks everybody out", r"^LOCK\b"),
    ("rows are changed in bounded steps, by a command", r"^(?:WITH .*)?(?:UPDATE|DELETE FROM)\b(?! alembic_version)"),
)
_TABLE = re.compile(
    r"(?:ALTER TABLE(?: IF EXISTS)?|\bON|^UPDATE|^DELETE FROM|TRUNCATE(?: TABLE)?)(?: ONLY)? (\w+)",
    re.I,
)
_MAKES = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)", re.I)
_CHECKED = re.compile(r"ALTER TABLE (\w+) VALIDATE CONSTRAINT", re.I)


def unsafe(statements: Iterable[str]) -> list[str]:
    """The faults of one migration's statements, in their order; what it makes itself nobody uses yet.

    A statement that is safe for a reason that is not to be seen says so in itself: `-- safe: the reason`.
    """
    made, checked, faults = set(), set(), []
    for raw in statements:
        if re.search(r"-- safe: \w", raw):
            continue
        statement = " ".join(raw.split())
        if making := _MAKES.match(statement):
            made.add(making[1])
            continue
        table = found[1] if (found := _TABLE.search(statement)) else None
        if table in made:
            continue
        if checking := _CHECKED.match(statement):
            checked.add(checking[1])
        for fault, pattern in _RULES:
            if re.search(pattern, statement, re.I) and not (table in checked and "SET NOT NULL" in pattern):
                faults.append(f"{fault}: {statement[:120]}")
    return faults
