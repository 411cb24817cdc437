"""JoeyNMT 2.3 at the common task: its own configuration file, data pipeline, model and trainer. Runs in .venv-bench.

.venv-bench/bin/python -m benchmarks.training.joeynmt_trainer TASK.json
    measures its speed.
.venv-bench/bin/python -m benchmarks.training.joeynmt_trainer TASK.json --model-dir DIR --until SECONDS
    continues from the last checkpoint in DIR, trains until SECONDS of steps in total, then translates the file test.en
    of the task into DIR/hypotheses.test.

`TrainManager` is used unchanged. After each update this file looks at the clock. When the time is over it raises the
interrupt of Ctrl-C, at which the trainer writes a checkpoint and ends.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from joeynmt.config import parse_global_args, set_validation_args
from joeynmt.prediction import prepare, test
from joeynmt.training import TrainManager

from benchmarks.training.task import Meter, Task

UNK, PAD, BOS, EOS = "<unk>", "<pad>", "<s>", "</s>"
MANY = 10**9


def configuration(task: Task, model_dir: Path) -> dict[str, Any]:
    """JoeyNMT's configuration file of the task, as a dictionary."""

    def side(lang: str) -> dict[str, Any]:
        return {
            "lang": lang,
            "level": "bpe",  # its word for subwords
            "tokenizer_type": "sentencepiece",
            "tokenizer_cfg": {"model_file": str(task.path("tokenizer.model"))},
            "voc_file": str(task.path("vocabulary.txt")),
            "max_length": 100,
        }

    stack = {
        "type": "transformer",
        "num_layers": task.layers,
        "num_heads": task.n_heads,
        "embeddings": {"embedding_dim": task.d_model, "scale": True, "dropout": task.dropout},
        "hidden_size": task.d_model,
        "ff_size": task.ffn_dim,
        "dropout": task.dropout,
        "layer_norm": "pre",
    }
    return {
        "name": "bench",
        "joeynmt_version": "2.3.0",
        "model_dir": str(model_dir),
        "use_cuda": False,
        "random_seed": 1,
        "data": {
            "train": str(task.path("train")),
            "dev": str(task.path("dev")),
            "dataset_type": "plain",
            "src": side("en"),
            "trg": side("es"),
        },
        "testing": {"beam_size": 5, "beam_alpha": 1.0, "batch_type": "token", "batch_size": 2048, "eval_metrics": []},
        "training": {
            "optimizer": "adam",
            "adam_betas": [0.9, 0.98],
            "learning_rate": task.learning_rate,
            "learning_rate_min": 1e-9,
            "learning_rate_warmup": task.warmup,
            "scheduling": "warmupinversesquareroot",
            "normalization": "tokens",
            "clip_grad_norm": 1.0,
            "label_smoothing": task.label_smoothing,
            "batch_type": "token",
            "batch_size": task.batch_tokens,
            "epochs": MANY,
            "validation_freq": MANY,
            "logging_freq": 100,
            "early_stopping_metric": "loss",
            "shuffle": True,
        },
        "model": {
            "initializer": "xavier_uniform",
            "embed_initializer": "xavier_uniform",
            "tied_embeddings": True,
            "tied_softmax": True,
            "encoder": {**stack},
            "decoder": {**stack},
        },
    }


class Watched(TrainManager):
    """JoeyNMT's trainer, which reports each update when the next one begins."""

    after_update: Callable[[Any], bool]  # gets the batch of the update; training ends when it returns True
    _batch: Any = None

    def _train_step(self, batch: Any) -> Any:
        if self._batch is not None and self.after_update(self._batch):
            raise KeyboardInterrupt
        self._batch = batch
        return super()._train_step(batch)


def train(cfg: dict[str, Any], after_update: Callable[[Any], bool], before: Callable[[], None]) -> tuple[Any, Any]:
    """Call `before`, train until `after_update` returns True; returns (trainer, test data)."""
    args = parse_global_args(cfg, rank=0, mode="train")
    model, train_data, dev_data, test_data = prepare(args, rank=0, mode="train")
    trainer = Watched(
        rank=0,
        model=model,
        model_dir=args.model_dir,
        device=args.device,
        autocast=args.autocast,
        seed=args.seed,
        train_args=args.train,
        dev_args=set_validation_args(args.test),
    )
    trainer.after_update = after_update
    before()
    trainer.train_and_validate(train_data=train_data, valid_data=dev_data)
    return trainer, test_data


def measure(task: Task) -> Meter:
    meter = Meter(task)

    def count(batch: Any) -> bool:
        # Without BOS and with EOS on both sides, as `train` counts.
        meter.update(batch.src_mask.sum(dim=(1, 2)).numpy(), batch.trg_mask.sum(dim=(1, 2)).numpy())
        return meter.done

    with tempfile.TemporaryDirectory() as folder:
        train(configuration(task, Path(folder)), count, meter.begin)
    return meter


def train_and_translate(task: Task, model_dir: Path, until: float) -> None:
    cfg = configuration(task, model_dir)
    cfg["data"]["test"] = str(task.path("test"))
    progress = model_dir / "progress.json"
    before = 0.0
    if progress.exists():
        earlier = json.loads(progress.read_text())
        before = earlier["seconds"]
        cfg["training"]["load_model"] = str(model_dir / "latest.ckpt")
        # JoeyNMT counts epochs from 1 again and shuffles by seed + epoch: the same seed would repeat the same pairs.
        cfg["random_seed"] += earlier["updates"]
    began = ended = 0.0

    def start() -> None:
        nonlocal began
        began = time.perf_counter()

    def enough(_batch: Any) -> bool:
        nonlocal ended
        ended = time.perf_counter()
        return before + ended - began >= until

    trainer, test_data = train(cfg, enough, start)
    progress.write_text(json.dumps({"seconds": before + ended - began, "updates": trainer.stats.steps}))
    prepared = {"dev": None, "test": test_data, "model": trainer.model}
    test(cfg, output_path=str(model_dir / "hypotheses"), prepared=prepared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("task", type=Path)
    parser.add_argument("--model-dir", type=Path)
    parser.add_argument("--until", type=float, help="seconds of steps in total")
    given = parser.parse_args()
    task = Task.from_json(given.task.read_text())
    if given.model_dir is None:
        measure(task).report()
    else:
        train_and_translate(task, given.model_dir, given.until)


if __name__ == "__main__":
    main()
