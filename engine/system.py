"""What not every operating system has: limits of a process, signals that ask to stop, links that are not followed.

Each stands here beside a way that works everywhere, and what is there decides. No other module names such things
(tests/test_portable.py).
"""

from __future__ import annotations

import ctypes
import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from filelock import BaseFileLock

resource: Any = None
with suppress(ImportError):
    import resource  # type: ignore[no-redef]

MIB = 1 << 20
_BLOCK: Callable[..., Any] | None = getattr(signal, "pthread_sigmask", None)
_BREAK: int | None = getattr(signal, "CTRL_BREAK_EVENT", None)
_KILL: int | None = getattr(signal, "SIGKILL", None)
_CONTAINER = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux writes the limit of memory of a container."""
_STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))
"""The signals by which a person or a service manager asks a process to stop."""


# ---- processes


def start_process(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process that `stop_process` can ask to stop. options: as of subprocess.Popen."""
    if _BREAK is not None:  # Ctrl+Break reaches a process of a group of its own
        options["creationflags"] = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return subprocess.Popen(command, **options)


def stop_process(process: subprocess.Popen[bytes] | AdoptedProcess, patience: float) -> None:
    """Ask a process of `start_process` to stop, wait `patience` seconds, and kill it if it has not. Returns once it has ended.

    Without signals, `terminate` ends it at once: its store marks what it ran as interrupted when its heartbeat is missed.
    """
    if process.poll() is None:
        if _BREAK is not None:
            process.send_signal(_BREAK)
        else:
            process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class AdoptedProcess:
    """A process that another one started, with what `stop_process` needs of Popen."""

    def __init__(self, process: Any) -> None:
        self._process = process
        self.pid: int = process.pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """None while it runs; 0 afterwards, since its exit code went to its parent."""
        import psutil

        try:
            ended = not self._process.is_running() or self._process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            ended = True
        self.returncode = 0 if ended else None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        import psutil

        with suppress(psutil.NoSuchProcess):
            self._process.send_signal(number)

    def terminate(self) -> None:
        """Ask it to stop."""
        import psutil

        with suppress(psutil.NoSuchProcess):
            self._process.terminate()

    def kill(self) -> None:
        """End it now."""
        import psutil

        with suppress(psutil.NoSuchProcess):
            self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended. Raises subprocess.TimeoutExpired."""
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() >= end:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(0.02)
        return 0


def name_process(pid: int) -> str:
    """Text by which `find_process` finds a process again, and no later one that has its number. '' once it has ended."""
    import psutil

    try:
        return f"{pid} {psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return ""


def find_process(name: str) -> AdoptedProcess | None:
    """The process of `name_process`, None where it has ended or the text is none."""
    import psutil

    number = name.partition(" ")[0]
    if not number.isdecimal() or name_process(int(number)) != name:
        return None
    with suppress(psutil.Error):
        found = AdoptedProcess(psutil.Process(int(number)))
        return found if found.poll() is None else None
    return None


def on_stop(act: Callable[[], None]) -> None:
    """Call `act` when somebody asks this process to stop. Main thread only."""
    for number in _STOPS:
        signal.signal(number, lambda *_: act())


def on_terminate(act: Callable[[], None]) -> None:
    """Call `act` when a service manager asks this process to stop (SIGTERM), and not when a person does. Main thread only."""
    signal.signal(signal.SIGTERM, lambda *_: act())


@contextmanager
def stop_signals_blocked() -> Iterator[None]:
    """A process started in this block does not receive what asks to stop: a child whose parent ends it.

    Where signals cannot be blocked, the child calls `ignore_stop_signals` as it begins.
    """
    if _BLOCK is None:
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # else starting a process would, and unblock the signals before it starts
    before = _BLOCK(signal.SIG_BLOCK, _STOPS)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        _BLOCK(signal.SIG_SETMASK, before)  # type: ignore[attr-defined]


def ignore_stop_signals() -> None:
    """Leave stopping to the parent process, where `stop_signals_blocked` cannot. Main thread only."""
    if _BLOCK is None:
        for number in _STOPS:
            signal.signal(number, signal.SIG_IGN)


def end_with_parent(parent: Any) -> None:
    """End this process, with exit code 9, when its parent does, in whatever way. parent: multiprocessing's `parent_process()`.

    On Linux the kernel also does it, even while a library holds Python's lock.
    """

    def follow() -> None:
        parent.join()
        os._exit(9)

    threading.Thread(target=follow, daemon=True).start()
    with suppress(TypeError, OSError, AttributeError):  # no library of the whole process, or one without prctl
        set_parent_death_signal = 1
        if _KILL is not None:
            ctypes.CDLL(None).prctl(set_parent_death_signal, _KILL)
    if os.getppid() != parent.pid:  # it ended before the call
        os._exit(9)


def was_killed(code: int | None) -> bool:
    """Whether an exit code is that of a process killed by the system or by hand."""
    return _KILL is not None and code == -_KILL


def describe_exit(code: int | None) -> str:
    """How a process ended, as the end of a sentence. code: of Popen or multiprocessing, None while it runs."""
    if code is None:
        return "closed its pipe"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else "unknown"
        return f"crashed (signal {-code}, {name})"
    return f"ended with exit code {code}"


# ---- limits


def refuse_core_dumps() -> None:
    """Keep the memory of this process out of core files, where the system writes them."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def lower_priority(nice: int = 19) -> None:
    """Give this process a lower priority, by default the lowest. nice: of POSIX; Windows has two steps."""
    import psutil

    step = "IDLE_PRIORITY_CLASS" if nice > 10 else "BELOW_NORMAL_PRIORITY_CLASS"
    psutil.Process().nice(getattr(psutil, step, nice))


