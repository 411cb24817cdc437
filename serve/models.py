"""Loaded models: one in a process (`LoadedModel`), or several that are loaded and unloaded by name (`Models`).

Refusals of the second, which `serve.web` answers with their HTTP status: 404 `ModelNotFound`, 409 `NameInUse`,
507 `NoMemory`. SageMaker's multi-model contract: https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NotRequired

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from container.artifact import CTRANSLATE2, SAVED_MODEL, TOKENIZER, find_model
from container.errors import ArtifactError, Kind, Overloaded, PlatformError, UserError
from container.resources import available_memory
from serve.engine.batching import Batcher, Decoder
from serve.engine.interface import Predictor, Translation
from serve.engine.loading import load
from serve.metrics import Metrics
from serve.settings import Settings
from serve.text import pipeline
from serve.text.records import Record

PAGE = 100  # models in one answer of GET /models
OVERHEAD = 16 * 2**20  # bytes that a model takes beyond its files: the engine's work space


class ModelNotFound(UserError):
    """No model of this name is loaded."""

    kind = Kind(exit_code=2, status=404, code="not_found")


class NameInUse(UserError):
    """A model of this name is already loaded."""

    kind = Kind(exit_code=2, status=409, code="already_loaded")


class NoMemory(UserError):
    """There is no memory for one more model."""

    kind = Kind(exit_code=2, status=507, code="out_of_memory")


class LoadedModel:
    """A model and the queue before its engine. It is loading, then ready or failed, and later perhaps broken.

    A thread of its own loads the model, so that /ping answers 503 from the first moment. `load` returns only after a
    sentence has been decoded. `on_failure` is called with the exception of `load`. The models of one process share
    its request `slots` and `metrics`.
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
        self._loader.submit(self._load, load).add_done_callback(self._finish_loading)

    def _load(self, load: Callable[[], Predictor]) -> None:
        self._predictor = predictor = load()
        settings = self.settings
        limits = predictor.threads, settings.batch_tokens, settings.max_waiting
        self._batcher = Batcher(predictor, *limits, self.metrics, predictor.ahead)

    def _finish_loading(self, loading: Future[None]) -> None:
        """Called at the end of `_load`, also after a failure, which must never look like a model that still loads."""
        self._failure = loading.exception()
        if self._failure:
            self._on_failure(self._failure)

    def wait_until_loaded(self) -> None:
        """Wait for the model; raises what kept it from loading."""
        self._loader.shutdown(wait=True)
        if self._failure:
            raise self._failure

    def check(self) -> None:
        """Raise what keeps this model from translating, if anything does. Takes no lock, because /ping calls it."""
        if self._failure:
            raise ArtifactError("The model could not be loaded; the server's log says why.")
        if self._batcher is None:
            raise Overloaded("The model is still loading: try again in a second.")
        if self._batcher.broken:
            raise PlatformError("The engine fails on every sentence: restart the server.")

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the request slots; `Overloaded` when all are taken, so that no request waits unseen."""
        if not self._slots.acquire(blocking=False):
            raise Overloaded("The server answers as many requests as it can: try again in a second.")
        try:
            yield
        finally:
            self._slots.release()

    def stream(self, records: Sequence[Record]) -> Iterator[Translation]:
        """Translations of the sentences of `records`, each as soon as it is there; raises like `translate`."""
        self.check()
        assert self._predictor is not None and self._batcher is not None  # check() has just made sure of both
        deadline = self.settings.deadline_seconds or math.inf
        return pipeline.stream(records, self._predictor.rules, self._batcher, deadline)

    def translate(self, records: Sequence[Record], until: float = math.inf) -> list[Translation]:
        """Translations of `records`, in order; raises like `check` and like `pipeline.translate`."""
        self.check()
        assert self._predictor is not None and self._batcher is not None  # check() has just made sure of both
        return pipeline.translate(records, self._predictor.rules, Decoder(self._batcher, until))

    def waiting(self) -> int:
        """About how many sentences wait for the engine."""
        return self._batcher.waiting() if self._batcher else 0

    def close(self) -> None:
        """Wait for what runs, then give the model's memory back; to be called when no more requests come."""
        self._loader.shutdown(wait=True)
        if self._batcher:
            self._batcher.close()
        if self._predictor:
            self._predictor.close()
        _give_back_memory()


def _give_back_memory() -> None:
    """Return freed memory to the system; glibc keeps it in one heap for each thread that there was.

    Without this a model that is loaded and unloaded a thousand times leaves some 25 MB behind.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
    if trim is not None:
        trim(0)


class ModelToLoad(BaseModel):
    """The body of POST /models, with the names that SageMaker gave; other names are left alone."""

    model_config = ConfigDict(strict=True, protected_namespaces=(), json_schema_extra={"additionalProperties": False})

    model_name: str = Field(min_length=1, description="the model's name from now on")
    url: str = Field(min_length=1, description="folder of the model")


class ModelInfo(TypedDict):
    """How SageMaker's contract describes a loaded model."""

    modelName: str
    modelUrl: str


class ModelList(TypedDict):
    """A page of the loaded models; `nextPageToken` is there while there are more."""

    models: list[ModelInfo]
    nextPageToken: NotRequired[str]


