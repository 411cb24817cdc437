"""Several models in one process: loaded and unloaded by name, each with its engine, all within one memory budget.

SageMaker's multi-model contract: https://docs.aws.amazon.com/sagemaker/latest/dg/mms-container-apis.html
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from container.artifact import CTRANSLATE2, SAVED_MODEL, TOKENIZER, find_model
from container.errors import NotFound, NotLoaded, UserError
from serve.engine.loading import load
from serve.machine import available_memory
from serve.metrics import Metrics
from serve.service import Service
from serve.settings import Settings

PAGE = 100  # models in one answer of GET /models
OVERHEAD = 16 * 2**20  # bytes that a model takes beyond its files: the engine's work space


@dataclass
class Entry:
    """A model by its opaque name: where it came from, its bytes, its service once loaded, who uses it."""

    url: str
    size: int
    service: Service | None = None
    users: int = 0


class Models:
    """The models of this process; every method may be called from any thread.

    root: the folder that all models lie below.
    """

    def __init__(self, root: Path, settings: Settings, page: int = PAGE) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._root = root
        self._page = page
        self._budget = settings.models_memory_mb * 2**20 or available_memory() // 2
        self._slots = threading.BoundedSemaphore(settings.max_requests)  # one process has one number of threads
        self._entries: dict[str, Entry] = {}
        self._changed = threading.Condition()

    def load(self, name: str, url: str) -> None:
        """Load the model in the folder `url` as `name`.

        `NotLoaded` when the name is taken or memory is; `ArtifactError` when the folder is no whole model.
        """
        folder = self._confined(url)
        entry = self._reserve(name, url, self._size(folder))
        try:
            service = Service(
                partial(load, folder, self.settings), self.settings, slots=self._slots, metrics=self.metrics
            )
            service.wait_until_loaded()
            entry.service = service
        except MemoryError:
            raise NotLoaded(f"There is no memory for the model {name!r}: unload another first.", memory=True) from None
        finally:
            if entry.service is None:
                with self._changed:
                    del self._entries[name]

    def _confined(self, url: str) -> Path:
        """The model's folder; `UserError` when it, or what a link in it leads to, lies outside of the root."""
        root = self._root.resolve()
        outside = UserError(f"The url of a model must be a folder below {self._root}: the one given is not.")
        if "\0" in url or not Path(url).resolve().is_relative_to(root):
            raise outside
        folder = find_model(Path(url).resolve()).resolve()
        if folder == root or not folder.is_relative_to(root):
            raise outside
        return folder

    def _size(self, folder: Path) -> int:
        """Bytes that the engine will take, about."""
        weights = SAVED_MODEL if self.settings.engine == "tensorflow" else CTRANSLATE2
        files = [folder / TOKENIZER, *(folder / weights).rglob("*")]
        return OVERHEAD + sum(file.stat().st_size for file in files if file.is_file())

    def _reserve(self, name: str, url: str, size: int) -> Entry:
        with self._changed:
            if name in self._entries:
                raise NotLoaded(f"The model {name!r} is loaded already: unload it first.")
            used = sum(entry.size for entry in self._entries.values())
            if used + size > self._budget:
                raise NotLoaded(
                    f"The model {name!r} takes {_mb(size)} MB and {_mb(used)} of {_mb(self._budget)} MB are taken: "
                    "unload another first, or raise NMT_MODELS_MEMORY_MB.",
                    memory=True,
                )
            self._entries[name] = entry = Entry(url, size)
            return entry

    def unload(self, name: str) -> None:
        """Wait for the requests that use the model, then free its memory. `NotFound` when there is none."""
        with self._changed:
            entry, service = self._find(name)
            entry.service = None  # found by nobody from now on; its name and memory are taken until it is gone
            self._changed.wait_for(lambda: entry.users == 0)
        service.close()
        with self._changed:
            del self._entries[name]

    @contextmanager
    def use(self, name: str) -> Iterator[Service]:
        """The service of a model, which is not unloaded meanwhile. `NotFound` when there is none."""
        with self._changed:
            entry, service = self._find(name)
            entry.users += 1
        try:
            yield service
        finally:
            with self._changed:
                entry.users -= 1
                self._changed.notify_all()

    def describe(self, name: str) -> dict[str, str]:
        """`{"modelName", "modelUrl"}` of a loaded model. `NotFound` when there is none."""
        with self._changed:
            entry, _ = self._find(name)
            return {"modelName": name, "modelUrl": entry.url}

    def list(self, after: str | None) -> dict[str, object]:
        """A page of the loaded models, in order of their names; `after` is the token of the page before."""
        with self._changed:
            names = sorted(name for name, entry in self._entries.items() if entry.service)
            rest = [name for name in names if after is None or name > after]
            page = rest[: self._page]
            answer: dict[str, object] = {
                "models": [{"modelName": name, "modelUrl": self._entries[name].url} for name in page]
            }
            return {**answer, "nextPageToken": page[-1]} if len(rest) > len(page) else answer

    def _find(self, name: str) -> tuple[Entry, Service]:
        """Called with the lock held."""
        entry = self._entries.get(name)
        if entry is None or entry.service is None:
            raise NotFound(f"No model {name[:100]!r} is loaded: POST /models loads one, GET /models lists them.")
        return entry, entry.service

    def services(self) -> tuple[Service, ...]:
        """Those of the loaded models."""
        return tuple(entry.service for entry in tuple(self._entries.values()) if entry.service)

    def waiting(self) -> int:
        """Sentences that wait for an engine, about."""
        return sum(service.waiting() for service in self.services())

    def close(self) -> None:
        """Wait for what runs; the process ends after this."""
        for service in self.services():
            service.close()


def _mb(size: int) -> int:
    return -(-size // 2**20)
