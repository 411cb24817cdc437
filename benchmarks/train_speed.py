"""How fast the trainer is on this machine, and how far that is from what its matrix products could do.

    python -m benchmarks.train_speed [--data PATH.tsv] [--steps 20]

Prints a Markdown table: target tokens a second (padding not counted), and the share of the matmul peak:
(6 x parameters in matrix products x unpadded tokens, plus attention) / time, over the best of five runs of
the same matrix products. Run it on a quiet machine; settings are those under which resuming is bit-exact.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from container.hyperparameters import Hyperparameters
from container.text import clean
from data.sample import read_part
from train.batches import Batch, Encoded, collate, encode
from train.corpus import clean_pairs
from train.loop import make_step, plan_of
from train.model import Transformer, TransformerConfig
from train.optimizer import TrainState
from train.tokenizer import load_tokenizer, train_tokenizer

WARM_UP = 3
TRIALS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="a TSV of sentence pairs; the embedded sample when not given")
    parser.add_argument("--steps", type=int, default=20, help="updates to time")
    parser.add_argument("--batch-tokens", type=int, default=4096)
    given = parser.parse_args()
    hp = Hyperparameters(batch_tokens=given.batch_tokens)
    corpus, vocab_size = load(given.data, hp)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, TensorFlow {tf.__version__}")
    print(f"d 256, ffn 1024, 4 heads, 3+3 layers, V {vocab_size}, batches of {hp.batch_tokens} tokens\n")
    print("| precision | target tokens/s | model GFLOP/s | matmul peak GFLOP/s | share of peak |")
    print("|---|---|---|---|---|")
    for precision in ("float32", "bfloat16"):
        config = TransformerConfig(vocab_size, precision=precision)
        speed, rate = train_speed(config, corpus, hp, given.steps)
        peak = matmul_peak(config, hp.batch_tokens)
        print(f"| {precision} | {speed:.0f} | {rate / 1e9:.0f} | {peak / 1e9:.0f} | {rate / peak:.0%} |", flush=True)


def load(path: Path | None, hp: Hyperparameters) -> tuple[Encoded, int]:
    rows: Iterable[tuple[str, str]] = read_part("train")
    if path is not None:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        rows = ((fields[0], fields[1]) for fields in (line.split("\t") for line in lines))
    pairs, _ = clean_pairs(rows, clean, clean)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "tokenizer.model"
        texts = (text for pair in pairs for text in pair)
        size = train_tokenizer(texts, model, vocab_size=hp.vocab_size, languages=("en", "es"))
        return encode(pairs, load_tokenizer(model), hp.max_len)[0], size


def train_speed(config: TransformerConfig, corpus: Encoded, hp: Hyperparameters, steps: int) -> tuple[float, float]:
    """(target tokens a second, floating-point operations a second) over `steps` updates of real batches."""
    step = make_step(TrainState(Transformer(config)), hp, warmup=100)
    batches = [collate(corpus, members) for members in plan_of(corpus, hp, 0)[: WARM_UP + steps]]
    for number, batch in enumerate(batches[:WARM_UP], start=1):
        step(batch.source, batch.target, number, False)
    timed = batches[WARM_UP:]
    began = time.perf_counter()
    for number, batch in enumerate(timed, start=WARM_UP + 1):
        step(batch.source, batch.target, number, False)
    seconds = time.perf_counter() - began
    return sum(b.target_tokens for b in timed) / seconds, sum(operations(config, b) for b in timed) / seconds


def operations(config: TransformerConfig, batch: Batch) -> float:
    """Floating-point operations of one update, forward and backward, padding not counted."""
    d, source, target = (
        config.d_model,
        np.count_nonzero(batch.source, axis=1),
        np.count_nonzero(batch.target, axis=1) - 1,
    )
    encoder = config.encoder_layers * (4 * d * d + 2 * d * config.ffn_dim)
    decoder = config.decoder_layers * (6 * d * d + 2 * d * config.ffn_dim) + config.vocab_size * d
    cross = config.decoder_layers * 2 * d * d  # keys and values of the source
    matmuls = 6.0 * ((encoder + cross) * source.sum() + decoder * target.sum())
    attended = config.encoder_layers * source**2 + config.decoder_layers * (target**2 + source * target)
    return matmuls + 12.0 * d * float(attended.sum())


def matmul_peak(config: TransformerConfig, rows: int) -> float:
    """Operations a second of the model's own products: all shapes, forward and both gradients, best of five each."""
    d, f, v = config.d_model, config.ffn_dim, config.vocab_size
    layers = config.encoder_layers + config.decoder_layers
    shapes = {(d, 3 * d): layers, (d, d): layers, (d, f): layers, (f, d): layers, (d, v): 1}
    dtype = tf.bfloat16 if config.precision == "bfloat16" else tf.float32
    work = seconds = 0.0
    for (inner, outer), count in shapes.items():
        x, w, g = tf.ones([rows, inner], dtype), tf.ones([inner, outer], dtype), tf.ones([rows, outer], dtype)
        for a, b, transposed in ((x, w, {}), (g, w, {"transpose_b": True}), (x, g, {"transpose_a": True})):
            seconds += count * _best(a, b, transposed)
            work += count * 2.0 * rows * inner * outer
    return work / seconds


def _best(a: tf.Tensor, b: tf.Tensor, transposed: dict[str, bool]) -> float:
    product = tf.function(lambda a, b: tf.matmul(a, b, **transposed), autograph=False)
    product(a, b)
    best = float("inf")
    for _ in range(TRIALS):
        began = time.perf_counter()
        product(a, b)
        best = min(best, time.perf_counter() - began)
    return best


if __name__ == "__main__":
    main()
