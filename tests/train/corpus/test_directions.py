"""Both directions of a corpus: each pair both ways, the language to write in front, the split as clean as before."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.vocabulary import BOS, EOS
from data.sample import read_part
from tests.conftest import Job
from tests.train.contexts import KeptProgress, make_context
from train.backends.backend import Backend
from train.corpus.directions import FORWARD, Direction, directions
from train.corpus.encoding import Encoded
from train.corpus.pairs import Pair
from train.corpus.prepare import Prepared, prepare
from train.corpus.sentence_keys import sentence_key
from train.export.parity import PARITY_SENTENCES, make_reference
from train.job.hyperparameters import Hyperparameters, parse
from train.model.trained import TrainedModel

BOTH = parse({"vocab_size": 500, "direction": "both", "max_len": 20})


def prepared_with(hp: Hyperparameters, job: Job, scratch: Path, said: list[str]) -> Prepared:
    progress = KeptProgress(hp)
    prepared = prepare(
        make_context(hp, job.paths, scratch, progress=progress), job.paths.checkpoints / "tokenizer.model"
    )
    said += progress.said
    return prepared


@pytest.fixture
def both(job: Job, tmp_path: Path) -> tuple[Prepared, Prepared, list[str]]:
    """300 pairs of the sample prepared for both directions, for one, and what the first said."""
    job.channel(
        "training", a__tsv="".join(f"{source}\t{target}\n" for source, target in list(read_part("train"))[:300])
    )
    said: list[str] = []
    prepared = prepared_with(BOTH, job, tmp_path, said)
    return prepared, prepared_with(BOTH.model_copy(update={"direction": "forward"}), job, tmp_path, []), said


def sentences(encoded: Encoded) -> list[tuple[list[int], list[int]]]:
    """The ids of each pair."""
    sides = ((encoded.source, encoded.source_ends), (encoded.target, encoded.target_ends))
    sources, targets = ([part.tolist() for part in _cut(flat, ends)] for flat, ends in sides)
    return list(zip(sources, targets, strict=True))


def _cut(flat, ends):  # type: ignore[no-untyped-def]
    return [flat[start:stop] for start, stop in zip([0, *ends[:-1]], ends, strict=True)]


def test_one_direction_reads_pairs_as_they_are_and_without_a_tag() -> None:
    assert directions(parse({})) == (FORWARD,)
    assert (FORWARD.tag, FORWARD.suffix) == ((), "")
    pairs = [Pair("Hi.", "Hola.")]
    assert FORWARD.of(pairs) == pairs


def test_both_directions_say_which_language_to_write() -> None:
    assert directions(BOTH) == (Direction(("<2es>",)), Direction(("<2en>",), backwards=True))
    assert directions(BOTH)[1].of([Pair("Hi.", "Hola.")]) == [Pair("Hola.", "Hi.")]


def test_each_pair_is_learnt_both_ways_behind_the_tag_of_the_language_to_write(
    both: tuple[Prepared, Prepared, list[str]],
) -> None:
    prepared, forward, said = both
    to_spanish, to_english = (prepared.tokenizer.piece_to_id(tag) for tag in ("<2es>", "<2en>"))
    for two, one in ((prepared.train, forward.train), (prepared.validation, forward.validation)):
        pairs = sentences(one)  # pairs beyond max_len are left out of both directions or of none
        assert pairs
        there = [([to_spanish, *source], target) for source, target in pairs]
        back = [([to_english, *target[1:]], [BOS, *source]) for source, target in pairs]
        assert sentences(two) == [*there, *back]
        assert all(target[-1] == EOS for _, target in sentences(two))
    assert "placeholder copies and both directions included" in said[-1]


def test_both_directions_of_a_pair_stand_in_the_same_part(both: tuple[Prepared, Prepared, list[str]]) -> None:
    """The parts are those of one direction, and no sentence of a language stands in two of them."""
    prepared, forward, _ = both
    assert prepared.corpus.fingerprint == forward.corpus.fingerprint
    corpus = prepared.corpus
    for direction in directions(BOTH):
        for side in (0, 1):
            train, validation, test = (
                {sentence_key(pair[side]) for pair in direction.of(part)}
                for part in (corpus.train, corpus.validation, corpus.test)
            )
            assert train and validation and test
            assert not (train & validation or train & test or validation & test)


def test_the_parity_gate_looks_at_both_directions(
    prepared: Prepared, trained: TrainedModel, hp: Hyperparameters, backend: Backend
) -> None:
    """Half of its sentences are read each way; the count stays what it was."""
    both = hp.model_copy(update={"direction": "both"})
    reference = make_reference(both, prepared, trained, backend.make_evaluator(trained.config))
    tags = [prepared.tokenizer.id_to_piece(source[0]) for source in reference.source]
    half = PARITY_SENTENCES // 2
    assert tags == ["<2es>"] * half + ["<2en>"] * half
    assert reference.target[half] == reference.source[0][1:]
