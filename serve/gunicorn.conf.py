"""gunicorn: one worker process, because each would hold a copy of the model, and threads in which requests wait.

The supervisor (`python -m serve`) sets two variables. NMT_RUN_DIR is the folder of everything that gunicorn writes, so
that a read-only root and any user id work. NMT_LISTENER is the descriptor of the socket that nginx connects to.
"""

import os

from serve.settings import Settings

wsgi_app = "serve.wsgi:application()"
bind = f"fd://{os.environ['NMT_LISTENER']}"
worker_tmp_dir = os.environ["NMT_RUN_DIR"]
control_socket_disable = True

workers = 1
worker_class = "serve.worker.LingeringWorker"
threads = Settings.from_environment().threads
preload_app = False  # the worker loads the engine, because an engine does not survive a fork
worker_connections = 1000

keepalive = 75  # longer than nginx keeps its side idle (60 s), so that nginx never writes to a closing socket
graceful_timeout = 25  # SageMaker kills 30 s after SIGTERM
timeout = 60  # seconds for the worker's main loop, which never translates
loglevel = "warning"


def worker_exit(server, worker):  # type: ignore[no-untyped-def]
    """Write the last metrics and stop the engine's threads before the interpreter goes."""
    application = getattr(worker, "wsgi", None)
    if application is not None:
        for name in ("emf", "models"):
            if name in application.extensions:
                application.extensions[name].close()
