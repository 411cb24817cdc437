"""Every encoding of a hyperparameter, and a clear sentence for every wrong one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from container.errors import HyperparameterError
from train.job.hyperparameters import Hyperparameters, from_arguments, parse, read

# What a user means, and how each client writes it.
MEANT = {"epochs": 3, "learning_rate": 0.001, "resume": False, "train_file": "123", "precision": "float32"}
ENCODINGS = {
    "SDK v2": {key: str(value) for key, value in MEANT.items()},
    "SDK v2 with source_dir": {key: json.dumps(value) for key, value in MEANT.items()},
    "SDK v3": {key: value if isinstance(value, str) else json.dumps(value) for key, value in MEANT.items()},
    "raw API": {
        "epochs": "3",
        "learning_rate": "1e-3",
        "resume": "no",
        "train_file": "123",
        "precision": "float32",
    },
}


def problems(raw: dict[str, object]) -> str:
    with pytest.raises(HyperparameterError) as caught:
        parse(raw)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_client_is_understood(encoding: str) -> None:
    parsed = parse(ENCODINGS[encoding]).model_dump()
    assert {key: parsed[key] for key in MEANT} == MEANT


def test_the_encodings_really_differ() -> None:
    assert ENCODINGS["SDK v2"]["resume"] == "False"
    assert ENCODINGS["SDK v2 with source_dir"]["train_file"] == '"123"'


@pytest.mark.parametrize("text", ["False", "false", "0", "no", "off", "FALSE", '"false"'])
def test_false(text: str) -> None:
    assert parse({"resume": text}).resume is False


@pytest.mark.parametrize("text", ["True", "true", "1", "yes", '"true"'])
def test_true(text: str) -> None:
    assert parse({"clean_dots": text}).clean_dots is True


@pytest.mark.parametrize("text", ["None", "null", ""])
def test_none_means_not_given(text: str) -> None:
    assert parse({"batch_size": text, "train_file": text}).batch_size is None
    assert parse({"batch_size": text, "train_file": text}).train_file is None


def test_none_for_a_field_with_a_default_gives_the_default() -> None:
    assert parse({"epochs": "None", "source_lang": "null"}) == Hyperparameters()


@pytest.mark.parametrize(("text", "epochs"), [("10", 10), ("10.0", 10), ("1e3", 1000), ("1_000", 1000), (' "7" ', 7)])
def test_whole_numbers(text: str, epochs: int) -> None:
    assert parse({"epochs": text}).epochs == epochs


@pytest.mark.parametrize("name", ["no", "true", "3.5", "data.tsv", "None.tsv", "sub/data.tsv", "{[]: 1}"])
def test_text_stays_text(name: str) -> None:
    assert parse({"train_file": name}).train_file == name


def test_a_language_called_no_is_no_boolean() -> None:
    assert parse({"source_lang": "no"}).source_lang == "no"


def test_values_of_their_own_type_pass() -> None:
    assert parse({"epochs": 2, "resume": False, "learning_rate": 0.5}).resume is False


def test_kebab_is_snake() -> None:
    assert parse({"batch-size": "32", "max-len": "40"}) == Hyperparameters(batch_size=32, max_len=40)


def test_keys_that_sagemaker_injects_are_passed_over() -> None:
    injected = {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": "s3://bucket/key",
        "sagemaker_estimator_class_name": '"Estimator"',
        "_tuning_objective_metric": "validation:bleu",
        "model_dir": "s3://bucket/model",
    }
    assert parse({**injected, "epochs": "2"}) == Hyperparameters(epochs=2)


def test_the_original_scripts_names_are_known() -> None:
    names = "epochs batch-size max-len nsamples vocab_size resume train_file non_breaking_in non_breaking_out seed"
    names += " d_model ffn_dim n_heads n_layers dropout_rate"
    assert {name.replace("-", "_") for name in names.split()} <= set(Hyperparameters.model_fields)


def test_toy_settings_are_legal() -> None:
    toy = parse({"n_layers": "1", "d_model": "16", "epochs": "1", "nsamples": "200"})
    assert (toy.n_layers, toy.d_model, toy.epochs, toy.nsamples) == (1, 16, 1, 200)


def test_hyperparameters_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Hyperparameters().epochs = 2  # type: ignore[misc]


# Wrong values


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({"batch_tokens": "0"}, "batch_tokens must be at least 64, got 0"),
        ({"beam_size": "33"}, "beam_size must be at most 32, got 33"),
        ({"learning_rate": "0"}, "learning_rate must be more than 0, got 0"),
        ({"ema_decay": "1.0"}, "ema_decay must be less than 1, got 1.0"),
        ({"label_smoothing": "0.95"}, "label_smoothing must be at most 0.9, got 0.95"),
        ({"epochs": "ten"}, "epochs must be a whole number, got 'ten'"),
        ({"epochs": "2.5"}, "epochs must be a whole number, got 2.5"),
        ({"epochs": "true"}, "epochs must be a whole number, got 'true'"),
        ({"epochs": True}, "epochs must be a whole number, got 'True'"),
        ({"epochs": "9" * 5000}, "epochs must be a whole number, got '99999"),
        ({"epochs": "[" * 2500}, "epochs must be a whole number, got '[[["),
        ({"learning_rate": "NaN"}, "learning_rate must be a number, got nan"),
        ({"learning_rate": "['a', 'b']"}, "learning_rate must be a number, got ['a', 'b']"),
        ({"dropout_rate": "False"}, "dropout_rate must be a number, got 'False'"),
        ({"resume": "2"}, "resume must be true or false, got 2"),
        ({"precision": "bfloat"}, "precision must be one of auto, float32, bfloat16 (did you mean bfloat16?), got 'bf"),
        ({"quantization": "q4"}, "quantization must be one of int8, float32, got 'q4'"),
        ({"source_lang": "../x"}, "source_lang must be a language code such as en or es, got '../x'"),
        ({"train_file": "/etc/passwd"}, "train_file must be a file name in the channel, got '/etc/passwd'"),
        ({"train_file": 5}, "train_file must be text, got 5"),
        ({"d_model": "30"}, "d_model must be divisible by n_heads, got 30 and 4"),
        ({"d_model": "15", "n_heads": "3"}, "d_model must be even, got 15"),
        ({"source_lang": "es"}, "source_lang and target_lang must differ, got 'es' for both"),
        (
            {"test_fraction": "0.5", "validation_fraction": "0.4"},
            "test_fraction and validation_fraction must leave more than a tenth for training, got 0.5 and 0.4",
        ),
        ({"epoch": "3"}, "'epoch' is no hyperparameter (did you mean epochs?)"),
        ({"Batch-Size": "3"}, "'Batch_Size' is no hyperparameter (did you mean batch_size?)"),
        ({"zzzzzz": "3"}, "'zzzzzz' is no hyperparameter (`train --help` lists all)"),
        ({"max-len": "10", "max_len": "20"}, "max_len is given twice, as '10' and '20'"),
    ],
)
def test_each_wrong_value_has_its_sentence(raw: dict[str, object], sentence: str) -> None:
    assert problems(raw).startswith(f"Hyperparameters: {sentence}")


def test_the_same_value_in_both_spellings_is_fine() -> None:
    assert parse({"max-len": "10", "max_len": "10"}).max_len == 10


def test_every_problem_is_named_at_once() -> None:
    raw = {
        "max-len": "10", "max_len": "20", "epoch": "3", "batch_tokens": "0", "resume": "maybe",
        "d_model": "18", "source_lang": "es",
    }  # fmt: skip
    text = problems(raw)
    for name in ("max_len is given twice", "'epoch'", "batch_tokens must", "resume must", "d_model must", "differ"):
        assert name in text
    assert text.count(";") == 5


def test_a_wrong_value_is_not_blamed_for_a_conflict_as_well() -> None:
    assert problems({"d_model": "wide", "n_heads": "3"}) == (
        "Hyperparameters: d_model must be a whole number, got 'wide'."
    )


def test_conflicts_are_found_without_parse_too() -> None:
    with pytest.raises(ValidationError, match="divisible by n_heads"):
        Hyperparameters(d_model=30, n_heads=4)


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(problems({"epochs": "x" * 2500})) < 130


# The file


def test_read_takes_the_file_and_lets_the_command_line_win(tmp_path: Path) -> None:
    path = tmp_path / "hyperparameters.json"
    path.write_text('\ufeff{"batch-size": "32", "epochs": "5"}', encoding="utf-8")
    assert read(path) == Hyperparameters(batch_size=32, epochs=5)
    assert read(path, {"batch_size": "8"}) == Hyperparameters(batch_size=8, epochs=5)


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path / "hyperparameters.json") == Hyperparameters()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"epochs": "1",\n  "seed" "2"}', r"is not valid JSON at line 2, column 10 \(Expecting ':' delimiter\)"),
        (b"", "is not valid JSON at line 1, column 1"),
        (b'["epochs"]', "must hold one JSON object"),
        (b'{"train_file": "\xe9"}', "is not UTF-8"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "hyperparameters.json"
    path.write_bytes(content)
    with pytest.raises(HyperparameterError, match=rf"hyperparameters\.json {sentence}"):
        read(path)


def test_a_file_that_cannot_be_read_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    with pytest.raises(HyperparameterError, match="cannot be read"):
        read(tmp_path)


# The command line


def test_arguments_in_all_spellings() -> None:
    argv = ["--batch-size", "8", "--max_len=12", "--resume", "--learning-rate", "-1", "--seed", "1", "--seed=2"]
    assert from_arguments(argv) == {
        "batch_size": "8", "max_len": "12", "resume": "true", "learning_rate": "-1", "seed": "2"
    }  # fmt: skip


def test_a_boolean_argument_may_have_a_value() -> None:
    assert from_arguments(["--resume", "false", "--epochs", "1"]) == {"resume": "false", "epochs": "1"}


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--epochs"], "--epochs has no value"),
        (["--epochs", "--seed", "1"], "--epochs has no value"),
        (["epochs=3"], "'epochs=3' is no --name value"),
        (["-e", "3"], "'-e' is no --name value"),
    ],
)
def test_a_malformed_argument_is_named(argv: list[str], sentence: str) -> None:
    with pytest.raises(HyperparameterError, match=sentence):
        from_arguments(argv)


def test_an_unknown_argument_is_refused_like_an_unknown_key() -> None:
    with pytest.raises(HyperparameterError, match=r"did you mean epochs\?"):
        parse({}, from_arguments(["--epcohs", "3"]))
