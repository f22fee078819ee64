"""How long hostile documents hold a server up: CPU time to an answer, worst of some tries (`make bench-graphql`).

python -m benchmarks.hostile
"""

import time
from collections.abc import Iterator

from app.graphql.documents import Documents, InvalidDocument
from app.graphql.schema import make_schema

TRIES = 5


def documents() -> Iterator[tuple[str, str]]:
    """Documents that are cheap to send and dear to read."""
    yield "overlapping fields", '{ client(clientId: "a") { ' + "name " * 6_000 + "} }"
    yield "overlapping fields, as many as may be", '{ client(clientId: "a") { ' + "name " * 30 + "} }"
    yield "aliases", "{ " + " ".join(f"a{n}: clients {{ totalCount }}" for n in range(10_000)) + " }"
    yield "aliases, some hundred", "{ " + " ".join(f"a{n}: clients {{ totalCount }}" for n in range(300)) + " }"
    yield "deep", '{ client(clientId: "a") ' + "{ events { edges { node " * 300 + "{ id }" + " } } }" * 300 + " }"
    yield "deep lists", "{ nodes(ids: " + "[" * 900 + "]" * 900 + ") { id } }"
    spreads = " ".join(f"fragment F{n} on Client {{ ...F{n + 1} ...F{n + 1} name }}" for n in range(60))
    yield "fragments that double", '{ client(clientId: "a") { ...F0 } } ' + spreads + " fragment F60 on Client { name }"
    spreads = " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(44))
    yield "fragments that double, and are fine", "{ ...F0 ...F0 } " + spreads + " fragment F44 on Query { __typename }"
    asked = " ".join(f"a{n}: types {{ fields {{ type {{ fields {{ args {{ name }} }} }} }} }}" for n in range(45))
    yield "much of the schema", "{ __schema { " + asked + " } }"
    yield (
        "fragments in a circle",
        '{ client(clientId: "a") { ...A } } fragment A on Client { ...B } fragment B on Client { ...A }',
    )
    nested = "{ score { verdict } explanation { signs { sentence } } } "
    yield "fields of fields, twice each", "{ " + ('client(clientId: "a") ' + nested) * 20 + "}"
    yield "directives", '{ client(clientId: "a") { name ' + "@include(if: true) " * 600 + "} }"
    yield "comments", "#" + "x" * 19_000 + "\n{ version }"
    yield "variables", "query (" + " ".join(f"$v{n}: String" for n in range(600)) + ") { policies { version } }"
    yield "operations", " ".join(f"query Q{n} {{ policies {{ version }} }}" for n in range(280))
    yield "unknown fields", '{ client(clientId: "a") { ' + " ".join(f"nam{n}" for n in range(450)) + " } }"
    yield "unknown fragments", '{ client(clientId: "a") { ' + " ".join(f"...F{n}" for n in range(450)) + " } }"
    yield (
        "unused fragments",
        "{ policies { version } } " + " ".join(f"fragment F{n} on Client {{ name }}" for n in range(280)),
    )
    yield "costly pages", "{ clients(first: 100) { edges { node { events(first: 100) { edges { node { id } } } } } } }"
    inner = (
        "signs { sign title decibans points reasonCode sentence figures { name value unit } events { id type time } }"
    )
    rest = "strategy { tone steps inWriting drafts { subject body } } costOfStaying { perMonth terms { term amount } }"
    wide = " ".join(f'a{n}: client(clientId: "{n}") {{ id name explanation {{ {inner} {rest} }} }}' for n in range(16))
    yield "as wide as may be, and fine", "{ " + wide + " }"
    yield "aliases that are fine", '{ client(clientId: "a") { ' + " ".join(f"a{n}: name" for n in range(50)) + " } }"


def main() -> None:
    """Print a line for each."""
    schema = make_schema()
    print(f"{'document':42}{'bytes':>9}{'CPU':>12}  answer")
    worst = 0.0
    for name, text in documents():
        longest, told = 0.0, "fine"
        for _ in range(TRIES):
            reader = Documents(schema)
            began = time.process_time()
            try:
                reader.operation(text, None, {})
            except InvalidDocument as invalid:
                first = invalid.errors[0]
                told = str((first.extensions or {}).get("code", first.message[:60]))
            longest = max(longest, (time.process_time() - began) * 1000)
        worst = max(worst, longest)
        print(f"{name:42}{len(text):9,}{longest:9.1f} ms  {told}")
    print(f"worst: {worst:.1f} ms")


if __name__ == "__main__":
    main()
