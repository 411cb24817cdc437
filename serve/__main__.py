"""`python -m serve`: the supervisor, PID 1 of a serving container.

It checks the model, starts nginx and gunicorn, passes SIGTERM on and ends with them:

- SIGTERM or SIGINT: gunicorn answers what it has accepted, then nginx quits; exit code 0.
- one of the two dies by itself: the other is stopped; exit code 4. Never a silent half.
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
RUN_FOLDERS = "/tmp"  # the one place that is writable in every mode, and short: a socket path has 107 bytes
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin")  # where nginx is, and a user's PATH may not look
SOCKET = "gunicorn.sock"  # below the run folder; serve/nginx.conf has the same name
ROOM = 64 * 1024  # bytes of configuration, pid and heartbeat
BACKLOG = 2048  # connections that wait to be accepted
DRAIN_SECONDS = 27.0  # gunicorn's graceful_timeout and a little; SageMaker kills after 30
QUIT_SECONDS = 1.5
AGAIN_SECONDS = 1.0  # between two signals to end
ORPHAN_SECONDS = 3.0  # for gunicorn once nginx is dead: nobody waits for its answers


class NginxTemplate(string.Template):
    """`string.Template` with `%{name}`, because `$name` is nginx's own."""

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
    finally:  # on its way out the interpreter takes our handlers off, and would die of one more signal
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
    return 0


def find_nginx(folders: str) -> str:
    """nginx's path in `folders` (as in PATH) ; `PlatformError` where there is none."""
    found = shutil.which("nginx", path=folders)
    if found is None:
        raise PlatformError("nginx is not installed: run `apt-get install nginx-light`, or use the image.")
    return found


def check_port(port: int) -> None:
    """`PlatformError` when something else listens on `port`; nginx would try for seconds and say less."""
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
    """A folder for sockets, pid and spool files of this run; gone afterwards."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="nmt-serve-", dir=RUN_FOLDERS))
    except OSError as error:
        raise PlatformError(f"{RUN_FOLDERS} is not writable ({error.strerror}): make it so.") from None
    try:
        check_room(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_room(folder: Path) -> None:
    """`PlatformError` when `folder` does not hold what every run writes; bodies that nginx puts aside come on top."""
    probe = folder / "room"
    try:
        probe.write_bytes(bytes(ROOM))
    except OSError as error:
        raise PlatformError(f"{RUN_FOLDERS} has no {ROOM // 1024} KB left ({error.strerror}): make room.") from None
    probe.unlink()


def start_gunicorn(folder: Path) -> subprocess.Popen[bytes]:
    """Start gunicorn on a socket that listens already: nginx, started after this, always finds it there."""
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
    """nginx's configuration for this run, from serve/nginx.conf."""
    # Started as root, nginx would give up root in its worker and could not enter the folder, which is root's.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    template = NginxTemplate((PROGRAM / "serve" / "nginx.conf").read_text())
    return template.substitute(user=user, run_dir=folder, port=settings.port, max_body_mb=settings.max_body_mb)


def start(command: list[str], environment: dict[str, str], *files: int) -> subprocess.Popen[bytes]:
    """Start a child that inherits the open `files`.

    Its session is its own, so that Ctrl-C reaches it through us and in our order.
    """
    return subprocess.Popen(command, env=environment, pass_fds=files, stdin=subprocess.DEVNULL, start_new_session=True)


def supervise(
    gunicorn: subprocess.Popen[bytes], nginx: subprocess.Popen[bytes], signals: queue.SimpleQueue[int]
) -> None:
    """Wait for a signal to stop or for a child's end, then stop both; `PlatformError` when a child ended."""
    dead: str | None = None
    while dead is None and signals.get() == signal.SIGCHLD:
        for name, child in (("gunicorn", gunicorn), ("nginx", nginx)):
            if child.poll() is not None:
                dead = f"{name} ended by itself (exit code {child.returncode}): its last lines above say why."
    stop(gunicorn, signal.SIGTERM, DRAIN_SECONDS if dead is None else ORPHAN_SECONDS)
    stop(nginx, signal.SIGQUIT, QUIT_SECONDS)  # QUIT lets nginx hand out the last answers
    if dead:
        raise PlatformError(dead)


def stop(child: subprocess.Popen[bytes], how: signal.Signals, patience: float) -> None:
    """Ask a child and all that it started to end, again and again for `patience` seconds, then end them.

    Once is not enough: a worker that gunicorn has just forked does not hear a signal until it has its own handlers.
    """
    end = time.monotonic() + patience
    while child.poll() is None and (left := end - time.monotonic()) > 0:
        os.killpg(child.pid, how)  # its session is its own
        with suppress(subprocess.TimeoutExpired):
            child.wait(min(AGAIN_SECONDS, left))
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)  # what it left behind ends too
    child.wait()


if __name__ == "__main__":
    sys.exit(main())
