"""gunicorn's threaded worker, made faster for a busy connection: its thread waits a moment for the next request.

After an answer gthread gives the connection back to the main thread, which polls it and gives it to a thread again at
the next request. That changes threads twice a request, and each change waits for the interpreter lock. nginx keeps few
connections and uses the last one first, so under load the next request comes within milliseconds.

gunicorn also sends the head of an answer before its body. When both are sent together, nginx wakes up once. And
when the worker is killed between the two, nginx has no answer at all, which it can refuse, instead of half an answer.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gunicorn.workers.gthread import ThreadWorker

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LINGER_MS = 20  # after this an idle connection goes back to the main thread


class LingeringWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """`gthread`, but a thread keeps its connection while requests follow each other closely.

    When the worker stops, it closes its listeners, so that new connections are refused at once and do not wait.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept new connections or not; a worker that was told to stop never accepts again."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def handle(self, conn: Any) -> Any:
        """Answer a request and those that follow within `LINGER_MS`; returns whether the connection stays open."""
        if not isinstance(conn.sock, AnswerSocket):
            conn.sock = AnswerSocket.of(conn.sock)
        keep = super().handle(conn)
        while keep is True and self.alive and not conn.is_http2 and _readable(conn):
            keep = super().handle(conn)
        return keep

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer one request; when that fails, a head that waits for its body is never sent."""
        with conn.sock.head_with_body():
            return super().handle_request(req, conn)


class AnswerSocket(socket.socket):
    """A connection that keeps the head of an answer until it can send it together with the first of the body."""

    _head: bytes | None = None  # the head that is kept; empty: the next data is the head; None: nothing is kept

    @classmethod
    def of(cls, accepted: socket.socket) -> AnswerSocket:
        """Take over the connection of `accepted`, which does not own it any more."""
        timeout = accepted.gettimeout()
        taken = cls(accepted.family, accepted.type, accepted.proto, accepted.detach())
        socket.socket.settimeout(taken, timeout)
        return taken

    @contextmanager
    def head_with_body(self) -> Iterator[None]:
        """Send the first data together with the next, or alone at the end; when the block fails, never."""
        self._head = b""
        try:
            yield
            self._release()
        finally:
            self._head = None

    def _release(self) -> None:
        if self._head:
            self.sendall(b"")

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        if self._head == b"":
            self._head = bytes(data)
            return
        head, self._head = self._head, None
        super().sendall(head + bytes(data) if head else data, flags)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        self._release()
        return super().sendfile(file, offset, count)


def _readable(conn: Any) -> bool:
    """Whether data comes in time. Data that was read ahead is left to the main thread, which looks for it."""
    if conn.parser.unreader.buf.getvalue():
        return False
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(LINGER_MS))
