"""JoeyNMT 2.3 at the common task: its own configuration file, data pipeline, model and trainer. Runs in .venv-bench.

.venv-bench/bin/python -m benchmarks.train_joeynmt TASK.json

`TrainManager` is used as it is; what is added is a look at the clock after each update, and the interrupt
(Ctrl-C, which its trainer ends on cleanly) when time is up.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from joeynmt.config import parse_global_args, set_validation_args
from joeynmt.prediction import prepare
from joeynmt.training import TrainManager

from benchmarks.train_task import Meter, Task

UNK, PAD, BOS, EOS = "<unk>", "<pad>", "<s>", "</s>"
MANY = 10**9


def configuration(task: Task, model_dir: Path) -> dict[str, Any]:
    """JoeyNMT's configuration file of the task, as the dictionary that it is read into."""

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


class Measured(TrainManager):
    """JoeyNMT's trainer with a meter: an update ends where the next one begins."""

    meter: Meter
    _lengths: tuple[Any, Any] | None = None

    def _train_step(self, batch: Any) -> Any:
        if self._lengths is not None:
            self.meter.update(*self._lengths)
            if self.meter.done:
                raise KeyboardInterrupt
        # Lengths without BOS but with EOS on both sides, as this repository counts.
        self._lengths = (batch.src_mask.sum(dim=(1, 2)).numpy() - 1, batch.trg_mask.sum(dim=(1, 2)).numpy())
        return super()._train_step(batch)


def main() -> None:
    task = Task.from_json(Path(sys.argv[1]).read_text())
    with tempfile.TemporaryDirectory() as folder:
        cfg = configuration(task, Path(folder))
        args = parse_global_args(cfg, rank=0, mode="train")
        model, train_data, dev_data, _ = prepare(args, rank=0, mode="train")
        trainer = Measured(
            rank=0,
            model=model,
            model_dir=args.model_dir,
            device=args.device,
            autocast=args.autocast,
            seed=args.seed,
            train_args=args.train,
            dev_args=set_validation_args(args.test),
        )
        trainer.meter = Meter(task)
        trainer.meter.begin()
        trainer.train_and_validate(train_data=train_data, valid_data=dev_data)
        trainer.meter.report()


if __name__ == "__main__":
    main()
