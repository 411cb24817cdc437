"""The life of one server process: loading, ready, broken; requests pass only when it is ready."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from container.errors import ArtifactError, Overloaded, PlatformError
from serve.engine.batching import Batcher, Decoder
from serve.engine.interface import Predictor, Translation
from serve.machine import give_back_memory
from serve.metrics import Metrics
from serve.settings import Settings
from serve.text import pipeline
from serve.text.records import Record


class Service:
    """Loads the model in a thread of its own, so that /ping answers 503 from the first moment.

    `load` returns only after a sentence has been decoded. `on_failure` is called with its exception.
    Services of one process share its `slots` and `metrics`.
    """

    def __init__(
        self,
        load: Callable[[], Predictor],
        settings: Settings,
        on_failure: Callable[[BaseException], None] = lambda error: None,
        slots: threading.Semaphore | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = metrics or Metrics()
        self._on_failure = on_failure
        self._slots = slots or threading.BoundedSemaphore(settings.max_requests)
        self._predictor: Predictor | None = None
        self._batcher: Batcher | None = None
        self._failure: BaseException | None = None
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="loader")
        self._loader.submit(self._load, load).add_done_callback(self._loaded)

    def _load(self, load: Callable[[], Predictor]) -> None:
        self._predictor = predictor = load()
        settings = self.settings
        limits = predictor.threads, settings.batch_tokens, settings.max_waiting
        self._batcher = Batcher(predictor, *limits, self.metrics, predictor.ahead)

    def _loaded(self, loading: Future[None]) -> None:
        """Called at the end of `_load`, however it ended: no failure there may pass for "still loading"."""
        self._failure = loading.exception()
        if self._failure:
            self._on_failure(self._failure)

    def wait_until_loaded(self) -> None:
        """Wait for the model; raises what kept it from loading."""
        self._loader.shutdown(wait=True)
        if self._failure:
            raise self._failure

    def check(self) -> None:
        """Raise what keeps this process from translating, if anything does. Takes no lock: /ping calls it."""
        if self._failure:
            raise ArtifactError("The model could not be loaded; the server's log says why.")
        if self._batcher is None:
            raise Overloaded("The model is still loading: try again in a second.")
        if self._batcher.broken:
            raise PlatformError("The engine fails on every sentence: restart the server.")

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the request slots; `Overloaded` when all are taken, so that nobody waits unseen."""
        if not self._slots.acquire(blocking=False):
            raise Overloaded("The server answers as many requests as it can: try again in a second.")
        try:
            yield
        finally:
            self._slots.release()

    def stream(self, records: Sequence[Record]) -> Iterator[Translation]:
        """Translations of the sentences of `records`, each as soon as it is there; raises like `translate`."""
        self.check()
        assert self._predictor is not None and self._batcher is not None  # what check() has just made sure of
        return pipeline.stream(
            records, self._predictor.rules, self._batcher, self.settings.deadline_seconds or math.inf
        )

    def translate(self, records: Sequence[Record], until: float = math.inf) -> list[Translation]:
        """Translations of `records`, in order; raises like `check` and like `pipeline.translate`."""
        self.check()
        assert self._predictor is not None and self._batcher is not None  # what check() has just made sure of
        return pipeline.translate(records, self._predictor.rules, Decoder(self._batcher, until))

    def waiting(self) -> int:
        """Sentences that wait for the engine, about."""
        return self._batcher.waiting() if self._batcher else 0

    def close(self) -> None:
        """Wait for what runs, then give the model's memory back; for when no more requests come."""
        self._loader.shutdown(wait=True)
        if self._batcher:
            self._batcher.close()
        if self._predictor:
            self._predictor.close()
        give_back_memory()
