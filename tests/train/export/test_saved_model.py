"""The SavedModel translates as CTranslate2 does, and the gate that checks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
import tensorflow as tf

from container import artifact
from container.artifact import ArtifactError, open_artifact
from container.errors import AlgorithmError
from container.paths import Paths
from container.vocabulary import EOS
from train.backends.backend import Backend
from train.corpus.prepare import Prepared
from train.export import beam_search as search
from train.export.ctranslate2 import export_ctranslate2
from train.export.parity import PARITY_TOLERANCE, Reference, check_saved_model, make_reference
from train.export.saved_model import SEARCH_TOLERANCE, check_search, export_saved_model
from train.job.hyperparameters import Hyperparameters
from train.model.trained import TrainedModel
from train.model.transformer import NoNoise

Search = Callable[..., dict[str, np.ndarray]]
SENTENCES = 60


@pytest.fixture(scope="module")
def weights(trained: TrainedModel) -> dict[str, np.ndarray]:
    """Those of the toy model with its decoder spread out: after one epoch it says the same of every sentence."""
    generator = np.random.default_rng(1)
    return {
        name: array + generator.normal(0, 0.3, array.shape).astype(np.float32) if "kernel" in name else array
        for name, array in trained.weights.items()
    }


@pytest.fixture(scope="module")
def saved_model(
    weights: dict[str, np.ndarray], trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("saved_model") / "1"
    export_saved_model(weights, trained.config, folder)
    return folder


@pytest.fixture(scope="module")
def translator(
    weights: dict[str, np.ndarray], trained: TrainedModel, prepared: Prepared, tmp_path_factory: pytest.TempPathFactory
) -> ctranslate2.Translator:
    folder = tmp_path_factory.mktemp("ctranslate2")
    export_ctranslate2(weights, trained.config, prepared.tokenizer, folder, quantization="float32")
    return ctranslate2.Translator(str(folder))


@pytest.fixture(scope="module")
def sources(prepared: Prepared) -> list[list[int]]:
    return [[*prepared.tokenizer.encode(pair.source), EOS] for pair in prepared.corpus.train[:SENTENCES]]


@pytest.fixture(scope="module")
def translate(saved_model: Path) -> Search:
    signatures = tf.saved_model.load(str(saved_model)).signatures

    def run(
        sources: list[list[int]], beam_size: int, length_penalty: float = 1.0, max_length: int = 30, **more: Any
    ) -> dict[str, np.ndarray]:
        longest = max(map(len, sources))
        ids = tf.constant([[*ids, *[0] * (longest - len(ids))] for ids in sources], tf.int32)
        options = {"beam_size": beam_size, "length_penalty": length_penalty, "max_length": max_length, **more}
        constants = {name: tf.constant(value) for name, value in options.items()}
        found = signatures["continue_from" if more else "serving_default"](source=ids, **constants)
        return {name: value.numpy() for name, value in found.items()}

    return run


def hypotheses(prepared: Prepared, found: dict[str, np.ndarray], sentence: int) -> list[list[str]]:
    pairs = zip(found["ids"][sentence], found["lengths"][sentence], strict=True)
    return [[prepared.tokenizer.id_to_piece(int(token)) for token in ids[:length]] for ids, length in pairs]


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("beam_size", [1, 4])
@pytest.mark.parametrize("prefix", ["", "El perro"])
def test_both_engines_find_the_same_hypotheses_with_the_same_scores(
    beam_size: int,
    length_penalty: float,
    prefix: str,
    prepared: Prepared,
    sources: list[list[int]],
    translate: Search,
    translator: ctranslate2.Translator,
) -> None:
    forced = prepared.tokenizer.encode(prefix)
    found = translate(sources, beam_size, length_penalty, **({"prefix": forced} if forced else {}))
    pieces = [[prepared.tokenizer.id_to_piece(index) for index in ids[:-1]] for ids in sources]
    expected = translator.translate_batch(
        pieces,
        target_prefix=[prepared.tokenizer.encode(prefix, out_type=str)] * len(pieces) if prefix else None,
        beam_size=beam_size,
        # Without a penalty CTranslate2 stops when the best is certain, before it has searched for the others.
        num_hypotheses=beam_size if length_penalty else 1,
        length_penalty=length_penalty,
        max_decoding_length=30,
        return_scores=True,
    )
    same = [
        hypotheses(prepared, found, index)[: len(result.hypotheses)] == result.hypotheses
        and np.allclose(found["scores"][index][: len(result.scores)], result.scores, atol=1e-3)
        for index, result in enumerate(expected)
    ]
    assert sum(same) >= 0.95 * SENTENCES
    assert len({tuple(result.hypotheses[0]) for result in expected}) > 5  # or it would prove little


def test_a_sentence_has_one_translation_alone_and_among_others(sources: list[list[int]], translate: Search) -> None:
    together = translate(sources[:8], beam_size=4)
    for index, source in enumerate(sources[:8]):
        alone = translate([source], beam_size=4)
        length = alone["lengths"][0, 0]
        assert alone["ids"][0, 0, :length].tolist() == together["ids"][index, 0, :length].tolist()
        assert together["lengths"][index, 0] == length


@pytest.mark.parametrize("max_length", [1, 3])
def test_no_hypothesis_is_longer_than_asked_for(max_length: int, sources: list[list[int]], translate: Search) -> None:
    found = translate(sources[:4], beam_size=4, max_length=max_length)
    assert found["ids"].shape == (4, 4, max_length)
    assert (found["lengths"] <= max_length).all()
    assert np.isfinite(found["scores"]).all()


def test_the_attention_is_that_of_ctranslate2(
    prepared: Prepared, sources: list[list[int]], saved_model: Path, translator: ctranslate2.Translator
) -> None:
    pieces = [prepared.tokenizer.id_to_piece(index) for index in sources[0][:-1]]
    result = translator.translate_batch([pieces], beam_size=1, max_decoding_length=9, return_attention=True)[0]
    target = [*(prepared.tokenizer.piece_to_id(piece) for piece in result.hypotheses[0]), EOS]
    score = tf.saved_model.load(str(saved_model)).signatures["score"]
    found = score(source=tf.constant([sources[0]], tf.int32), target=tf.constant([target], tf.int32))
    attention = found["attention"].numpy()[0, : len(result.hypotheses[0]), : len(pieces)]
    np.testing.assert_allclose(attention, result.attention[0], atol=1e-4)


# The gate


@pytest.fixture(scope="module")
def reference(prepared: Prepared, trained: TrainedModel, hp: Hyperparameters, backend: Backend) -> Reference:
    return make_reference(hp, prepared, trained, backend.make_evaluator(trained.config))


def test_the_saved_model_of_a_trained_model_passes_the_gate(
    trained: TrainedModel, hp: Hyperparameters, reference: Reference, tmp_path: Path
) -> None:
    export_saved_model(trained.weights, trained.config, tmp_path)
    tokens, found = check_saved_model(reference, hp, tmp_path)
    assert tokens < PARITY_TOLERANCE / 5  # 0 where TensorFlow trained: without the cache it is the same graph
    assert 0 < found < SEARCH_TOLERANCE / 5


def test_the_gate_fails_when_a_weight_is_changed(hp: Hyperparameters, reference: Reference, saved_model: Path) -> None:
    with pytest.raises(AlgorithmError, match="disagrees with the trained one"):
        check_saved_model(reference, hp, saved_model)


def test_the_gate_fails_when_the_cache_does_not_follow_its_beam(
    sources: list[list[int]],
    weights: dict[str, np.ndarray],
    trained: TrainedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = search.SearchModel._step

    def forgetful(self: search.SearchModel, state: Any, memory: Any, *options: Any) -> Any:
        last = tf.reshape(state.alive[:, :, -1], [-1, 1])
        decoded = self._model.decode(last, memory, NoNoise(), state.cache)
        return step(self, state, memory, *options)._replace(cache=decoded.cache)

    monkeypatch.setattr(search.SearchModel, "_step", forgetful)
    export_saved_model(weights, trained.config, tmp_path)
    with pytest.raises(AlgorithmError, match="search of the SavedModel"):
        check_search(tmp_path, sources, beam_size=4, length_penalty=1.0, max_length=30)


# In the model directory


def test_train_writes_it_on_request_into_the_manifest(toy_job_with_saved_model: Paths) -> None:
    model = toy_job_with_saved_model.model
    opened = open_artifact(model, with_saved_model=True)
    listed = {name for name in opened.manifest.files if name.startswith("saved_model/1/")}
    assert "saved_model/1/saved_model.pb" in listed
    assert listed == {str(file.relative_to(model)) for file in opened.saved_model.rglob("*") if file.is_file()}
    assert opened.manifest.hyperparameters["saved_model"] is True
    with (model / "saved_model/1/saved_model.pb").open("ab") as file:
        file.write(b"!")
    open_artifact(model)  # the default engine does not read it
    with pytest.raises(ArtifactError, match=r"saved_model\.pb is damaged"):
        open_artifact(model, with_saved_model=True)
    (model / "saved_model/1/saved_model.pb").unlink()
    open_artifact(model)


@pytest.fixture
def toy_job_with_saved_model(job: Any) -> Paths:
    from data.sample import write_channels

    write_channels(job.paths.data)
    done = job.run("--saved-model", "--max-len", "40")
    assert done.returncode == 0, done.stderr
    assert "the SavedModel agrees with the Keras model within" in done.stdout
    return job.paths


def test_a_model_without_it_is_told_how_to_get_one(toy_model: Path) -> None:
    assert not (toy_model / artifact.SAVED_MODEL).exists()
    with pytest.raises(ArtifactError, match="train with saved_model=true"):
        open_artifact(toy_model, with_saved_model=True)
