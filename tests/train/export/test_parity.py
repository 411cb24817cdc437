"""The parity gate: which difference between the trained model and its export it lets pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from container.errors import AlgorithmError
from train.backends.backend import Backend
from train.corpus.prepare import Prepared
from train.export.ctranslate2 import export_ctranslate2
from train.export.parity import PARITY_TOLERANCE, Reference, check_ctranslate2, check_parity, make_reference
from train.job.hyperparameters import Hyperparameters
from train.model.trained import TrainedModel


def exported(prepared: Prepared, trained: TrainedModel, folder: Path, **changes: float) -> Path:
    """A float32 export, after adding `changes` to one element of the weights of these names."""
    weights = {name: array.copy() for name, array in trained.weights.items()}
    for name, change in changes.items():
        index = prepared.tokenizer.eos_id() * trained.config.d_model if name == "embedding" else 0
        weights[name].flat[index] += change
    export_ctranslate2(weights, trained.config, prepared.tokenizer, folder, quantization="float32")
    return folder


@pytest.fixture(scope="module")
def reference(prepared: Prepared, trained: TrainedModel, hp: Hyperparameters, backend: Backend) -> Reference:
    return make_reference(hp, prepared, trained, backend.make_evaluator(trained.config))


def test_the_export_of_a_trained_model_agrees_with_keras(
    prepared: Prepared, trained: TrainedModel, reference: Reference, tmp_path: Path
) -> None:
    folder = exported(prepared, trained, tmp_path)
    assert 0 < check_ctranslate2(reference, prepared.tokenizer, folder) < PARITY_TOLERANCE / 5


@pytest.mark.parametrize(
    "name",
    ["embedding", "encoder_0/ffn/inner/kernel", "encoder_0/self_attention/output/kernel", "decoder_0/ffn_norm/gamma"],
)
def test_the_gate_fails_when_one_weight_of_the_export_is_changed(
    name: str, prepared: Prepared, trained: TrainedModel, reference: Reference, tmp_path: Path
) -> None:
    with pytest.raises(AlgorithmError, match="so nothing was published"):
        check_ctranslate2(reference, prepared.tokenizer, exported(prepared, trained, tmp_path, **{name: 0.05}))


def test_the_gate_returns_the_largest_difference() -> None:
    ours = [np.array([-1.0, -2.0]), np.array([-3.0])]
    exported = [np.array([-1.0, -2.00005]), np.array([-3.00001])]
    assert check_parity(ours, ours) == 0
    assert check_parity(ours, exported) == pytest.approx(5e-5, rel=1e-3)


@pytest.mark.parametrize("sentence", [0, 1, 2])
@pytest.mark.parametrize(
    "values", [[-1.0, -2.0 - 2 * PARITY_TOLERANCE], [-1.0, float("nan")], [-1.0, float("-inf")], [-1.0], [-1.0] * 3]
)
def test_the_gate_refuses_a_difference_in_any_sentence(sentence: int, values: list[float]) -> None:
    ours = [np.array([-1.0, -2.0])] * 3
    exported = [np.array(values) if index == sentence else ours[index] for index in range(3)]
    with pytest.raises(AlgorithmError, match=rf"sentence {sentence} of the parity check .* nothing was published"):
        check_parity(ours, exported)
