"""`serve` with NMT_ENGINE=tensorflow: the same answers from a SavedModel."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from container.artifact import CTRANSLATE2, MANIFEST, SAVED_MODEL, TOKENIZER, open_artifact, publish, staging
from container.errors import ArtifactError, PlatformError, UserError
from serve.engine.batching import Batcher, Decoder
from serve.engine.interface import Hypothesis, Predictor, Translation
from serve.engine.loading import choose_device, load
from serve.settings import Settings
from serve.text import pipeline
from serve.text.parameters import Parameters
from serve.text.records import Record
from tests.serve.server import Server

TENSORFLOW = Settings(engine="tensorflow")
TEXTS = [
    *("Good morning.", "Where is the station?", "The dog sees the red house.", "I have never been here, have you?"),
    *("Tom bought three books.", "", "She is my sister's friend.", "It rains.", "Do you know who that man is?"),
    *("We must go now.", "The doctor said that I should sleep more.", "This costs too much."),
]


@pytest.fixture(scope="session")
def model(toy_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy model in float32 for both engines, its weights spread out so that it says something to each text."""
    pytest.importorskip("tensorflow")
    from safetensors import safe_open
    from safetensors.numpy import load_file

    from train.corpus.tokenizer import load_tokenizer
    from train.export.ctranslate2 import export_ctranslate2
    from train.export.saved_model import export_saved_model
    from train.model.config import TransformerConfig

    toy = open_artifact(toy_model, with_weights=True)
    with safe_open(str(toy.weights), "np") as file:
        config = TransformerConfig(**json.loads(file.metadata()["config"]))
    generator = np.random.default_rng(2)
    weights = {
        name: array + generator.normal(0, 0.3, array.shape).astype(np.float32) if "kernel" in name else array
        for name, array in load_file(toy.weights).items()
    }
    destination = tmp_path_factory.mktemp("opt ml") / "model"
    destination.mkdir()
    with staging(destination) as folder:
        tokenizer = load_tokenizer(toy.tokenizer)
        export_ctranslate2(weights, config, tokenizer, folder / CTRANSLATE2, quantization="float32")
        export_saved_model(weights, config, folder / SAVED_MODEL)
        shutil.copyfile(toy.tokenizer, folder / TOKENIZER)
        publish(folder, destination, toy.manifest)
    return destination


@pytest.fixture(scope="module")
def engines(model: Path) -> tuple[Predictor, Predictor]:
    return load(model), load(model, TENSORFLOW)


def translate(engine: Predictor, parameters: Parameters) -> list[Translation]:
    """The translations of TEXTS, with what a request may ask for."""
    return engine.translate(TEXTS, parameters.options(engine.rules[0].decoding), parameters.target_lang)


@pytest.mark.parametrize(
    "parameters",
    [
        Parameters(beam_size=1),
        Parameters(beam_size=4, num_hypotheses=3),
        Parameters(beam_size=4, length_penalty=0.5, prefix="El perro"),
        Parameters(beam_size=2, max_length=4, return_token_scores=True),
        Parameters(beam_size=4, return_alignment=True),
    ],
    ids=lambda parameters: ",".join(parameters.model_fields_set),
)
def test_both_engines_answer_alike(parameters: Parameters, engines: tuple[Predictor, Predictor]) -> None:
    parameters = parameters.model_copy(update={"max_length": parameters.max_length or 30})
    first, second = (translate(engine, parameters) for engine in engines)
    same = sum(_same(a.hypotheses, b.hypotheses) and a.warning == b.warning for a, b in zip(first, second, strict=True))
    assert same >= len(TEXTS) - 1, list(zip(first, second, strict=True))
    assert len({translation.hypotheses[0].text for translation in first}) > 3  # or it would prove little


def test_both_engines_translate_back_alike(model: Path, tmp_path: Path) -> None:
    both = tmp_path / "model"
    shutil.copytree(model, both)
    back = {"source_tokens_prefix": ["<2en>"], "clean_up": {}}
    manifest = json.loads((both / MANIFEST).read_text())
    (both / MANIFEST).write_text(json.dumps({**manifest, "source_tokens_prefix": ["<2es>"], "reverse": back}))
    first, second = load(both), load(both, TENSORFLOW)
    there, here = (
        [translate(engine, Parameters(target_lang=language, max_length=30)) for engine in (first, second)]
        for language in ("es", "en")
    )
    for ours, theirs in (there, here):
        assert sum(_same(a.hypotheses, b.hypotheses) for a, b in zip(ours, theirs, strict=True)) >= len(TEXTS) - 1
    assert not all(_same(a.hypotheses, b.hypotheses) for a, b in zip(there[1], here[1], strict=True))


