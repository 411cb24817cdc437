"""gunicorn's threaded worker, made quicker for a busy connection: its thread waits a moment for the next request.

gthread hands a connection that was answered back to the main thread, which polls it, and at the next request hands it
to a thread again: two changes of thread a request, each of them a wait for the interpreter lock. nginx keeps few
connections and uses the last one first, so under load the next request is there within milliseconds.
"""

from __future__ import annotations

import select
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

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
        keep = super().handle(conn)
        while keep is True and self.alive and not conn.is_http2 and _readable(conn):
            keep = super().handle(conn)
        return keep


def _readable(conn: Any) -> bool:
    """Whether something comes in time. What was read ahead is left to the main thread, which looks for it."""
    if conn.parser.unreader.buf.getvalue():
        return False
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(LINGER_MS))
