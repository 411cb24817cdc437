"""The upper limit of serving speed: the engine with its tokenizer, from text to text, without HTTP, in this process."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from serve.engine.interface import Options, Predictor, default_options
from serve.engine.loading import load

SIZES = (1, 8, 16, 32, 64)  # sentences in a call of the engine
SECONDS = 3.0
LONE = 200
TRIALS = 2


@dataclass(frozen=True)
class EngineSpeed:
    """Speed of the engine at one beam size.

    speeds: sentences a call -> sentences a second, with as many calls at the same time as the engine has threads.
    lone_ms: median milliseconds of a call with one sentence, with no other call at the same time.
    """

    beam: int
    speeds: dict[int, float]
    lone_ms: float

    @property
    def best(self) -> float:
        return max(self.speeds.values())


def engine_alone(model: Path, sentences: list[str], beam: int) -> EngineSpeed:
    """Measure the engine of `model` with every number of sentences a call."""
    predictor = load(model)
    options = replace(default_options(predictor.rules[0].decoding), beam_size=beam)
    speeds = {size: max(_speed(predictor, options, sentences, size) for _ in range(TRIALS)) for size in SIZES}
    times = []
    for text in sentences[:LONE]:
        began = time.perf_counter()
        predictor.translate([text], options)
        times.append(time.perf_counter() - began)
    predictor.close()
    return EngineSpeed(beam, speeds, 1000 * statistics.median(times))


def _speed(predictor: Predictor, options: Options, sentences: list[str], size: int) -> float:
    """Sentences a second, measured for about `SECONDS`."""
    end = time.perf_counter() + SECONDS

    def work(first: int) -> int:
        done = 0
        for start in range(first * size, len(sentences) - size + 1, predictor.threads * size):
            predictor.translate(sentences[start : start + size], options)
            done += size
            if time.perf_counter() > end:
                break
        return done

    began = time.perf_counter()
    with ThreadPoolExecutor(predictor.threads) as pool:
        done = sum(pool.map(work, range(predictor.threads)))
    return done / (time.perf_counter() - began)
