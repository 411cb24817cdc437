"""gunicorn's threaded worker, made quicker for a busy connection: its thread waits a moment for the next request.

gthread hands a connection that was answered back to the main thread, which polls it, and at the next request hands it
to a thread again: two changes of thread a request, each of them a wait for the interpreter lock. nginx keeps few
connections and uses the last one first, so under load the next request is there within milliseconds.

gunicorn also sends the head of an answer before its body. Sent together they wake nginx once, and a worker that is
killed in between leaves a request without an answer, which nginx can refuse, where it left half of one.
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

LINGER_MS = 20  # an idle connection goes back to the main thread after this, and so does one when the worker stops


class LingeringWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """`gthread`, but a thread keeps its connection while requests follow each other closely.

    And when it stops, nobody waits to be accepted by a worker that accepts no more: who comes then is refused at once.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept new connections or not; for good, once the worker has been told to stop."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()

    def handle(self, conn: Any) -> Any:
        """Answer one request, and those that follow within `LINGER_MS` of an answer; whether the connection stays."""
        if not isinstance(conn.sock, AnswerSocket):
            conn.sock = AnswerSocket.of(conn.sock)
        keep = super().handle(conn)
        while keep is True and self.alive and not conn.is_http2 and _readable(conn):
            keep = super().handle(conn)
        return keep

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer one request; where that fails, a head that waits for its body is never sent."""
        with conn.sock.head_with_body():
            return super().handle_request(req, conn)


class AnswerSocket(socket.socket):
    """A connection that keeps the head of an answer back until there is something of the body to send with it."""

    _head: bytes | None = None  # what is kept back; empty: the next that is sent; None: nothing is

    @classmethod
    def of(cls, accepted: socket.socket) -> AnswerSocket:
        """Take over the connection; `accepted` is closed, as far as it knows."""
        timeout = accepted.gettimeout()
        taken = cls(accepted.family, accepted.type, accepted.proto, accepted.detach())
        socket.socket.settimeout(taken, timeout)
        return taken

    @contextmanager
    def head_with_body(self) -> Iterator[None]:
        """What is sent first goes with the next, or alone at the end of this; where this fails, never."""
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
    """Whether something comes in time. What was read ahead is left to the main thread, which looks for it."""
    if conn.parser.unreader.buf.getvalue():
        return False
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(LINGER_MS))