def memory_in_use(pid: int | None = None) -> int:
    """Bytes of a process in memory, pages shared with others included; of this process where none is named. 0 once it has ended."""
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def memory_of_machine() -> int:
    """Bytes of memory that this machine has, or its container where that has less."""
    import psutil

    sizes = [int(psutil.virtual_memory().total)]
    for path in _CONTAINER:
        with suppress(OSError):
            text = Path(path).read_text(encoding="ascii").strip()
            sizes += [int(text)] if text.isdecimal() else []  # "max" is no limit
    return min(sizes)


def keep_freed_memory() -> None:
    """Let this process keep up to 64 MiB that it has freed, and take blocks of up to 32 MiB from there, where its C library can be told so.
    Training frees and takes the same blocks at every step; glibc's defaults give them back each time, and the system clears them anew.
    """
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3
    with suppress(TypeError, OSError, AttributeError):  # no library of the whole process, or one without mallopt
        library = ctypes.CDLL(None)
        library.mallopt(mmap_threshold, 32 << 20)
        library.mallopt(trim_threshold, 64 << 20)
        library.mallopt(top_pad, 4 << 20)


def return_memory() -> None:
    """Give memory that this process has freed back to the system, where its C library keeps it until it is told."""
    with suppress(TypeError, OSError, AttributeError):  # no library of the whole process, or one without malloc_trim
        ctypes.CDLL(None).malloc_trim(0)


def find_mps() -> str:
    """The folder of NVIDIA's Multi-Process Service, which lets several workers compute on one GPU at a time; '' where none runs.

    CUDA_MPS_PIPE_DIRECTORY names it, by default /tmp/nvidia-mps; the service keeps a pipe `control` there while it runs.
    """
    folder = os.environ.get("CUDA_MPS_PIPE_DIRECTORY") or "/tmp/nvidia-mps"
    return folder if (Path(folder) / "control").exists() else ""


def read_processor_facts() -> dict[str, str]:
    """What Linux lists of the first processor, such as `model name`; {} on other systems."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}


# ---- ports, files and streams


def claim_port(listener: socket.socket) -> None:
    """Set up a socket, before `bind`, so that it takes a port that nobody listens at, and no other.

    A connection of a server that has just ended does not hold its port. Windows lets two listen at one port unless told not to.
    """
    if (alone := getattr(socket, "SO_EXCLUSIVEADDRUSE", None)) is not None:
        listener.setsockopt(socket.SOL_SOCKET, alone, 1)
    else:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def lock_file(path: Path) -> BaseFileLock | None:
    """Take the lock of a file, made where it is missing, until `release` or the end of this process. None: another holds it."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def open_unlinked(path: Path) -> int:
    """Open a file for reading, and no link to one; returns its descriptor. Raises OSError."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0)
    if (refuse_links := getattr(os, "O_NOFOLLOW", None)) is not None:
        return os.open(path, flags | refuse_links)
    if path.is_symlink():
        raise OSError(None, "it is a link")
    return os.open(path, flags)


def write_utf8() -> None:
    """Write stdout and stderr as UTF-8 where they are no terminal and nobody chose an encoding: files and pipes of some systems
    take a code page that lacks most characters.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and not stream.isatty() and "PYTHONIOENCODING" not in os.environ:
            stream.reconfigure(encoding="utf-8")
