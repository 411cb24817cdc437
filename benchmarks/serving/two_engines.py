"""CTranslate2 and the TensorFlow SavedModel: do they give the same translations, and how long does each take?

python -m benchmarks.serving.two_engines MODEL CORPUS.tsv [--sentences 200]

MODEL is a model directory with weights.safetensors, so that both engines get the same float32 weights. The CTranslate2
export in the model directory (int8 by default) is timed too. Each call has one sentence and uses one core. CORPUS.tsv
has the source sentences in its first column. Prints Markdown.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from safetensors import safe_open
from safetensors.numpy import load_file

from container.artifact import CTRANSLATE2, SAVED_MODEL, TOKENIZER, open_artifact, publish, staging
from serve.engine.ctranslate2 import CTranslate2Predictor
from serve.engine.interface import Hypothesis, Predictor, default_options
from serve.engine.tensorflow import TensorFlowPredictor

SEED = 3


class Run(NamedTuple):
    """The best hypothesis of each sentence, and the mean milliseconds of a sentence."""

    hypotheses: list[Hypothesis]
    milliseconds: float


def float32_model(model: Path, destination: Path) -> Path:
    """Write a model directory with the weights of `model` in float32 for both engines."""
    from train.corpus.tokenizer import load_tokenizer
    from train.export.ctranslate2 import export_ctranslate2
    from train.export.saved_model import export_saved_model
    from train.model.config import TransformerConfig

    given = open_artifact(model, with_weights=True)
    with safe_open(str(given.weights), "np") as file:
        config = TransformerConfig(**json.loads(file.metadata()["config"]))
    weights = load_file(given.weights)
    with staging(destination) as folder:
        tokenizer = load_tokenizer(given.tokenizer)
        export_ctranslate2(weights, config, tokenizer, folder / CTRANSLATE2, quantization="float32")
        export_saved_model(weights, config, folder / SAVED_MODEL)
        shutil.copyfile(given.tokenizer, folder / TOKENIZER)
        publish(folder, destination, given.manifest)
    return destination


def translate(predictor: Predictor, sentences: Sequence[str], beam_size: int) -> Run:
    """Translate each sentence in a call of its own. One call before them, which is not timed, warms the engine up."""
    options = replace(default_options(predictor.rules[0].decoding), beam_size=beam_size)
    predictor.translate(sentences[:1], options)
    began = time.perf_counter()
    best = [predictor.translate([sentence], options)[0].hypotheses[0] for sentence in sentences]
    return Run(best, 1000 * (time.perf_counter() - began) / len(sentences))


def read_sentences(corpus: Path, count: int) -> list[str]:
    """`count` different source sentences of the corpus, the same in every run."""
    sources = sorted({line.split("\t")[0] for line in corpus.read_text(encoding="utf-8").splitlines() if line})
    return random.Random(SEED).sample(sources, min(count, len(sources)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.two_engines", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--sentences", type=int, default=200)
    given = parser.parse_args(arguments)
    sentences = read_sentences(given.corpus, given.sentences)
    with tempfile.TemporaryDirectory() as scratch:
        both = open_artifact(float32_model(given.model, Path(scratch)), with_saved_model=True)
        engines = {
            "CTranslate2, as exported": CTranslate2Predictor(open_artifact(given.model), threads=1),
            "CTranslate2, float32": CTranslate2Predictor(both, threads=1),
            "TensorFlow SavedModel, float32": TensorFlowPredictor(both, threads=1, device="cpu"),
        }
        print("| beams | engine | ms a sentence | same as CTranslate2 float32 | largest difference of a score |")
        print("|---|---|---|---|---|")
        for beam_size in (1, 4):
            runs = {name: translate(engine, sentences, beam_size) for name, engine in engines.items()}
            expected = runs["CTranslate2, float32"].hypotheses
            for name, run in runs.items():
                pairs = list(zip(run.hypotheses, expected, strict=True))
                apart = [abs(one.score - other.score) for one, other in pairs if one.text == other.text]
                same = f"{len(apart)} of {len(pairs)}"
                print(f"| {beam_size} | {name} | {run.milliseconds:.1f} | {same} | {max(apart):.1e} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
