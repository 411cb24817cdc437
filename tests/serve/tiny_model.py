"""A random model in a second, for tests that need the engine but no translation: 1 layer, d_model 16."""

from __future__ import annotations

import io
from pathlib import Path

import ctranslate2
import numpy as np
import sentencepiece

from container.artifact import (
    CTRANSLATE2,
    TOKENIZER,
    Artifact,
    Calibration,
    Decoding,
    Manifest,
    OneDirection,
    publish,
    staging,
)
from container.vocabulary import PLACEHOLDERS, language_tag

D, FFN, SEED = 16, 32, 1
WORDS = "I you we they see eat buy a the dog cat book house green red big small now . ? ! , Hello"


def write_tiny_model(
    destination: Path,
    decoding: Decoding | None = None,
    calibration: Calibration | None = None,
    reverse: OneDirection | None = None,
) -> Artifact:
    """A whole model directory with random weights: all of the contract, no sense in the output.

    reverse: what the manifest says of the way back, for a model of both directions.
    """
    generator = np.random.default_rng(SEED)
    destination.mkdir(parents=True, exist_ok=True)
    with staging(destination) as folder:
        tags = [language_tag("es"), *(reverse.source_tokens_prefix if reverse else ())]
        tokenizer = _tokenizer(folder / TOKENIZER, generator, tags)
        _engine(folder / CTRANSLATE2, tokenizer, generator)
        manifest = Manifest(
            source_lang="en",
            target_lang="es",
            source_tokens_prefix=(language_tag("es"),),
            placeholders=PLACEHOLDERS,
            calibration=calibration,
            reverse=reverse,
            decoding=decoding or Decoding(beam_size=2, max_source_length=64, max_target_length=24),
        )
        return publish(folder, destination, manifest)


def _tokenizer(path: Path, generator: np.random.Generator, tags: list[str]) -> sentencepiece.SentencePieceProcessor:
    sentences = (" ".join(generator.choice(WORDS.split(), size=6)) for _ in range(300))
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=sentences,
        model_writer=model,
        vocab_size=400,
        byte_fallback=True,
        hard_vocab_limit=False,
        control_symbols=tags,
        user_defined_symbols=list(PLACEHOLDERS),
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def _engine(folder: Path, tokenizer: sentencepiece.SentencePieceProcessor, generator: np.random.Generator) -> None:
    spec = ctranslate2.specs.TransformerSpec.from_config((1, 1), 2, pre_norm=True)
    vocabulary = [tokenizer.id_to_piece(index) for index in range(tokenizer.get_piece_size())]
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.add_source_eos = True
    spec.config.decoder_start_token = "<s>"

    def weight(*shape: int) -> np.ndarray:
        return generator.normal(0, 0.5, shape).astype(np.float32)

    def linear(layer: ctranslate2.specs.common_spec.LinearSpec, out: int, into: int) -> None:
        layer.weight, layer.bias = weight(out, into), weight(out)

    def norm(layer: ctranslate2.specs.common_spec.LayerNormSpec) -> None:
        layer.gamma, layer.beta = np.ones(D, np.float32), np.zeros(D, np.float32)

    spec.encoder.embeddings[0].weight = weight(len(vocabulary), D)
    spec.decoder.embeddings.weight = weight(len(vocabulary), D)
    linear(spec.decoder.projection, len(vocabulary), D)
    norm(spec.encoder.layer_norm)
    norm(spec.decoder.layer_norm)
    for stack in (spec.encoder, spec.decoder):
        layer = stack.layer[0]
        linear(layer.self_attention.linear[0], 3 * D, D)
        linear(layer.ffn.linear_0, FFN, D)
        linear(layer.ffn.linear_1, D, FFN)
        linear(layer.self_attention.linear[-1], D, D)
        norm(layer.self_attention.layer_norm)
        norm(layer.ffn.layer_norm)
    attention = spec.decoder.layer[0].attention
    linear(attention.linear[0], D, D)
    linear(attention.linear[1], 2 * D, D)
    linear(attention.linear[-1], D, D)
    norm(attention.layer_norm)
    spec.validate()
    spec.optimize("int8")
    folder.mkdir()
    spec.save(str(folder))
