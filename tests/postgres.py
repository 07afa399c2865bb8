"""A server of PostgreSQL for tests: Debian's programs in a folder of its own, on a free port, as the user `postgres`.

Debian's own cluster is not touched. `fsync` is off but where a test asks for it: what these tests show survives the end of processes, not
of power.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

USER = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "recovery_init_sync_method": "syncfs",  # after a kill it would open every file
    "max_connections": "100",
    "shared_buffers": "32MB",
    "autovacuum": "off",  # while it runs, a snapshot of it puts off what a deletion owes
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


@cache
def find_programs() -> Path | None:
    """The folder of the newest server's programs, None where there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found and (path := shutil.which("initdb")):
        found = [Path(path).resolve().parent]
    return max(found, key=lambda path: [int(n) for n in path.parent.name.split(".") if n.isdecimal()], default=None)


def lacking() -> str:
    """Why no server can be started here, or ''."""
    if find_programs() is None:
        return "the programs of PostgreSQL are not installed (Debian: postgresql)"
    if importlib.util.find_spec("psycopg") is None:
        return "psycopg is not installed (requirements-postgres.txt)"
    return ""


class Server:
    """A server with an empty database `lab`, in a folder that is deleted with it."""

    def __init__(self, **settings: str) -> None:
        self.settings = SETTINGS | {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"} | settings
        self.folder = Path(tempfile.mkdtemp(prefix="lab-postgres-"))
        self.data, self.log = self.folder / "data", self.folder / "log"
        self._user = USER if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run("initdb", "-D", self.data, "-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
        self.start()
        self.run_sql("CREATE DATABASE lab")

    def url(self, schema: str = "") -> str:
        """The URL of a store in that schema; it must be there (`make_schema`)."""
        options = f"?options=-csearch_path%3D{schema}" if schema else ""
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/lab{options}"

    def make_schema(self, name: str) -> str:
        """Create an empty schema; the URL of a store in it."""
        self.run_sql(f"CREATE SCHEMA {name}", "lab")
        return self.url(name)

    def run_sql(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of one statement, outside any transaction."""
        import psycopg

        with psycopg.connect(host="127.0.0.1", port=self.port, user=USER, dbname=database, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        words = "".join(f"{name} = '{value}'\n" for name, value in (self.settings | {"port": str(self.port)}).items())
        (self.data / "postgresql.auto.conf").write_text(words)
        self._run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "60", "start")

    def stop(self, mode: str = "fast") -> None:
        """End the server: fast rolls back what runs, immediate is as a crash."""
        self._run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-m", mode, "stop")

    def restart(self) -> None:
        """End the server, what runs rolled back, and start it again: all connections are lost."""
        self._run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", "60", "-m", "fast", "restart")

    def close(self) -> None:
        """End the server and delete its folder."""
        if (self.data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def freeze(self, seconds: float) -> None:
        """Stop the server's first process for a while: nobody connects."""
        os.kill(self.pid, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(self.pid, signal.SIGCONT)

    def _run(self, program: str, *words: object) -> None:
        programs = find_programs()
        assert programs is not None
        done = subprocess.run(
            [programs / program, *map(str, words)],
            user=self._user,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,  # the server keeps a pipe open
            stderr=subprocess.STDOUT if program != "pg_ctl" else subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, (program, done.stdout, self.log.read_text()[-2000:] if self.log.exists() else "")


@contextmanager
def serving(**settings: str) -> Iterator[Server]:
    """A server of the test's own."""
    server = Server(**settings)
    try:
        yield server
    finally:
        server.close()
