"""A preset fills in what the user did not give, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from container.errors import HyperparameterError
from train.job.describe import describe
from train.job.hyperparameters import Hyperparameters, parse, read
from train.job.presets import recipe


def test_no_preset_is_the_defaults() -> None:
    assert parse({}).preset == "default"
    assert parse({"preset": "default"}) == parse({"preset": "None"}) == Hyperparameters()


@pytest.mark.parametrize("raw", ["fast", '"fast"'])
def test_the_recipe_of_a_preset_is_in_the_values(raw: str) -> None:
    values = parse({"preset": raw}).model_dump()
    assert recipe("fast").items() <= values.items()
    assert values["max_minutes"] == 54.0 != Hyperparameters().max_minutes
    assert values["warmup_steps"] == 500 != Hyperparameters().warmup_steps


def test_what_a_preset_does_not_name_keeps_its_default() -> None:
    values, defaults = parse({"preset": "fast"}).model_dump(), Hyperparameters().model_dump()
    rest = values.keys() - recipe("fast").keys() - {"preset"}
    assert {name: values[name] for name in rest} == {name: defaults[name] for name in rest}


def test_what_is_given_wins_over_the_preset_also_when_it_is_the_default(tmp_path: Path) -> None:
    assert parse({"preset": "fast", "max-minutes": "0", "epochs": "2"}).max_minutes == 0
    path = tmp_path / "hyperparameters.json"
    path.write_text('{"preset": "fast", "epochs": "2"}')
    assert read(path, {"warmup_steps": "800"}) == parse({"preset": "fast", "epochs": 2, "warmup_steps": 800})


def test_not_given_in_words_leaves_it_to_the_preset() -> None:
    assert parse({"preset": "fast", "max_minutes": "None"}) == parse({"preset": "fast"})


def test_every_recipe_is_legal_and_names_hyperparameters() -> None:
    for name in ("default", "fast"):
        assert set(recipe(name)) <= set(Hyperparameters.model_fields) - {"preset"}
        assert Hyperparameters(preset=name).preset == name


def test_values_that_went_through_the_schema_go_through_again_unchanged() -> None:
    resolved = parse({"preset": "fast", "epochs": "2"})
    assert Hyperparameters.model_validate(resolved.model_dump()) == resolved


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(HyperparameterError, match=r"preset must be one of default, fast \(did you mean fast\?\)"):
        parse({"preset": "fats"})


def test_create_algorithm_knows_the_presets() -> None:
    found = [spec for spec in describe()["SupportedHyperParameters"] if spec["Name"] == "preset"]
    assert found[0]["Type"] == "Categorical"
    assert found[0]["Range"]["CategoricalParameterRangeSpecification"]["Values"] == ["default", "fast"]