@dataclass
class Entry:
    """A model by its opaque name: where it came from, its bytes, the model once it is loaded, how many use it."""

    url: str
    size: int
    model: LoadedModel | None = None
    users: int = 0


class Models:
    """The models of this process, within one memory budget; every method may be called from any thread.

    root: the folder that holds all model directories.
    """

    def __init__(self, root: Path, settings: Settings, page: int = PAGE) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._root = root
        self._page = page
        self._budget = settings.models_memory_mb * 2**20 or available_memory() // 2
        self._slots = threading.BoundedSemaphore(settings.max_requests)  # the threads of the process are shared
        self._entries: dict[str, Entry] = {}
        self._changed = threading.Condition()

    def load(self, name: str, url: str) -> None:
        """Load the model in the folder `url` as `name`.

        `NameInUse`, `NoMemory`, or `ArtifactError` when the folder holds no whole model.
        """
        folder = self._confine(url)
        entry = self._reserve(name, url, self._size(folder))
        try:
            model = LoadedModel(
                partial(load, folder, self.settings), self.settings, slots=self._slots, metrics=self.metrics
            )
            model.wait_until_loaded()
            entry.model = model
        except MemoryError:
            raise NoMemory(f"There is no memory for the model {name!r}: unload another first.") from None
        finally:
            if entry.model is None:
                with self._changed:
                    del self._entries[name]

    def _confine(self, url: str) -> Path:
        """The model's folder; `UserError` when it, or the target of a link in it, lies outside the root."""
        root = self._root.resolve()
        outside = UserError(f"The url of a model must be a folder below {self._root}: the one given is not.")
        if "\0" in url or not Path(url).resolve().is_relative_to(root):
            raise outside
        folder = find_model(Path(url).resolve()).resolve()
        if folder == root or not folder.is_relative_to(root):
            raise outside
        return folder

    def _size(self, folder: Path) -> int:
        """About how many bytes the engine will take."""
        weights = SAVED_MODEL if self.settings.engine == "tensorflow" else CTRANSLATE2
        files = [folder / TOKENIZER, *(folder / weights).rglob("*")]
        return OVERHEAD + sum(file.stat().st_size for file in files if file.is_file())

    def _reserve(self, name: str, url: str, size: int) -> Entry:
        """Take the name and the memory of a model that is about to be loaded."""
        with self._changed:
            if name in self._entries:
                raise NameInUse(f"The model {name!r} is loaded already: unload it first.")
            used = sum(entry.size for entry in self._entries.values())
            if used + size > self._budget:
                raise NoMemory(
                    f"The model {name!r} takes {_mb(size)} MB and {_mb(used)} of {_mb(self._budget)} MB are taken: "
                    "unload another first, or raise NMT_MODELS_MEMORY_MB."
                )
            self._entries[name] = entry = Entry(url, size)
            return entry

    def unload(self, name: str) -> None:
        """Wait for the requests that use the model, then free its memory. `ModelNotFound` when there is none."""
        with self._changed:
            entry, model = self._find(name)
            entry.model = None  # no request finds it any more; its name and memory stay taken until it is gone
            self._changed.wait_for(lambda: entry.users == 0)
        model.close()
        with self._changed:
            del self._entries[name]

    @contextmanager
    def use(self, name: str) -> Iterator[LoadedModel]:
        """A model that is not unloaded meanwhile. `ModelNotFound` when there is none."""
        with self._changed:
            entry, model = self._find(name)
            entry.users += 1
        try:
            yield model
        finally:
            with self._changed:
                entry.users -= 1
                self._changed.notify_all()

    def describe(self, name: str) -> ModelInfo:
        """Name and folder of a loaded model. `ModelNotFound` when there is none."""
        with self._changed:
            entry, _ = self._find(name)
            return {"modelName": name, "modelUrl": entry.url}

    def list(self, after: str | None) -> ModelList:
        """A page of the loaded models in order of their names; `after` is the token of the page before."""
        with self._changed:
            names = sorted(name for name, entry in self._entries.items() if entry.model)
            rest = [name for name in names if after is None or name > after]
            page = rest[: self._page]
            answer: ModelList = {"models": [{"modelName": name, "modelUrl": self._entries[name].url} for name in page]}
            if len(rest) > len(page):
                answer["nextPageToken"] = page[-1]
            return answer

    def _find(self, name: str) -> tuple[Entry, LoadedModel]:
        """Called with the lock held."""
        entry = self._entries.get(name)
        if entry is None or entry.model is None:
            raise ModelNotFound(f"No model {name[:100]!r} is loaded: POST /models loads one, GET /models lists them.")
        return entry, entry.model

    def loaded(self) -> tuple[LoadedModel, ...]:
        """The models that requests can use now."""
        return tuple(entry.model for entry in tuple(self._entries.values()) if entry.model)

    def waiting(self) -> int:
        """About how many sentences wait for an engine."""
        return sum(model.waiting() for model in self.loaded())

    def close(self) -> None:
        """Wait for what runs; the process ends after this."""
        for model in self.loaded():
            model.close()


def _mb(size: int) -> int:
    return -(-size // 2**20)
