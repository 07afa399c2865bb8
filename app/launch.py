"""`python -m app.launch`, which `make run` calls: take a free port, say where the page is, and serve it in this process.

The port is taken before anything is said: of two that start at once each has its own, and no other program comes between.

It fetches nothing. What is not installed is named, with the command that installs it.
"""

from __future__ import annotations

import argparse
import errno
import importlib.metadata
import logging
import os
import re
import socket
import sys
import tempfile
from pathlib import Path

from app import sign_in
from app.origin import is_loopback
from engine import system
from engine.errors import BadInput
from engine.operate import logs

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements.txt"
TRIES = 100
"""Ports that are tried, from the one asked for."""
BACKLOG = 2048
"""Connections that wait at most, as many as of the web server."""
QUOTED = 200
"""Characters of a person's words that a sentence quotes."""


def main(arguments: list[str] | None = None) -> None:
    """Serves the page until it is stopped; exits with 2 and one sentence where host or port cannot be used, or a package is missing."""
    parser = argparse.ArgumentParser(prog="python -m app.launch", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at; 0.0.0.0 shares the page (default: %(default)s)"
    )
    parser.add_argument("--port", default="8501", help="port; a taken one moves to the next free one (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        logs.is_json()
        if not options.port.isdecimal() or not 1 <= (wanted := int(options.port)) <= 65535:
            raise ValueError(f"PORT={options.port[:QUOTED]}: must be a whole number in 1..65535.")
        if missing := list_missing():
            raise ValueError(explain_missing(missing))
        sign_in.check_settings()
        sign_in.check_address(options.host)
        provider = sign_in.read_provider()
        listener = take_port(options.host, wanted)
    except ValueError as error:
        say(str(error), logging.ERROR)
        parser.exit(2)
    port = int(listener.getsockname()[1])
    if port != wanted:
        say(f"Port {wanted} is taken, so this is port {port}.")
    if not is_loopback(options.host):
        say(
            f"WARNING: everyone who can reach this machine can use this page and its processor: it listens at {options.host}. "
            "Plain `make run` keeps it to this machine.",
            logging.WARNING,
        )
        if not os.environ.get("LAB_HOSTS"):
            say("LAB_HOSTS=name,... makes it answer to these host names alone, which keeps other sites' pages out.")
    say(f"Imbalance Lab: {page_url(options.host, port)} (Ctrl+C stops it)")
    # uvicorn takes X-Forwarded-Proto and -For from these addresses. Its default is any process of this machine.
    os.environ["FORWARDED_ALLOW_IPS"] = os.environ.get("LAB_PROXIES", "")
    with tempfile.TemporaryDirectory(prefix="imbalance-lab-") as folder:  # which this user alone can open
        secrets = () if provider is None else (f"--secrets.files={sign_in.write_secrets(provider, Path(folder))}",)
        serve([*server_arguments(options.host, port), *secrets], listener)


def say(text: str, level: int = logging.INFO) -> None:
    """Print a sentence: on stdout, an error on stderr; with LAB_LOG=json all on stderr, as a line of the log."""
    try:
        in_json = logs.is_json()
    except BadInput:  # which is what is said
        in_json = False
    if in_json:
        text = logs.make_formatter().format(logging.LogRecord("app.launch", level, __file__, 0, text, (), None))
    print(text, file=sys.stderr if in_json or level >= logging.ERROR else sys.stdout, flush=True)


def take_port(host: str, port: int) -> socket.socket:
    """Listen at the first free port at `host` from `port` (1 to 65535) on.
    Raises ValueError, with a sentence, where there is none."""
    shown = host[:QUOTED]
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise ValueError(f"HOST={shown}: is no address of this machine; use 127.0.0.1, or 0.0.0.0 to share the page.") from None
    last = min(port + TRIES - 1, 65535)
    for number in range(port, last + 1):
        listener = socket.socket(family, kind, protocol)
        try:
            system.claim_port(listener)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # "::" is every address, also of the older kind
            listener.bind((address[0], number, *address[2:]))
            listener.listen(BACKLOG)  # also of two sockets that are bound to one port only one can listen
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                continue
            if error.errno == errno.EACCES:
                raise ValueError(f"PORT={number}: this system keeps it to itself; use one above 1023.") from None
            raise ValueError(f"HOST={shown}: cannot be listened at ({error.strerror}); use 127.0.0.1.") from None
        return listener
    raise ValueError(f"PORT={port}: it and all up to {last} are taken; name a free one.")


def page_url(host: str, port: int) -> str:
    """Return the address at which a browser on this machine finds the page."""
    if host in ("0.0.0.0", "::"):  # all addresses, so also this one
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def list_missing() -> list[str]:
    """Return the names of the packages that Imbalance Lab needs and this Python does not have."""
    return [name for name in read_requirements() if not _is_installed(name)]


def read_requirements() -> list[str]:
    """Return the names of the packages that Imbalance Lab needs: of requirements.txt, or where it is installed of its metadata.

    With LAB_ENGINE=off, in a folder of the source, those of the page alone.
    """
    here = REQUIREMENTS.is_file()
    lines = _read_lines(_find_list()) if here else importlib.metadata.requires("imbalance-lab") or []
    names = [name[0] for line in lines if (name := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)) and "extra ==" not in line]
    return list(dict.fromkeys(names))


def _find_list() -> Path:
    """The list of what this start needs, in a folder of the source."""
    return REQUIREMENTS.with_name("requirements-page.txt") if os.environ.get("LAB_ENGINE") == "off" else REQUIREMENTS


def _read_lines(file: Path) -> list[str]:
    """The lines of a list of requirements, with those of the lists that it names by `-r` in their place."""
    out = []
    for line in file.read_text(encoding="utf-8").splitlines():
        out += _read_lines(file.with_name(line[3:].strip())) if line.startswith("-r ") else [line]
    return out


def explain_missing(names: list[str]) -> str:
    """Return the sentence that names missing packages and the command that installs them."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    how = f"-r {_find_list().name}" if REQUIREMENTS.is_file() else "."
    where = f" in {ROOT}" if REQUIREMENTS.is_file() else " in the folder of its source"
    command = f"{Path(sys.executable).name} -m pip install {how}"
    return f"Not installed: {', '.join(names[:5])}{more}. `{command}`{where} installs what is needed."


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def serve(arguments: list[str], listener: socket.socket) -> None:
    """Run Streamlit's command line in this process, at a socket that listens. Exits when the server ends."""
    from streamlit.web import cli
    from streamlit.web.server.starlette import starlette_server

    def take_listener(*_: object) -> socket.socket:
        """As `_bind_socket`, which would find the port taken: by this process."""
        listener.setblocking(False)
        return listener

    assert callable(starlette_server._bind_socket)
    starlette_server._bind_socket = take_listener
    cli.main(arguments, prog_name="streamlit")


def server_arguments(host: str, port: int) -> list[str]:
    """Return the words after `streamlit` that start the server. Its settings stand beside the script, in app/.streamlit."""
    flags = [
        f"--server.address={host}",
        f"--server.port={port}",
        # Its greeting would look this machine's public address up on the internet when the page is shared.
        "--logger.hideWelcomeMessage=true",
    ]
    return ["run", str(ROOT / "app" / "server.py"), *flags]


if __name__ == "__main__":
    main()
