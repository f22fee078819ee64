"""Whenever a signal comes, what works in a loop ends and cleans up."""

import subprocess
import sys
from textwrap import dedent


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
