"""Where the time of a step goes: the operations of the compiled update, added up by their purpose.

python -m benchmarks.training.step_profile [--corpus PAIRS.tsv] [--steps 20] [--batch-tokens 2048] [--precision float32]

Reads TensorFlow's trace of some updates. Operations may run at the same time on several cores, so the shares are those
of the sum over all operations. The time of a step on the clock is printed too.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.training.inputs import make_task, read_parts
from benchmarks.training.task import Task
from benchmarks.training.this_trainer import hyperparameters
from train.backends.state import TrainState
from train.backends.tensorflow.backend import make_step
from train.corpus.batches import collate
from train.corpus.encoding import Encoded
from train.model.config import model_config
from train.model.transformer import Transformer
from train.training.loop import plan_of

import tensorflow as tf  # isort: skip # after the settings that train_speed makes
from tensorflow.tsl.profiler.protobuf import xplane_pb2  # isort: skip

WARM_UP = 5
OPERATION = re.compile(r"^(?P<name>[\w./-]+):(?P<type>\w+)$")
XLA = "CpuExecutable::ExecuteAsyncOnStream"  # a run of a compiled function; here that is the softmax in the loss
HOLDS_OTHERS = re.compile(r"While|PartitionedCall|^If$|^StatelessIf$")

# (purpose, pattern of the type of the operation, pattern of its name); the first that matches counts
PURPOSES = tuple(
    (purpose, re.compile(type_pattern), re.compile(name_pattern))
    for purpose, type_pattern, name_pattern in (
        ("matrix products of the vocabulary", r"MatMul", r"while"),
        ("softmax and loss", r"", r"while|softmax_part"),
        ("matrix products of the layers", r"^(?!.*Batch).*MatMul", r""),
        ("dropout", r"Random|Bitcast|GreaterEqual|Select", r""),
        ("layer norm", r"", r"norm"),
        ("attention (scores, softmax, context, heads)", r"", r"attention"),
        ("embedding", r"Gather|Segment|Scatter|Unique", r""),
        ("bias, ReLU, residual, positions", r"", r"transformer"),
        ("optimizer, clipping, average", r"", r""),
    )
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, help="a TSV of sentence pairs; the embedded sample when not given")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        task = replace(make_task(read_parts(given.corpus), Path(folder)), batch_tokens=given.batch_tokens)
        corpus = Encoded(**np.load(task.path("ids.npz")))
        spent, types, step_ms, input_ms = profile(task, corpus, given.precision, given.steps, Path(folder))
    total = sum(spent.values())
    print(
        f"{given.steps} updates of {given.batch_tokens} tokens, {given.precision}: {step_ms:.0f} ms each on the clock;"
    )
    print(f"{input_ms:.1f} ms of them to make the batch; {total:.0f} ms in operations\n")
    print("| what | ms a step | share |\n|---|---|---|")
    for purpose, milliseconds in _largest(spent):
        print(f"| {purpose} | {milliseconds:.1f} | {milliseconds / total:.0%} |")
    print("\nThe ten costliest (what, type): " + ", ".join(f"{key} {ms:.1f}" for key, ms in _largest(types)[:10]))


def _largest(milliseconds: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(milliseconds.items(), key=lambda item: -item[1])


def profile(
    task: Task, corpus: Encoded, precision: str, steps: int, folder: Path
) -> tuple[dict[str, float], dict[str, float], float, float]:
    """Milliseconds a step: (by purpose, by purpose and type, of a step on the clock, of making its batch)."""
    hp = hyperparameters(task, precision)
    state = TrainState(Transformer(model_config(hp, task.vocab_size, precision), seed=hp.seed))
    step = make_step(state, hp, task.warmup)
    plan = plan_of(corpus, hp, 0)[: WARM_UP + steps]
    began = time.perf_counter()
    batches = [collate(corpus, members) for members in plan]
    input_ms = (time.perf_counter() - began) * 1000 / len(plan)
    for number, batch in enumerate(batches[:WARM_UP], start=1):
        step(batch.source, batch.target, number, False)
    tf.profiler.experimental.start(str(folder / "trace"))
    began = time.perf_counter()
    for number, batch in enumerate(batches[WARM_UP:], start=WARM_UP + 1):
        step(batch.source, batch.target, number, False)
    step_ms = (time.perf_counter() - began) * 1000 / steps + input_ms
    tf.profiler.experimental.stop()
    spent: dict[str, float] = defaultdict(float)
    types: dict[str, float] = defaultdict(float)
    for name, type_of_operation, milliseconds in operations(folder / "trace"):
        purpose = purpose_of(name, type_of_operation)
        spent[purpose] += milliseconds / steps
        types[f"{purpose}: {type_of_operation}"] += milliseconds / steps
    return spent, types, step_ms, input_ms


def purpose_of(name: str, type_of_operation: str) -> str:
    return next(
        purpose for purpose, of_type, of_name in PURPOSES if of_type.search(type_of_operation) and of_name.search(name)
    )


def operations(trace: Path) -> Iterator[tuple[str, str, float]]:
    """(name, type, milliseconds) of every operation, without those that only contain others."""
    for file in trace.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace()
        space.ParseFromString(file.read_bytes())
        for plane in space.planes:
            for event in (event for line in plane.lines for event in line.events):
                event_name = plane.event_metadata[event.metadata_id].name
                found = OPERATION.match(event_name)
                if event_name == XLA:
                    yield "softmax_part", "XLA", event.duration_ps / 1e9
                elif found and not HOLDS_OTHERS.search(found["type"]):
                    yield found["name"], found["type"], event.duration_ps / 1e9


if __name__ == "__main__":
    main()
