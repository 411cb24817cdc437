"""`python -m serve`: the supervisor, which is PID 1 of a serving container.

It checks the model, starts nginx and gunicorn, passes SIGTERM on, and ends when they end:

- SIGTERM or SIGINT: gunicorn answers what it has accepted, then nginx quits; exit code 0.
- nginx or gunicorn ends by itself: the other one is stopped; exit code 4.
"""

from __future__ import annotations

import os
import pwd
import queue
import shutil
import signal
import socket
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from container.artifact import open_artifact
from container.errors import NmtError, PlatformError
from container.paths import Paths
from serve.engine.processor import engine_environment
from serve.settings import Settings, check_engine

PROGRAM = Path(__file__).resolve().parent.parent  # the folder that holds container/ and serve/
RUN_FOLDERS = "/tmp"  # writable in every mode, and short: the path of a socket has at most 107 bytes
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")  # nginx is there; a user's PATH may not have them
SOCKET = "gunicorn.sock"  # below the run folder; serve/nginx.conf has the same name
RUN_BYTES = 64 * 1024  # for configuration, pid and heartbeat
BACKLOG = 2048  # connections that may wait to be accepted
DRAIN_SECONDS = 27.0  # gunicorn's graceful_timeout and a little; SageMaker kills after 30
QUIT_SECONDS = 1.5
AGAIN_SECONDS = 1.0  # between two signals to a child that has not ended
ORPHAN_SECONDS = 3.0  # for gunicorn when nginx is dead and nobody waits for its answers


class NginxTemplate(string.Template):
    """`string.Template` with `%{name}`, because nginx itself uses `$name`."""

    delimiter = "%"


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()  # safe to put into from a signal handler
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda received, _: signals.put(received))
    try:
        settings = Settings.from_environment()
        nginx = find_nginx(os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS)))
        check_port(settings.port)
        check_engine(settings.engine)
        if not settings.multi_model:  # models come later, by POST /models
            model = Paths.from_environment().model
            open_artifact(model, with_saved_model=settings.engine == "tensorflow")
        if settings.page:
            print(f"serve: a page to try the model: http://localhost:{settings.port}/", file=sys.stderr, flush=True)
        with run_folder() as folder:
            supervise(start_gunicorn(folder), start_nginx(nginx, folder, settings), signals)
    except NmtError as error:
        print(f"serve: {error}", file=sys.stderr, flush=True)
        return error.kind.exit_code
    finally:  # while it ends the interpreter removes our handlers, and one more signal would kill it
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
    return 0


def find_nginx(folders: str) -> str:
    """The path of nginx in `folders`, which are written as in PATH; `PlatformError` where there is none."""
    found = shutil.which("nginx", path=folders)
    if found is None:
        raise PlatformError("nginx is not installed: run `apt-get install nginx-light`, or use the image.")
    return found


def check_port(port: int) -> None:
    """`PlatformError` when something else listens on `port`; nginx would try for seconds and its message says less."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as nginx does
        try:
            probe.bind(("0.0.0.0", port))
        except OSError as error:
            raise PlatformError(
                f"Port {port} cannot be used ({error.strerror}): free it, or set SAGEMAKER_BIND_TO_PORT."
            ) from None


@contextmanager
def run_folder() -> Iterator[Path]:
    """A folder for the sockets, pid and spool files of this run; it is removed afterwards."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="nmt-serve-", dir=RUN_FOLDERS))
    except OSError as error:
        raise PlatformError(f"{RUN_FOLDERS} is not writable ({error.strerror}): make it writable.") from None
    try:
        check_space(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_space(folder: Path) -> None:
    """`PlatformError` when `folder` has no space for what every run writes; bodies that nginx spools need more."""
    probe = folder / "probe"
    try:
        probe.write_bytes(bytes(RUN_BYTES))
    except OSError as error:
        needed = f"{RUN_BYTES // 1024} KB"
        raise PlatformError(f"{RUN_FOLDERS} has no {needed} left ({error.strerror}): free some space.") from None
    probe.unlink()


def start_gunicorn(folder: Path) -> subprocess.Popen[bytes]:
    """Start gunicorn on a socket that already listens, so that nginx, which starts later, always finds it."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / SOCKET))
        listener.listen(BACKLOG)
        return _start_gunicorn(folder, listener.fileno())


def _start_gunicorn(folder: Path, listener: int) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(filter(None, (str(PROGRAM), os.environ.get("PYTHONPATH"))))
    ours = {
        "NMT_RUN_DIR": str(folder),
        "NMT_LISTENER": str(listener),
        "PYTHONPATH": path,
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "gunicorn", "--config", str(PROGRAM / "serve" / "gunicorn.conf.py")]
    return start(command, {**os.environ, **engine_environment(), **ours}, listener)


def start_nginx(nginx: str, folder: Path, settings: Settings) -> subprocess.Popen[bytes]:
    config = folder / "nginx.conf"
    config.write_text(render_nginx(folder, settings))
    return start([nginx, "-e", "stderr", "-p", str(folder), "-c", str(config)], dict(os.environ))


def render_nginx(folder: Path, settings: Settings) -> str:
    """The configuration of nginx for this run, from serve/nginx.conf."""
    # When root starts nginx, its worker would change to another user, who cannot enter a folder of root.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    template = NginxTemplate((PROGRAM / "serve" / "nginx.conf").read_text())
    return template.substitute(user=user, run_dir=folder, port=settings.port, max_body_mb=settings.max_body_mb)


def start(command: list[str], environment: dict[str, str], *files: int) -> subprocess.Popen[bytes]:
    """Start a child that inherits the open `files`.

    It has a session of its own, so that Ctrl-C reaches only us, and we stop the children in our order.
    """
    return subprocess.Popen(command, env=environment, pass_fds=files, stdin=subprocess.DEVNULL, start_new_session=True)


def supervise(
    gunicorn: subprocess.Popen[bytes], nginx: subprocess.Popen[bytes], signals: queue.SimpleQueue[int]
) -> None:
    """Wait for a signal to stop or for the end of a child, then stop both; `PlatformError` when a child ended."""
    dead: str | None = None
    while dead is None and signals.get() == signal.SIGCHLD:
        for name, child in (("gunicorn", gunicorn), ("nginx", nginx)):
            if child.poll() is not None:
                dead = f"{name} ended by itself (exit code {child.returncode}): its last lines above say why."
    stop(gunicorn, signal.SIGTERM, DRAIN_SECONDS if dead is None else ORPHAN_SECONDS)
    stop(nginx, signal.SIGQUIT, QUIT_SECONDS)  # with SIGQUIT nginx still sends the last answers
    if dead:
        raise PlatformError(dead)


def stop(child: subprocess.Popen[bytes], how: signal.Signals, patience: float) -> None:
    """Ask a child and everything it started to end, again and again for `patience` seconds, then kill them.

    One signal is not enough: a worker that gunicorn has just forked ignores signals until it has its own handlers.
    """
    end = time.monotonic() + patience
    while child.poll() is None and (left := end - time.monotonic()) > 0:
        os.killpg(child.pid, how)  # the child leads a session
        with suppress(subprocess.TimeoutExpired):
            child.wait(min(AGAIN_SECONDS, left))
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # processes that it left behind
    child.wait()


if __name__ == "__main__":
    sys.exit(main())
