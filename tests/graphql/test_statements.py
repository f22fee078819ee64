"""Never one statement per row: how many statements a nested page takes does not grow with the page."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from app.store.reads import Reads
from tests.graphql.conftest import Ask

NESTED = """query ($n: Int) { clients(first: $n ORDER) { totalCount edges { node { name score { score }
  explanation { signs { sign events { id type time data } } costOfStaying { perMonth } }
  recourse { exact } history(step: MONTH) { score } timeline(first: 2) { edges { node { event { id } } } } } } } }"""


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that goes to Postgres meanwhile."""
    sent: list[str] = []

    def before(connection: object, cursor: object, statement: str, *rest: object) -> None:
        del connection, cursor, rest
        # A key is looked at anew every few seconds; saying whose a transaction is, is a part of beginning it.
        if "api_key" not in statement and "set_config" not in statement:
            sent.append(statement)

    asked = Reads._ask

    async def ask(self: Reads, do: object) -> object:
        sent.append("a single read")
        return await asked(self, do)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Reads, "_ask", ask)
        event.listen(Engine, "before_cursor_execute", before)
        try:
            yield sent
        finally:
            event.remove(Engine, "before_cursor_execute", before)


@pytest.mark.parametrize("order", ["", ", orderBy: {by: NAME}", ", orderBy: {by: CHANGE}"])
async def test_a_nested_page_takes_as_many_statements_whatever_its_size(
    ask_demo: Ask, monkeypatch: pytest.MonkeyPatch, order: str
):
    query = NESTED.replace("ORDER", order)
    counts = {}
    await ask_demo(query, n=10)  # what is kept at hand is read once
    for size in (2, 10):
        with counted(monkeypatch) as sent:
            answer = await ask_demo(query, n=size)
        assert "errors" not in answer
        assert len(answer["data"]["clients"]["edges"]) == size
        counts[size] = len(sent)
    print(f"statements of a nested page: {counts}")
    # What explanations, recourse and timelines need is read together or apart, as they happen to be ready: a few
    # statements more or less, where one for each row would be eight more.
    assert 0 < counts[2] <= 16
    assert 0 < counts[10] <= min(counts[2] + 4, 16)


async def test_nodes_are_read_together(demo: httpx.AsyncClient, ask_demo: Ask, monkeypatch: pytest.MonkeyPatch):
    page = (await ask_demo("{ clients { edges { node { id } } } events(first: 20) { edges { node { id } } } }"))["data"]
    ids = [edge["node"]["id"] for name in ("clients", "events") for edge in page[name]["edges"]]
    with counted(monkeypatch) as sent:
        answer = await ask_demo("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids)
    assert [node["id"] for node in answer["data"]["nodes"]] == ids
    assert len(sent) <= 3
