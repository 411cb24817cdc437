"""The rendezvous over real sockets on the loopback interface: every host is a thread with a name of its own."""

from __future__ import annotations

import queue
import socket
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from container.errors import PlatformError
from tests.conftest import REPOSITORY
from train.job.cluster import SINGLE_HOST, Cluster
from train.job.rendezvous import Rendezvous, SingleHost

HOSTS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
"""Names of hosts, sorted; every address of 127.0.0.0/8 is this machine."""

DEADLINE = 60.0  # seconds for anything that must happen at all, on a machine that has much else to do

Join = Callable[..., "Future[Rendezvous]"]


def cluster(rank: int, hosts: Sequence[str] = HOSTS) -> Cluster:
    return Cluster(tuple(hosts), hosts[rank], "lo")


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def lost() -> queue.Queue[PlatformError]:
    """What `on_lost` of any host was called with."""
    return queue.Queue()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def join(port: int, lost: queue.Queue[PlatformError], pool: ThreadPoolExecutor) -> Join:
    """Start one host, which waits for the others."""

    def start(rank: int, hosts: Sequence[str] = HOSTS, **options: float) -> Future[Rendezvous]:
        return pool.submit(Rendezvous, cluster(rank, hosts), lost.put, port=port, **{"patience": DEADLINE, **options})

    return start


def all_of(join: Join, ranks: Sequence[int] = (0, 1, 2), **options: float) -> list[Rendezvous]:
    return [host.result(DEADLINE) for host in [join(rank, **options) for rank in ranks]]


def test_one_host_meets_itself() -> None:
    alone = SingleHost(SINGLE_HOST)
    assert (alone.gather(b"a"), alone.broadcast(b"b")) == ([b"a"], b"b")
    alone.barrier()


def test_the_chief_gathers_in_order_of_rank(join: Join) -> None:
    """The third host comes and sends first; nothing, and more than fits a socket's buffer, arrive too."""
    starting = join(0)
    third = join(2).result(DEADLINE)
    second = join(1).result(DEADLINE)
    chief = starting.result(DEADLINE)
    large = bytes(range(256)) * 40_000
    assert third.gather(b"third") == []
    assert second.gather(b"") == []
    assert chief.gather(b"chief") == [b"chief", b"", b"third"]
    assert third.gather(b"3") == second.gather(large) == []
    assert chief.gather(b"1") == [b"1", large, b"3"]


def test_every_host_gets_what_the_chief_shares(join: Join) -> None:
    chief, *others = all_of(join)
    for payload in (b"first", b"", b"third" * 1_000_000):
        assert chief.broadcast(payload) == payload
        assert [other.broadcast(b"not looked at") for other in others] == [payload, payload]


def test_nobody_leaves_before_all_have_come_to_the_end(
    join: Join, pool: ThreadPoolExecutor, lost: queue.Queue[PlatformError]
) -> None:
    chief, second, third = all_of(join)
    early = [pool.submit(chief.barrier), pool.submit(third.barrier)]
    with pytest.raises(TimeoutError):
        early[0].result(0.3)
    assert not any(host.done() for host in early)
    second.barrier()
    for host in early:
        host.result(DEADLINE)
    assert lost.empty(), "parting in peace was taken for a loss"


def test_a_chief_that_listens_late_is_found(join: Join) -> None:
    second = join(1, HOSTS[:2])
    with pytest.raises(TimeoutError):
        second.result(0.5)
    chief = join(0, HOSTS[:2]).result(DEADLINE)
    chief.broadcast(b"here")
    assert second.result(DEADLINE).broadcast(b"") == b"here"


