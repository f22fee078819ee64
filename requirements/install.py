"""Makes .venv and installs one of the lock files beside this script, with its hashes; does nothing when that is done.

    python3 requirements/install.py local|dev|bench
    python3 requirements/install.py ops-tools

The second is an environment of its own, .venv-ops: what checks the deployment, with dependencies that are not ours.
It runs on the system's Python, needs only the standard library, and keeps to a syntax that an old Python can parse,
so that such a Python is told what is missing instead of a SyntaxError.
"""

from __future__ import print_function

import hashlib
import os
import shutil
import subprocess
import sys
import time

OLDEST = (3, 11)
# Each set contains the ones before it, in the same versions, so an environment made for a later one serves them all.
SETS = ["local", "dev", "bench"]
APART = "ops-tools"

HERE = os.path.dirname(os.path.abspath(__file__))
CHECKOUT = os.path.dirname(HERE)


def folder_of(name):
    """Where a set is installed."""
    return os.path.join(CHECKOUT, ".venv-ops" if name == APART else ".venv")


def fail(message):
    """End with one clear line."""
    sys.stderr.write("error: " + message + "\n")
    sys.exit(1)


def check_python():
    """Refuse a Python that is too old or that cannot make environments."""
    if sys.version_info < OLDEST:
        fail(
            "Partwise needs Python 3.11 or newer, but %s is Python %d.%d. Name another one: make PYTHON=python3.13 ..."
            % (sys.executable, sys.version_info[0], sys.version_info[1])
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        fail(
            "this Python has no venv module. Install it (on Debian and Ubuntu: apt-get install python3-venv) "
            "or name another Python: make PYTHON=/path/to/python ..."
        )


def lock_file(name):
    return os.path.join(HERE, name + ".lock")


def stamp_file(name):
    return os.path.join(folder_of(name), ".partwise-" + name)


def key_of(name):
    """What an environment was made from: the lock's content and the Python."""
    digest = hashlib.sha256()
    with open(lock_file(name), "rb") as lock:
        digest.update(lock.read())
    digest.update(("\0%s\0%s" % (sys.version, os.path.realpath(sys.executable))).encode())
    return digest.hexdigest()


def is_installed(name):
    """Whether the set was installed completely from today's lock: the stamp is written last."""
    try:
        with open(stamp_file(name)) as stamp:
            return stamp.read() == key_of(name) and os.path.exists(os.path.join(folder_of(name), "bin", "python"))
    except (IOError, OSError):
        return False


def install(name):
    """Install the set, from nothing unless a smaller set is there in full."""
    started = time.time()
    folder = folder_of(name)
    smaller = [] if name == APART else [other for other in SETS[: SETS.index(name)] if is_installed(other)]
    with open(lock_file(name)) as lock:
        count = sum("==" in line for line in lock)
    print("Installing %d locked packages into %s (%s; once)" % (count, os.path.basename(folder), name))
    sys.stdout.flush()
    if not smaller:
        # What an interrupted or outdated installation left behind is not to be trusted.
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.check_call([sys.executable, "-m", "venv", folder])
    for other in smaller:
        os.unlink(stamp_file(other))
    subprocess.check_call(
        [
            os.path.join(folder, "bin", "python"),
            "-m",
            "pip",
            "install",
            "-qq",
            "--disable-pip-version-check",
            "--no-input",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            "--requirement",
            lock_file(name),
        ]
    )
    with open(stamp_file(name) + ".new", "w") as stamp:
        stamp.write(key_of(name))
    os.rename(stamp_file(name) + ".new", stamp_file(name))
    print("Installed in %.0f s" % (time.time() - started))


def main():
    check_python()
    if len(sys.argv) != 2 or sys.argv[1] not in [*SETS, APART]:
        fail("name one of the sets: " + ", ".join([*SETS, APART]))
    name = sys.argv[1]
    enough = [name] if name == APART else SETS[SETS.index(name) :]
    import fcntl

    # Two makes at once: the second waits and finds the work done. The lock ends with the process, however that ends.
    with open(folder_of(name) + ".lock", "w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        if any(is_installed(one) for one in enough):
            return
        try:
            install(name)
        except subprocess.CalledProcessError as error:
            fail("could not make the environment (see above; exit code %d). Run it again to retry." % error.returncode)
        except KeyboardInterrupt:
            fail("interrupted; run it again to start over.")


if __name__ == "__main__":
    main()