def test_alternatives_are_the_same_words(engines: tuple[Predictor, Predictor]) -> None:
    options = replace(Parameters(beam_size=2, max_length=20).options(engines[0].rules[0].decoding), num_hypotheses=3)
    for prefix in ("", "El"):
        wanted = replace(options, alternatives=True, prefix=prefix)
        first, second = (engine.decode(engine.prepare(["The dog."]), wanted)[0].hypotheses for engine in engines)
        assert _same(first, second), (first, second)


def test_how_many_hypotheses_are_wanted_changes_none(engines: tuple[Predictor, Predictor]) -> None:
    for engine in engines:
        few, many = (
            translate(engine, Parameters(beam_size=4, num_hypotheses=number, max_length=30)) for number in (2, 4)
        )
        assert {len(each.hypotheses) for each in many} == {4, 1}  # 1 for the empty text
        assert all(_same(a.hypotheses, b.best(2).hypotheses) for a, b in zip(few, many, strict=True))


def _same(first: tuple[Hypothesis, ...], second: tuple[Hypothesis, ...]) -> bool:
    return len(first) == len(second) and all(
        (a.text, a.tokens, a.alignment) == (b.text, b.tokens, b.alignment)
        and abs(a.score - b.score) < 1e-3
        and [piece for piece, _ in a.token_scores] == [piece for piece, _ in b.token_scores]
        and np.allclose([p for _, p in a.token_scores], [p for _, p in b.token_scores], atol=1e-3)
        for a, b in zip(first, second, strict=True)
    )


def test_the_server_answers_from_it(model: Path, start: Callable[..., Server], engines: tuple[Predictor, ...]) -> None:
    server = start(model.parent, NMT_ENGINE="tensorflow")
    server.wait_until_ready()
    answer = server.invoke({"instances": TEXTS, "parameters": {"max_length": 30}})
    assert answer.status_code == 200, answer.text
    batcher = Batcher(engines[1], threads=1, batch_tokens=256, max_waiting=100)
    records = [Record(text, Parameters(max_length=30)) for text in TEXTS]
    expected = pipeline.translate(records, engines[1].rules, Decoder(batcher))
    translations = [prediction["translation"] for prediction in answer.json()["predictions"]]
    assert translations == [each.hypotheses[0].text for each in expected]
    assert len(set(translations)) > len(TEXTS) // 2, "the model says the same to all"
    assert server.stop() == 0


def test_a_model_without_a_saved_model_is_refused_before_the_server_starts(start: Callable[..., Server]) -> None:
    server = start(NMT_ENGINE="tensorflow")
    assert server.process.wait(30) == ArtifactError.kind.exit_code
    assert "train with saved_model=true, or serve with NMT_ENGINE=ctranslate2" in server.output()


def test_without_the_package_one_sentence_says_so(model: Path) -> None:
    code = (
        "import sys; sys.modules['tensorflow'] = None\n"
        "from pathlib import Path; from serve.engine.loading import load; from serve.settings import Settings\n"
        "load(Path(sys.argv[1]), Settings(engine='tensorflow'))"
    )
    done = subprocess.run([sys.executable, "-c", code, model], capture_output=True, text=True, check=False)
    assert "PlatformError: NMT_ENGINE is tensorflow and that package is not installed here" in done.stderr


def test_the_default_engine_does_not_import_tensorflow(model: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from serve.engine.loading import load\n"
        "load(Path(sys.argv[1])); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, model], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# The device


@pytest.mark.parametrize(
    ("wanted", "gpus", "device"),
    [("auto", 0, "cpu"), ("auto", 1, "cuda"), ("cpu", 1, "cpu"), ("cpu", 0, "cpu"), ("cuda", 2, "cuda")],
)
def test_a_gpu_is_used_where_there_is_one_unless_told_otherwise(wanted: str, gpus: int, device: str) -> None:
    assert choose_device(wanted, gpus) == device


@pytest.mark.parametrize("engine", ["ctranslate2", "tensorflow"])
def test_cuda_without_a_gpu_is_one_sentence(engine: str, model: Path) -> None:
    with pytest.raises(PlatformError, match=r"NMT_DEVICE is cuda but .* sees no GPU: take an instance type with one"):
        load(model, Settings(engine=engine, device="cuda"))


@pytest.mark.parametrize(("name", "value"), [("NMT_ENGINE", "torch"), ("NMT_DEVICE", "gpu")])
def test_an_unknown_engine_or_device_is_refused_with_those_that_are_known(name: str, value: str) -> None:
    with pytest.raises(UserError, match=rf"{name} is '{value}': give .* or "):
        Settings.from_environment({name: value})
    assert Settings.from_environment({"NMT_ENGINE": "tensorflow", "NMT_DEVICE": "cpu"}).engine == "tensorflow"
