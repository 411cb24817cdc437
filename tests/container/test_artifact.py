"""The model directory: published whole or not at all, and refused by the name of what is wrong with it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from container import artifact
from container.artifact import (
    Artifact,
    CleanUp,
    Manifest,
    OneDirection,
    Score,
    open_artifact,
    publish,
    read_manifest,
    staging,
    write_atomically,
)
from container.errors import ArtifactError

MANIFEST = Manifest(source_lang="en", target_lang="es")


def fill(folder: Path, content: str = "first") -> None:
    for name in ("tokenizer.model", "ctranslate2/model.bin", "ctranslate2/config.json", "weights.safetensors"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{content} {name}")


def published(destination: Path, content: str = "first") -> Artifact:
    with staging(destination) as folder:
        fill(folder, content)
        return publish(folder, destination, MANIFEST)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A published model directory; its files are not a real model's."""
    return published(tmp_path / "model").path


def refusal(path: Path, **how: bool) -> str:
    with pytest.raises(ArtifactError) as caught:
        open_artifact(path, **how)
    return str(caught.value)


def rewrite(model: Path, **changes: Any) -> None:
    content = json.loads((model / "manifest.json").read_text())
    (model / "manifest.json").write_text(json.dumps(content | changes))


# Directions


def test_a_manifest_reads_for_each_direction_of_its_model() -> None:
    score = {"bleu": Score(value=1.5, signature="s")}
    back = OneDirection(source_tokens_prefix=("<2en>",), clean_up=CleanUp(non_breaking_prefixes=("Sr",)), scores=score)
    both = MANIFEST.model_copy(update={"source_tokens_prefix": ("<2es>",), "placeholders": ("x",), "reverse": back})
    assert Manifest.model_validate_json(both.model_dump_json()) == both
    there, here = both.directions
    assert there == both.model_copy(update={"reverse": None})
    assert (here.source_lang, here.target_lang, here.source_tokens_prefix) == ("es", "en", ("<2en>",))
    assert (here.clean_up, here.scores, here.placeholders, here.reverse) == (back.clean_up, score, ("x",), None)


def test_a_model_of_one_direction_is_written_as_it_always_was(model: Path) -> None:
    """Without the field that older releases do not know and would refuse."""
    assert MANIFEST.directions == (MANIFEST,)
    assert "reverse" not in json.loads((model / "manifest.json").read_text())


# Publishing


def test_what_is_published_can_be_opened(model: Path) -> None:
    opened = open_artifact(model, with_weights=True)
    assert opened.manifest.source_lang == "en"
    assert sorted(opened.manifest.files) == [
        "ctranslate2/config.json",
        "ctranslate2/model.bin",
        "tokenizer.model",
        "weights.safetensors",
    ]
    assert opened.tokenizer.read_text() == "first tokenizer.model"
    assert (opened.ctranslate2 / "model.bin").is_file()
    assert opened.weights.is_file()
    assert sorted(entry.name for entry in model.iterdir()) == [
        "ctranslate2",
        "manifest.json",
        "tokenizer.model",
        "weights.safetensors",
    ]


def test_publishing_replaces_an_older_model(model: Path) -> None:
    (model / "ctranslate2" / "old-file").write_text("of the older model")
    published(model, "second")
    assert open_artifact(model).tokenizer.read_text() == "second tokenizer.model"
    assert not (model / "ctranslate2" / "old-file").exists()


