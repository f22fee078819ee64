"""Runs all bad inputs against a real server and tells, kind by kind, what it answered."""

import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from app.graphql.schema import make_schema
from tests.bad_inputs.cases import Case, cases_of, operations_of
from tests.bad_inputs.graphql_cases import graphql_cases
from tests.bad_inputs.sending import Answer, Sender, fault_of, rows_in, sender
from tests.service import Service, running

__all__ = ["PAGE", "Run", "every_case", "run", "written"]

PAGE: Final = Path(__file__).parents[2] / "docs" / "bad-inputs.md"
_MIB: Final = 1024 * 1024


_HEAD: Final = """# Bad inputs

What is answered to input that nobody should send. `make bad-inputs` sends all of it to a real server, one thing wrong
at a time: to every operation of the OpenAPI document, to every field of every event type and of the policy, and to
every argument of GraphQL; the tables are what came back. CI does the same and fails on an answer of success or of 5xx,
on a problem that does not name the field it is about, and on any row in the database afterwards.

An answer says which field by JSON pointer; a parameter as `?name` or `{name}`. What is no JSON at all has no fields:
then the problem says what is wrong and where, with status 400.

**Names given twice.** Readers of JSON differ in which of two values of one name they take, so neither is taken:
anywhere in a body, at any depth, in an attribute that nobody knows too. The same holds for a parameter in a query and
for a `ce-` header. Plain events pay next to nothing for it: their quotation marks are counted, and only where there
are more of them than the values found account for is a closer look taken (about a microsecond an event: events with
extension attributes, or with `null` written out).

**Slow input** is in no table, for it takes its time: heads and bodies that drip, headers and lines without end, and
readers that do not read are answered 408, 413, 414 or 431, or cut off; `tests/system/test_connections.py` has them.
"""


@dataclass
class Run:
    """What came of all of them.

    Attributes:
        sent: how many requests.
        faults: what was answered wrongly.
        answers: by where and what, the kinds of answers.
        stored: by table, rows that are there now and were not before.
        grown: bytes of memory that the server has more.
    """

    sent: int = 0
    faults: list[str] = field(default_factory=list)
    answers: dict[str, dict[str, dict[str, int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(lambda: defaultdict(int)))
    )
    stored: dict[str, int] = field(default_factory=dict)
    grown: int = 0


def every_case(url: str) -> Iterator[Case]:
    """All cases for a running server."""
    yield from cases_of(list(operations_of(httpx.get(f"{url}/openapi.json").raise_for_status().json())))
    yield from graphql_cases(make_schema()._schema)


def run(service: Service, tenant: str) -> Run:
    """Send all of them."""
    found = Run()
    with sender(service, tenant) as send:
        # The first good list of a tenant is put down, and so is what cursors are signed with.
        for path in ("/v1/clients", "/v1/clients?cursor=none"):
            send(Case("nothing", "nowhere", "GET", path))
        before, memory = rows_in(service, tenant), service.memory()
        for case in every_case(service.url):
            if not (case.harmless and case.method != "GET"):
                _one(found, case, send)
        after = rows_in(service, tenant)
        found.stored = {name: after[name] - before[name] for name in after if after[name] != before[name]}
        found.grown = service.memory() - memory
        for case in every_case(service.url):
            if case.harmless and case.method != "GET":
                _one(found, case, send)
    return found


def _one(found: Run, case: Case, send: Sender) -> None:
    found.sent += 1
    answer = send(case)
    fault = fault_of(case, answer)
    if fault is not None:
        found.faults.append(f"{case.what}, {case.where}: {case.method} {case.path[:200]}: {fault}")
    found.answers[case.where][case.what][_told(case, answer)] += 1


def _told(case: Case, answer: Answer) -> str:
    """An answer in a few words."""
    if answer.media.startswith("application/x-ndjson") or b'"results"' in answer.body[:200]:
        return "the line says `413`" if b'"status":413' in answer.body else "`invalid`, field named"
    if case.path.startswith("/graphql") and answer.status == 200:
        return "error, nothing done"
    named = answer.media == "application/problem+json" and any(answer.pointers)
    return f"{answer.status}, field named" if named else f"{answer.status}"


def written(found: Run) -> str:
    """The page of the documentation."""
    lines = [_HEAD]
    for where, kinds in found.answers.items():
        lines += [f"## In a {where}" if not where.startswith("a ") else f"## In {where}", ""]
        lines += ["| Sent | Answer |", "|---|---|"]
        lines += [
            f"| {what.replace('|', chr(92) + '|')} | {'; '.join(sorted(answers))} |" for what, answers in kinds.items()
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    """Send everything to a server of its own, and write the page."""
    with running() as service:
        found = run(service, "bad-inputs")
    print(f"{found.sent} requests, {len(found.faults)} answered wrongly, rows stored: {found.stored or 0},")
    print(f"memory {found.grown / _MIB:+.0f} MiB")
    for fault in found.faults:
        print(f"  {fault}")
    PAGE.write_text(written(found))
    print(f"docs/{PAGE.name} is written")
    return 1 if found.faults or found.stored else 0


if __name__ == "__main__":
    sys.exit(main())
