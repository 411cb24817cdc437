"""The export: every weight reaches CTranslate2 as it is."""

from __future__ import annotations

import json
from pathlib import Path

import ctranslate2
import numpy as np
import pytest

from container.errors import AlgorithmError
from train.corpus.prepare import Prepared
from train.corpus.tokenizer import pieces
from train.evaluation.decode import score_tokens
from train.export.ctranslate2 import export_ctranslate2
from train.export.parity import check_parity
from train.model.config import TransformerConfig
from train.model.trained import TrainedModel
from train.model.transformer import Transformer, weights_by_name

SMALL = TransformerConfig(vocab_size=500, d_model=16, ffn_dim=32, n_heads=2, encoder_layers=1, decoder_layers=1)
NAMES = sorted(weights_by_name(Transformer(SMALL)))


def log_probs(
    prepared: Prepared, trained: TrainedModel, weights: dict[str, np.ndarray], folder: Path
) -> list[np.ndarray]:
    """By a float32 export of `weights`, of ten sentences."""
    export_ctranslate2(weights, trained.config, prepared.tokenizer, folder, quantization="float32")
    pairs = prepared.corpus.train[:10]
    sides = [[prepared.tokenizer.encode(pair[side], out_type=str) for pair in pairs] for side in (0, 1)]
    return score_tokens(folder, *sides)


@pytest.fixture(scope="module")
def exported(prepared: Prepared, trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> list[np.ndarray]:
    return log_probs(prepared, trained, trained.weights, tmp_path_factory.mktemp("export"))


def test_each_target_token_and_the_end_get_a_log_probability(prepared: Prepared, exported: list[np.ndarray]) -> None:
    lengths = [len(prepared.tokenizer.encode(pair.target)) + 1 for pair in prepared.corpus.train[:10]]
    assert [len(values) for values in exported] == lengths
    assert all((values < 0).all() for values in exported)


@pytest.mark.parametrize("name", NAMES)
def test_one_changed_element_of_any_weight_is_seen_by_the_gate(
    name: str, prepared: Prepared, trained: TrainedModel, exported: list[np.ndarray], tmp_path: Path
) -> None:
    changed = {key: array.copy() for key, array in trained.weights.items()}
    # The last element: in fused projections a value, for the bias of a key has no influence on the softmax.
    index = prepared.tokenizer.encode(prepared.corpus.train[0].target)[0] * 16 if name == "embedding" else -1
    changed[name].flat[index] += 0.1
    with pytest.raises(AlgorithmError, match="disagrees with the trained one"):
        check_parity(exported, log_probs(prepared, trained, changed, tmp_path))


def test_int8_leaves_the_weights_untouched(prepared: Prepared, trained: TrainedModel, tmp_path: Path) -> None:
    before = {name: array.tobytes() for name, array in trained.weights.items()}
    for quantization in ("int8", "float32"):
        folder = tmp_path / quantization
        export_ctranslate2(trained.weights, trained.config, prepared.tokenizer, folder, quantization=quantization)
    assert {name: array.tobytes() for name, array in trained.weights.items()} == before
    sizes = {folder.name: (folder / "model.bin").stat().st_size for folder in tmp_path.iterdir()}
    assert sizes["int8"] < 0.6 * sizes["float32"]


def test_the_export_knows_the_vocabulary_and_adds_the_end_of_the_source_itself(
    prepared: Prepared, trained: TrainedModel, tmp_path: Path
) -> None:
    export_ctranslate2(trained.weights, trained.config, prepared.tokenizer, tmp_path, quantization="int8")
    assert json.loads((tmp_path / "shared_vocabulary.json").read_text()) == pieces(prepared.tokenizer)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["add_source_eos"] is True
    assert config["add_source_bos"] is False
    assert config["decoder_start_token"] == prepared.tokenizer.id_to_piece(prepared.tokenizer.bos_id())
    assert config["layer_norm_epsilon"] == 1e-6
    assert ctranslate2.Translator(str(tmp_path)).translate_batch([["▁Hi"]], max_decoding_length=5)
