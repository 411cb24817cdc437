"""The export for serving: averaged weights become a CTranslate2 model, in int8 by default."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import sentencepiece
from ctranslate2.specs import common_spec, transformer_spec

from container.vocabulary import BOS
from train.corpus.tokenizer import pieces
from train.model.config import LAYER_NORM_EPSILON, TransformerConfig

Weights = Mapping[str, np.ndarray]


def export_ctranslate2(
    weights: Weights,
    config: TransformerConfig,
    tokenizer: sentencepiece.SentencePieceProcessor,
    folder: Path,
    *,
    quantization: str,
) -> None:
    """Write the CTranslate2 model of `weights` (float32 arrays by name) to `folder`.

    quantization is "int8" or "float32".
    """
    spec = transformer_spec.TransformerSpec.from_config(
        (config.encoder_layers, config.decoder_layers),
        config.n_heads,
        pre_norm=True,
        activation=common_spec.Activation.RELU,
        alignment_layer=config.alignment_layer,
        alignment_heads=0,  # the mean of all heads
    )
    # CTranslate2 quantises in place: without this copy an int8 export would damage the weights of the caller.
    own = {name: np.array(array, dtype=np.float32, copy=True) for name, array in weights.items()}
    _set_embeddings(spec, own)
    for index in range(config.encoder_layers):
        _set_block(spec.encoder.layer[index], own, f"encoder_{index}", decoder=False)
    for index in range(config.decoder_layers):
        _set_block(spec.decoder.layer[index], own, f"decoder_{index}", decoder=True)
    _set_norm(spec.encoder.layer_norm, own, "encoder_norm")
    _set_norm(spec.decoder.layer_norm, own, "decoder_norm")

    vocabulary = pieces(tokenizer)
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.config.add_source_eos = True
    spec.config.add_source_bos = False
    spec.config.decoder_start_token = tokenizer.id_to_piece(BOS)
    spec.config.layer_norm_epsilon = LAYER_NORM_EPSILON
    spec.validate()
    spec.optimize(quantization=None if quantization == "float32" else quantization)
    folder.mkdir(parents=True, exist_ok=True)
    spec.save(str(folder))


def _set_embeddings(spec: transformer_spec.TransformerSpec, weights: Weights) -> None:
    table = weights["embedding"]
    spec.encoder.embeddings[0].weight = table
    spec.decoder.embeddings.weight = table
    spec.decoder.projection.weight = table


def _set_block(spec: common_spec.LayerSpec, weights: Weights, name: str, *, decoder: bool) -> None:
    _set_norm(spec.self_attention.layer_norm, weights, f"{name}/self_norm")
    _set_linear(spec.self_attention.linear[0], weights, f"{name}/self_attention/query_key_value")
    _set_linear(spec.self_attention.linear[1], weights, f"{name}/self_attention/output")
    if decoder:
        _set_norm(spec.attention.layer_norm, weights, f"{name}/cross_norm")
        _set_linear(spec.attention.linear[0], weights, f"{name}/cross_attention/query")
        _set_linear(spec.attention.linear[1], weights, f"{name}/cross_attention/key_value")
        _set_linear(spec.attention.linear[2], weights, f"{name}/cross_attention/output")
    _set_norm(spec.ffn.layer_norm, weights, f"{name}/ffn_norm")
    _set_linear(spec.ffn.linear_0, weights, f"{name}/ffn/inner")
    _set_linear(spec.ffn.linear_1, weights, f"{name}/ffn/outer")


def _set_linear(spec: common_spec.LinearSpec, weights: Weights, name: str) -> None:
    spec.weight = np.ascontiguousarray(weights[f"{name}/kernel"].T)  # ours is [in, out], CTranslate2's [out, in]
    spec.bias = weights[f"{name}/bias"]


def _set_norm(spec: common_spec.LayerNormSpec, weights: Weights, name: str) -> None:
    spec.gamma = weights[f"{name}/gamma"]
    spec.beta = weights[f"{name}/beta"]
