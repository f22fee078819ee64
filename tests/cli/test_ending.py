"""A command that is told to end ends quietly, wherever the signal finds it."""

import asyncio
import os
import signal
import subprocess
import sys
from textwrap import dedent

import pytest

from app.cli.ending import SIGNALS, ending_cleanly


async def tell_ourselves(number: int) -> None:
    os.kill(os.getpid(), number)
    await asyncio.sleep(60)


@pytest.mark.parametrize("number", SIGNALS)
def test_it_ends_in_the_middle_of_a_task_of_many(number: int):
    async def work() -> None:
        async with asyncio.TaskGroup() as outer:
            outer.create_task(asyncio.sleep(60))
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(60))
                group.create_task(tell_ourselves(number))

    before = signal.getsignal(number)
    with ending_cleanly():
        asyncio.run(work())
    assert signal.getsignal(number) is before


def test_faults_beside_it_are_told():
    async def fail() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise ValueError("a fault")

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(tell_ourselves(signal.SIGTERM))

    with pytest.raises(ExceptionGroup) as raised, ending_cleanly():
        asyncio.run(work())
    assert [str(fault) for fault in raised.value.exceptions] == ["a fault"]


def test_faults_alone_are_told_as_they_are():
    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(60))
            raise ValueError("a fault")

    with pytest.raises(ExceptionGroup), ending_cleanly():
        asyncio.run(work())


def test_a_signal_that_comes_within_a_callback_ends_the_work_once():
    code = """
    import asyncio, os, signal
    from app.cli.ending import ending_cleanly, until_told

    def end():
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(1000))

    async def work():
        asyncio.get_running_loop().call_soon(end)
        try:
            await asyncio.sleep(60)
        finally:
            end()
            await asyncio.sleep(0.1)
            print("cleaned up", flush=True)

    with ending_cleanly():
        asyncio.run(until_told(work()))
    print("ended")
    """
    done = subprocess.run([sys.executable, "-c", dedent(code)], check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "cleaned up\nended\n", "")