def test_a_failure_before_publishing_leaves_the_older_model_as_it_was(model: Path) -> None:
    with pytest.raises(RuntimeError, match="the parity gate"), staging(model) as folder:
        fill(folder, "second")
        raise RuntimeError("the parity gate")
    assert open_artifact(model, with_weights=True).tokenizer.read_text() == "first tokenizer.model"
    assert not (model / ".staging").exists()


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_crash_between_two_files_leaves_no_manifest(model: Path, moved: int, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, calls = os.replace, []

    def full(source: Path, target: Path) -> None:
        if len(calls) == moved:
            raise OSError(28, "No space left on device")
        calls.append(target)
        replace(source, target)

    monkeypatch.setattr(artifact.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        published(model, "second")
    assert not (model / ".staging").exists()
    assert "holds no manifest.json" in refusal(model)


def test_staging_begins_empty_after_a_crash(tmp_path: Path) -> None:
    (tmp_path / ".staging").mkdir()
    (tmp_path / ".staging" / "left over").touch()
    with staging(tmp_path) as folder:
        assert not list(folder.iterdir())


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.json"
    write_atomically(path, b"old")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="crash"):
        patch.setattr(artifact.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("crash")))
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


# Opening


def test_the_model_may_lie_one_folder_deeper(model: Path) -> None:
    assert open_artifact(model.parent).path == model


def test_two_models_side_by_side_are_no_model(model: Path) -> None:
    shutil.copytree(model, model.with_name("other"))
    assert str(model.parent) in refusal(model.parent)


def test_no_directory(tmp_path: Path) -> None:
    assert f"There is no model directory at {tmp_path / 'none'}" in refusal(tmp_path / "none")


def test_a_directory_without_manifest(tmp_path: Path) -> None:
    assert f"{tmp_path} holds no manifest.json" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.model", "ctranslate2/model.bin", "ctranslate2/config.json"])
def test_a_damaged_file_is_named(model: Path, name: str) -> None:
    content = bytearray((model / name).read_bytes())
    content[3] ^= 1
    (model / name).write_bytes(content)
    assert refusal(model).startswith(f"{model / name} is damaged")


@pytest.mark.parametrize("name", ["tokenizer.model", "ctranslate2/model.bin", "ctranslate2/config.json"])
def test_a_missing_file_is_named(model: Path, name: str) -> None:
    (model / name).unlink()
    assert refusal(model).startswith(f"{model / name} is missing")


@pytest.mark.parametrize("name", ["tokenizer.model", "ctranslate2/model.bin"])
def test_a_manifest_must_list_what_serving_needs(model: Path, name: str) -> None:
    files = read_manifest(model).files
    rewrite(model, files={key: digest for key, digest in files.items() if key != name})
    assert f"does not list {name}" in refusal(model)


def test_weights_are_looked_at_only_when_asked_for(model: Path) -> None:
    (model / "weights.safetensors").write_text("damaged")
    assert open_artifact(model).path == model
    assert "weights.safetensors is damaged" in refusal(model, with_weights=True)
    (model / "weights.safetensors").unlink()
    assert open_artifact(model).path == model
    assert "weights.safetensors is missing" in refusal(model, with_weights=True)


@pytest.mark.parametrize("name", ["../secret", "{outside}", "link"])
def test_a_path_outside_the_directory_is_refused(model: Path, name: str) -> None:
    outside = model.parent / "secret"
    outside.write_text("secret")
    (model / "link").symlink_to(outside)
    name = name.format(outside=outside)
    rewrite(model, files=read_manifest(model).files | {name: artifact.sha256_of(outside)})
    assert f"names {name}, which lies outside the model directory" in refusal(model)


# The manifest


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"format_version": 2}, "format_version"),
        ({"engine": "onnx"}, "engine"),
        ({"decoding": {"beam_size": "many"}}, "decoding.beam_size"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_unknown_format_is_refused_by_its_field(model: Path, changes: dict[str, Any], where: str) -> None:
    rewrite(model, **changes)
    message = refusal(model)
    assert message.startswith(f"{model / 'manifest.json'} is damaged or of a format this image does not read ({where}:")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_manifest_that_is_no_json_object_is_refused(model: Path, content: bytes) -> None:
    (model / "manifest.json").write_bytes(content)
    assert str(model / "manifest.json") in refusal(model)


def test_a_manifest_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        MANIFEST.source_lang = "de"  # type: ignore[misc]
