"""Lines of a log, as a process of its own writes them: their form, their fields, and what is never in them."""

import json
import os
import pty
import subprocess
import sys
from textwrap import dedent
from typing import Any

import pytest

from app.logs.fields import ALWAYS, FIELDS

MARK = "quibblefax"


def logged(code: str, *, level: str = "debug", form: str = "json") -> str:
    """What is written to stderr where some code runs after the log was set up."""
    begin = f"import logging\nfrom app.logs.lines import set_up\nlines = set_up({level!r}, {form!r})\n"
    done = subprocess.run(
        [sys.executable, "-c", begin + dedent(code)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def lines_of(text: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        assert line.keys() >= ALWAYS.keys(), line
        assert line.keys() <= FIELDS.keys(), line
    return found


def test_a_line_is_json_with_the_promised_fields():
    (line,) = lines_of(
        logged("""
        from app.use_cases.at_hand import REQUEST_ID
        from app.use_cases.fairness import ACTING_FOR
        REQUEST_ID.set("seven")
        ACTING_FOR.set("0b2f")
        lines.trace_by(lambda: ("a" * 32, "b" * 16))
        told = {"clients": 3, "seconds": 0.5, "customer": "x"}
        logging.getLogger("partwise.worker").info("clients are due", extra=told)
        """)
    )
    assert line.pop("timestamp").endswith("Z")
    assert list(line.items()) == [
        ("level", "info"),
        ("logger", "partwise.worker"),
        ("event", "clients are due"),
        ("request_id", "seven"),
        ("tenant_id", "0b2f"),
        ("trace_id", "a" * 32),
        ("span_id", "b" * 16),
        ("seconds", 0.5),
        ("clients", 3),
    ]


def test_the_gathering_log_writes_the_same_line():
    said = """
    from app.use_cases.at_hand import REQUEST_ID
    REQUEST_ID.set("seven")
    lines.gathered("partwise.x").info("said", status=200)
    logging.getLogger("partwise.x").info("said", extra={"status": 200})
    lines.gathered("partwise.x").debug("whispered")
    """
    quick, usual, whispered = lines_of(logged(said))
    assert quick.pop("timestamp") <= usual.pop("timestamp")
    assert quick == usual
    assert list(quick) == list(usual)
    assert whispered["level"] == "debug"
    assert len(lines_of(logged(said, level="info"))) == 2
    assert lines_of(logged(said, level="warning")) == []


def test_errors_are_told_by_type_and_place_and_never_by_message():
    text = logged(f"""
        class Refused(Exception):
            sqlstate, table_name, constraint_name = "23505", "client", "client_pkey"
        def broken():
            try:
                raise Refused("row ({MARK})")
            except Refused as error:
                raise ValueError("{MARK}") from error
        try:
            broken()
        except ValueError:
            logging.getLogger("partwise.edge").exception("a request failed")
        """)
    assert MARK not in text
    for line in lines_of(text):
        assert line["error"] == "builtins.ValueError"
        first, then = line["stack"].split("\nthen\n")
        assert "broken" in first
        assert first.endswith("__main__.Refused (sqlstate 23505, table_name client, constraint_name client_pkey)")
        assert then.endswith("builtins.ValueError")


@pytest.mark.parametrize("form", ["json", "text"])
def test_whoever_says_it_values_are_not_told(form: str):
    text = logged(
        f"""
        import asyncio, sys, threading, warnings
        library = logging.getLogger("library")
        library.warning("row %r of %d", "{MARK}", 7)
        library.warning("row %(row)s", {{"row": "{MARK}"}})
        library.warning("row %s %s", "{MARK}")
        library.error("failed", exc_info=ValueError("{MARK}"))
        library.info("{MARK}")
        logging.getLogger("partwise").info("half %s", "\\ud800")

        def fail():
            raise ValueError("{MARK}")

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

        class Ends:
            def __del__(self):
                raise ValueError("{MARK}")

        Ends()
        warnings.warn("{MARK}", UserWarning)

        async def forgotten():
            task = asyncio.create_task(failing())
            await asyncio.sleep(0)
            del task
            asyncio.get_running_loop().call_exception_handler({{"message": "lost", "exception": ValueError("{MARK}")}})

        async def failing():
            raise ValueError("{MARK}")

        asyncio.run(forgotten())
        """,
        form=form,
    )
    assert MARK not in text
    if form == "json":
        events = [line["event"] for line in lines_of(text)]
        assert events[:3] == ["row '…' of 7", "row …", "row %s %s"]
        for told in ("a thread has failed", "an error came where nobody could be told", "a warning of Python", "lost"):
            assert any(event.startswith(told) for event in events), (told, events)


def test_each_request_has_its_own_context_in_tasks_and_threads():
    lines = lines_of(
        logged("""
        import asyncio
        from app.use_cases.at_hand import REQUEST_ID
        from app.use_cases.fairness import ACTING_FOR, FairThreads
        log = logging.getLogger("partwise.x")
        access = lines.gathered("partwise.access")

        def compute(number):
            log.info("computed", extra={"clients": number})

        async def request(number):
            REQUEST_ID.set(f"r{number}")
            await asyncio.sleep(0)
            ACTING_FOR.set(f"t{number}")
            await asyncio.gather(*(asyncio.to_thread(compute, number) for _ in range(3)))
            access.info("request", clients=number)

        async def all():
            asyncio.get_running_loop().set_default_executor(FairThreads(2, "core"))
            async with asyncio.TaskGroup() as group:
                for number in range(100):
                    group.create_task(request(number))

        asyncio.run(all())
        lines.flush()
        """)
    )
    assert len(lines) == 400
    assert {line["event"] for line in lines} == {"computed", "request"}
    for line in lines:
        assert (line["request_id"], line["tenant_id"]) == (f"r{line['clients']}", f"t{line['clients']}")


@pytest.mark.parametrize(("form", "expected"), [(None, "text"), ("json", "json"), ("text", "text")])
def test_on_a_terminal_it_is_text_unless_told_otherwise(form: str | None, expected: str):
    ours, theirs = pty.openpty()
    code = f"""
    import logging
    from app.logs.lines import set_up
    set_up("info", {form!r})
    logging.getLogger("partwise.x").info("said", extra={{"status": 200}})
    """
    subprocess.run([sys.executable, "-c", dedent(code)], stderr=theirs, check=True, timeout=60)
    os.close(theirs)
    text = os.read(ours, 10_000).decode()
    os.close(ours)
    if expected == "json":
        assert json.loads(text)["status"] == 200
    else:
        assert text.split(" ", 2)[2].strip() == "INFO partwise.x [-]: said status=200"
