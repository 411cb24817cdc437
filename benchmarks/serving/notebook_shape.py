"""The translation loop of the original notebook behind Flask, with the same weights, to be measured beside `serve`.

    MODEL_DIR=… python -m benchmarks.serving.notebook_shape --port 8080

For each token the loop runs the whole Transformer, encoder and decoder, on all tokens so far: eager TensorFlow, no
cached keys and values, greedy, one sentence at a time. The code is new; it follows the loop of
github.com/edumunozsala/Transformer-NMT. The model is that of `train`, so that the weights are the same.
"""

from __future__ import annotations

import argparse
import json
import os
from functools import lru_cache
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf
from flask import Flask, Response, request
from safetensors.numpy import load_file

from container.artifact import open_artifact
from container.text import normalise
from container.vocabulary import BOS, EOS
from train.corpus.tokenizer import load_tokenizer
from train.model.config import TransformerConfig
from train.model.transformer import NoNoise, Transformer, weights_by_name

app = Flask(__name__)


class Notebook:
    """The model of a model directory and the loop of the notebook."""

    def __init__(self, folder: Path) -> None:
        artifact = open_artifact(folder, with_weights=True)
        weights, hp = load_file(artifact.weights), artifact.manifest.hyperparameters
        vocab_size, d_model = weights["embedding"].shape
        layers = [hp.get(f"{stack}_layers") or hp["n_layers"] for stack in ("encoder", "decoder")]
        self.model = Transformer(TransformerConfig(vocab_size, d_model, hp["ffn_dim"], hp["n_heads"], *layers))
        for name, variable in weights_by_name(self.model).items():
            variable.assign(weights[name])
        self.tokenizer = load_tokenizer(artifact.tokenizer)
        self.prefix = [self.tokenizer.piece_to_id(token) for token in artifact.manifest.source_tokens_prefix]
        self.longest = artifact.manifest.decoding.max_target_length

    def translate(self, text: str) -> str:
        source = tf.constant([[*self.prefix, *self.tokenizer.encode(normalise(text)), EOS]])
        written = tf.constant([[BOS]])
        for _ in range(self.longest):
            hidden = self.model(source, written, noise=NoNoise())  # [T, D]; only the last row is used
            token = tf.argmax(self.model.logits(hidden)[-1:], axis=-1, output_type=tf.int32)
            if int(token[0]) == EOS:
                break
            written = tf.concat([written, token[:, None]], axis=1)
        return str(self.tokenizer.decode(written[0, 1:].numpy().tolist()))


@lru_cache(maxsize=1)
def notebook() -> Notebook:
    return Notebook(Path(os.environ["MODEL_DIR"]))


@app.get("/ping")
def ping() -> Response:
    return Response(status=200)


@app.post("/invocations")
def invocations() -> Response:
    answer = [{"translation": notebook().translate(text)} for text in request.get_json()["instances"]]
    return Response(json.dumps({"predictions": answer}), content_type="application/json")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=8080)
    port = parser.parse_args().port
    notebook().translate("Hello.")
    app.run(port=port, threaded=False)