def test_a_name_that_resolves_late_is_asked_again(
    join: Join, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor
) -> None:
    """As on SageMaker, where the names of a job's hosts come up while its containers run already."""
    resolve, asked = socket.getaddrinfo, threading.Semaphore(0)
    ready = threading.Event()

    def late(host: str | None, *arguments: object, **options: object) -> object:
        if host != "algo-1":
            return resolve(host, *arguments, **options)  # type: ignore[arg-type]
        asked.release()
        if not ready.is_set():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve("127.0.0.1", *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", late)
    hosts = ("algo-1", "algo-2")
    chief, second = join(0, hosts), join(1, hosts)
    for _ in range(2):
        assert asked.acquire(timeout=DEADLINE), "it gave up after the first answer"
    ready.set()
    chief.result(DEADLINE).broadcast(b"here")
    assert second.result(DEADLINE).broadcast(b"") == b"here"


def test_an_absent_chief_is_named_within_the_patience(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(PlatformError, match=r"^Host no-such-host\.invalid did not come up in time: check that"):
        join(1, ("no-such-host.invalid", "z"), patience=0.5).result(DEADLINE)


def test_absent_hosts_are_named_within_the_patience(join: Join) -> None:
    chief, second = join(0, patience=4.0), join(1)
    with pytest.raises(PlatformError, match=r"^Host 127\.0\.0\.3 did not come up in time"):
        chief.result(DEADLINE)
    second.result(DEADLINE)


def test_one_who_is_no_host_of_the_job_keeps_nobody_from_meeting(join: Join, port: int) -> None:
    """A port scan of the subnet, say: it connects, and goes or talks nonsense."""
    chief = join(0, HOSTS[:2])
    for nonsense in (b"", b"\x00", b"GET / HTTP/1.1\r\n\r\n", struct.pack("!I", 0)):
        with connect(port) as stranger:
            stranger.sendall(nonsense)
    second = join(1, HOSTS[:2]).result(DEADLINE)
    chief.result(DEADLINE).broadcast(b"here")
    assert second.broadcast(b"") == b"here"


def connect(port: int) -> socket.socket:
    """A connection to the chief, which may have to begin to listen first."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            return socket.create_connection((HOSTS[0], port), timeout=DEADLINE)
        except ConnectionRefusedError:
            assert time.monotonic() < end, "the chief does not listen"
            time.sleep(0.02)


@pytest.fixture
def process(port: int) -> Iterator[Callable[[int], subprocess.Popen[str]]]:
    """Start one host of two as a process of its own, which says "met" and then does as its stdin says."""
    script = textwrap.dedent(
        """
        import sys
        from train.job.cluster import Cluster
        from train.job.rendezvous import Rendezvous

        names, rank, port = tuple(sys.argv[1].split()), int(sys.argv[2]), int(sys.argv[3])
        hosts = Rendezvous(Cluster(names, names[rank]), lambda error: print(error, flush=True), port=port)
        print("met", flush=True)
        if sys.stdin.readline():
            hosts.barrier()
        """
    )
    started: list[subprocess.Popen[str]] = []

    def start(rank: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script, " ".join(HOSTS[:2]), str(rank), str(port)]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True))
        return started[-1]

    yield start
    for host in started:
        host.kill()
        host.communicate()


@pytest.mark.parametrize("rank", [0, 1], ids=["chief", "other"])
def test_a_killed_host_is_named(
    join: Join, process: Callable[[int], subprocess.Popen[str]], lost: queue.Queue[PlatformError], rank: int
) -> None:
    host = process(rank)
    join(1 - rank, HOSTS[:2]).result(DEADLINE)
    assert host.stdout is not None
    assert host.stdout.readline() == "met\n"
    assert lost.empty()
    host.kill()
    message = str(lost.get(timeout=DEADLINE))
    assert message.startswith(f"Host {HOSTS[rank]} left the job before its end (")
    assert "resumes from the newest checkpoint" in message


@pytest.mark.parametrize("rank", [0, 1], ids=["chief", "other"])
def test_a_process_that_ends_after_all_are_done_is_not_missed(
    join: Join, process: Callable[[int], subprocess.Popen[str]], lost: queue.Queue[PlatformError], rank: int
) -> None:
    host = process(rank)
    here = join(1 - rank, HOSTS[:2], heartbeat=0.05).result(DEADLINE)
    assert host.stdin is not None
    host.stdin.write("finish\n")
    host.stdin.flush()
    here.barrier()
    assert host.wait(DEADLINE) == 0
    with pytest.raises(queue.Empty):
        lost.get(timeout=0.3)


def test_a_silent_host_counts_as_lost(join: Join, port: int, lost: queue.Queue[PlatformError]) -> None:
    """As when its machine was switched off: nothing closes the connection, and nothing comes any more."""
    chief = join(0, HOSTS[:2], heartbeat=0.1, silence=0.5)
    with connect(port) as mute:
        mute.sendall(struct.pack("!I", 1))
        chief.result(DEADLINE)
        assert str(lost.get(timeout=20)).startswith("Host 127.0.0.2 left the job before its end (timed out)")


def test_a_host_that_works_for_long_is_not_silent(join: Join, lost: queue.Queue[PlatformError]) -> None:
    """The chief publishes, say, and the others wait for it: signs of life go on."""
    all_of(join, heartbeat=0.1, silence=3.0)
    with pytest.raises(queue.Empty):
        lost.get(timeout=4.5)
