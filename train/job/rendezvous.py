"""The rendezvous of a job's hosts: they exchange what only one of them has, and they end together.

The framework's collectives move the gradients. This moves everything else, over one TCP connection from each host to
the chief. SageMaker makes it necessary in three ways. A host's name may not resolve yet when a container starts, so
connecting is tried again. A host that leaves early ends the others (local mode even reports success then), so no host
leaves before all are done. A host that is lost would leave the others in a collective for ever, so each host sends
signs of life, and a silent one is noticed within `SILENCE` seconds.
"""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from container.errors import PlatformError
from train.job.cluster import Cluster

PORT = 8891  # next to TensorFlow's 8890
PATIENCE = 300.0  # seconds for all hosts to come up
HEARTBEAT = 5.0  # seconds between two signs of life
SILENCE = 30.0  # seconds without a sign of life after which a host counts as lost
GREETING = 5.0  # seconds in which a host must name its rank after connecting

_GREETING = struct.Struct("!I")  # the rank of who has connected
_FRAME = struct.Struct("!cQ")  # kind, length of what follows
_ALIVE, _DATA, _BYE = b"A", b"D", b"B"

OnLost = Callable[[PlatformError], None]


class Hosts(Protocol):
    """The hosts of a job, as one of them sees them. Every host makes the same calls in the same order."""

    @property
    def cluster(self) -> Cluster: ...

    def gather(self, payload: bytes) -> list[bytes]:
        """Give the chief the payload of every host, in order of rank; the other hosts get an empty list."""

    def broadcast(self, payload: bytes) -> bytes:
        """Give every host the chief's payload; the payloads of the others are ignored."""

    def barrier(self) -> None:
        """Wait until every host has come this far. After it a host may leave without being counted as lost."""


class SingleHost:
    """The only host of a job."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def gather(self, payload: bytes) -> list[bytes]:
        return [payload]

    def broadcast(self, payload: bytes) -> bytes:
        return payload

    def barrier(self) -> None:
        pass


class Rendezvous:
    """Several hosts; see `Hosts`. `on_lost` is called from another thread when a host has gone.

    `patience`, `heartbeat` and `silence` are in seconds; `PlatformError` when a host stays away for `patience`.
    """

    def __init__(
        self,
        cluster: Cluster,
        on_lost: OnLost,
        *,
        port: int = PORT,
        patience: float = PATIENCE,
        heartbeat: float = HEARTBEAT,
        silence: float = SILENCE,
    ) -> None:
        self.cluster = cluster
        self._on_lost, self._heartbeat = on_lost, heartbeat
        self._finished = threading.Event()
        self._inbox: dict[int, queue.Queue[bytes]] = {}
        deadline = time.monotonic() + patience
        self._links = _accept_all(cluster, port, deadline) if cluster.is_chief else _join(cluster, port, deadline)
        self._sending = {rank: threading.Lock() for rank in self._links}
        for rank, link in self._links.items():
            link.settimeout(silence)
            self._inbox[rank] = queue.Queue()
            threading.Thread(target=self._listen, args=(rank, link), daemon=True).start()
        threading.Thread(target=self._beat, daemon=True).start()

    def gather(self, payload: bytes) -> list[bytes]:
        if not self.cluster.is_chief:
            self._send(0, _DATA, payload)
            return []
        return [payload, *(self._inbox[rank].get() for rank in sorted(self._links))]

    def broadcast(self, payload: bytes) -> bytes:
        if not self.cluster.is_chief:
            return self._inbox[0].get()
        for rank in self._links:
            self._send(rank, _DATA, payload)
        return payload

    def barrier(self) -> None:
        self.gather(b"")
        self.broadcast(b"")
        self._finished.set()
        for rank in self._links:
            self._send(rank, _BYE, b"")

    def _send(self, rank: int, kind: bytes, payload: bytes) -> None:
        try:
            with self._sending[rank]:
                self._links[rank].sendall(_FRAME.pack(kind, len(payload)) + payload)
        except OSError as error:
            if not self._finished.is_set():
                self._lost(rank, error)

    def _listen(self, rank: int, link: socket.socket) -> None:
        try:
            while True:
                kind, length = _FRAME.unpack(_receive(link, _FRAME.size))
                payload = _receive(link, length)
                if kind == _BYE:
                    return
                if kind == _DATA:
                    self._inbox[rank].put(payload)
        except OSError as error:
            if not self._finished.is_set():
                self._lost(rank, error)

    def _beat(self) -> None:
        while not self._finished.wait(self._heartbeat):
            for rank in self._links:
                self._send(rank, _ALIVE, b"")

    def _lost(self, rank: int, error: OSError) -> None:
        host = self.cluster.hosts[rank]
        self._on_lost(
            PlatformError(
                f"Host {host} left the job before its end ({error}): its own log and failure file say why; "
                "restart the job, and it resumes from the newest checkpoint."
            )
        )


def _receive(link: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = link.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionError("the connection was closed")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _accept_all(cluster: Cluster, port: int, deadline: float) -> dict[int, socket.socket]:
    links: dict[int, socket.socket] = {}
    with socket.create_server(("", port), backlog=len(cluster.hosts)) as server:
        while len(links) < len(cluster.hosts) - 1:
            server.settimeout(max(deadline - time.monotonic(), 0.1))
            try:
                link, _ = server.accept()
            except TimeoutError:
                raise _absent([host for rank, host in enumerate(cluster.hosts[1:], 1) if rank not in links]) from None
            rank = _greeting(link)
            if 0 < rank < len(cluster.hosts):
                links[rank] = link
            else:
                link.close()
    return links


def _greeting(link: socket.socket) -> int:
    """The rank that a host sends first; -1 for a stranger, such as a port scan, that sends nothing."""
    link.settimeout(GREETING)
    try:
        (rank,) = _GREETING.unpack(_receive(link, _GREETING.size))
    except OSError:
        return -1
    return int(rank)


def _join(cluster: Cluster, port: int, deadline: float) -> dict[int, socket.socket]:
    chief = cluster.hosts[0]
    while True:
        try:
            link = socket.create_connection((chief, port), timeout=5)
            break
        except OSError:  # its name does not resolve yet, or it does not listen yet
            if time.monotonic() >= deadline:
                raise _absent([chief]) from None
            time.sleep(0.2)
    link.sendall(_GREETING.pack(cluster.rank))
    return {0: link}


def _absent(hosts: Sequence[str]) -> PlatformError:
    return PlatformError(
        f"Host {', '.join(hosts)} did not come up in time: check that the hosts may talk to each other "
        "(the security group must allow all traffic within itself)."
    )
