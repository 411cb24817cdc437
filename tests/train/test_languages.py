"""Any language pair, and both directions of one: nothing in training knows English from Spanish."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import pytest

from container.artifact import open_artifact
from container.text import default_prefixes
from data.sample import read_part
from serve.engine.interface import default_options
from serve.engine.loading import load
from tests.conftest import TOY, Job
from train.job.describe import METRICS

MADE = {
    **{"source_lang": "qaa", "target_lang": "qab", "n_layers": "1", "d_model": "64", "n_heads": "4", "ffn_dim": "128"},
    **{
        "vocab_size": "500",
        "batch_tokens": "512",
        "warmup_steps": "50",
        "learning_rate": "0.005",
        "ema_decay": "0.98",
    },
    **{"dropout_rate": "0", "label_smoothing": "0", "checkpoint_seconds": "0", "precision": "float32"},
}


def made_words() -> list[str]:
    """40 words of two or three syllables, in the order of the alphabet."""
    chance = random.Random(1)
    syllables = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
    words: set[str] = set()
    while len(words) < 40:
        words.add("".join(chance.sample(syllables, chance.choice((2, 3)))))
    return sorted(words)


WORDS = made_words()


def made_corpus(translated: Callable[[int], int], pairs: int = 2000) -> str:
    """TSV: sentences of two to six words, word for word: word n of the one language is `translated(n)` of the other."""
    chance = random.Random(2)
    sentences = {tuple(chance.choices(range(len(WORDS)), k=chance.randint(2, 6))) for _ in range(pairs)}
    lines = (
        (map(WORDS.__getitem__, words), (WORDS[translated(word)] for word in words)) for words in sorted(sentences)
    )
    return "".join(f"{' '.join(source)}\t{' '.join(target)}\n" for source, target in lines)


def test_the_sample_reversed_translates_from_spanish_to_english(job: Job) -> None:
    """Records that name their languages are read in the direction that the hyperparameters ask for."""
    pairs = list(islice(read_part("train"), 200))
    records = [json.dumps({"en": english, "es": spanish}) for english, spanish in pairs]
    job.channel("training", pairs__jsonl="\n".join(records))
    job.configure({**TOY, "source_lang": "es", "target_lang": "en", "vocab_size": "500"})
    done = job.run()
    assert done.returncode == 0, done.stderr
    manifest = open_artifact(job.paths.model).manifest
    assert (manifest.source_lang, manifest.target_lang) == ("es", "en")
    assert manifest.clean_up.non_breaking_prefixes == default_prefixes("es")
    report = (job.paths.output_data / "report.html").read_text(encoding="utf-8")
    assert "es → en" in report
    assert any(spanish in report for _, spanish in pairs)


def test_a_language_of_made_words_is_copied(job: Job) -> None:
    job.channel("training", pairs__tsv=made_corpus(lambda word: word))
    job.configure({**MADE, "epochs": "25", "validation_fraction": "0", "test_fraction": "0.1"})
    done = job.run()
    assert done.returncode == 0, done.stderr
    assert open_artifact(job.paths.model).manifest.scores["bleu"].value > 98


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """A job of both directions, and what it printed.

    The languages have the same words, each the translation of the one before it: only the tag tells what to write.
    """
    job = Job(tmp_path_factory.mktemp("both") / "ml")
    job.channel("training", pairs__tsv=made_corpus(lambda word: (word + 1) % len(WORDS)))
    job.configure({**MADE, "direction": "both", "epochs": "14", "test_fraction": "0.05"})
    done = job.run()
    assert done.returncode == 0, done.stderr
    return job, done.stdout


def test_one_model_translates_in_both_directions(both: tuple[Job, str]) -> None:
    job, _ = both
    manifest = open_artifact(job.paths.model).manifest
    assert manifest.reverse is not None
    there, back = manifest.directions
    assert (there.source_tokens_prefix, back.source_tokens_prefix) == (("<2qab>",), ("<2qaa>",))
    assert there.scores.keys() == back.scores.keys() >= {"bleu", "chrf", "bleu_multi", "bleu_lost_by_quantization"}
    assert min(there.scores["bleu"].value, back.scores["bleu"].value) > 90

    predictor = load(job.paths.model)
    text, greedy = " ".join(WORDS[10:14]), replace(default_options(manifest.decoding), beam_size=1)
    written = {
        language: predictor.translate([text], greedy, language)[0].hypotheses[0].text
        for language in (None, "qab", "qaa")
    }
    assert written == {None: " ".join(WORDS[11:15]), "qab": " ".join(WORDS[11:15]), "qaa": " ".join(WORDS[9:13])}


def test_each_direction_is_watched_and_reported(both: tuple[Job, str]) -> None:
    job, log = both
    manifest = open_artifact(job.paths.model).manifest
    found = {metric.name: re.findall(metric.regex, log) for metric in METRICS if "calibration" not in metric.name}
    assert all(found.values()), found
    assert manifest.reverse is not None
    for name, scores in (("test:bleu", manifest.scores), ("test:bleu_reverse", manifest.reverse.scores)):
        assert [float(value) for value in found[name]] == [scores["bleu"].value]
    for name in ("validation:bleu", "validation:bleu_reverse"):
        assert len(found[name]) == 14
        assert float(found[name][-1]) > 80
    assert len(re.findall(r"int8 against float32: .* test sentences(, the way back)?\n", log)) == 2

    scores = json.loads((job.paths.output_data / "metrics.json").read_text())
    assert scores["reverse_scores"]["bleu"]["value"] == manifest.reverse.scores["bleu"].value
    report = (job.paths.output_data / "report.html").read_text(encoding="utf-8")
    assert "Translation model qaa ⇄ qab" in report
    for heading in ("Short and long sentences", "The worst and the best translations", "Where the model looks"):
        assert [f"{heading}, {way}</h2>" in report for way in ("qaa → qab", "qab → qaa")] == [True, True], heading
    assert "BLEU back</th>" in report
    assert (job.paths.output_data / "bleu_by_length_reverse.svg").is_file()
    assert all(f"<span>&lt;2{language}&gt;</span>" in report for language in ("qab", "qaa"))  # over a map of attention
    assert "No sentence stands in two parts." in report
