"""The entry script of script mode: what the toolkit hands over, laid out as `train` expects it.

    python train_nmt.py --epochs 3 --learning-rate 0.002 ...

The toolkit passes hyperparameters as arguments and everything else in SM_* variables (aws/sagemaker-training-toolkit,
ENVIRONMENT_VARIABLES.md). Two arguments are this script's own:

    --saved_model        true unless it is set: TensorFlow Serving needs it
    --keep_checkpoints   true: put the checkpoints into the job's output too, for a later job's channel `checkpoints`

A channel `checkpoints` is where an earlier run is resumed from; a job with `checkpoint_s3_uri` needs none, for then
SageMaker fills /opt/ml/checkpoints itself.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
CHECKPOINTS = "/opt/ml/checkpoints"
NOT_DATA = ("checkpoints", "code")  # channels that hold no sentence pairs


def lay_out(environment: Mapping[str, str], base: Path) -> None:
    """Make `base` look like /opt/ml: links to the folders that the SM_* variables name, and the three config files.

    SM_MODEL_DIR, SM_OUTPUT_DIR, SM_CHANNEL_<NAME> are folders; SM_CHANNELS, SM_HOSTS, SM_INPUT_DATA_CONFIG are JSON.
    """
    config, data = base / "input" / "config", base / "input" / "data"
    config.mkdir(parents=True)
    data.mkdir()
    for name, target in {
        base / "model": environment["SM_MODEL_DIR"],
        base / "output": environment.get("SM_OUTPUT_DIR", "/opt/ml/output"),
        base / "checkpoints": environment.get("SM_CHECKPOINT_DIR", CHECKPOINTS),
    }.items():
        Path(target).mkdir(parents=True, exist_ok=True)
        name.symlink_to(target)
    channels = [name for name in json.loads(environment["SM_CHANNELS"]) if name not in NOT_DATA]
    for channel in channels:
        (data / channel).symlink_to(environment[f"SM_CHANNEL_{channel.upper()}"])
    given = json.loads(environment.get("SM_INPUT_DATA_CONFIG", "{}"))
    hosts = json.loads(environment.get("SM_HOSTS", '["algo-1"]'))
    documents = {
        "hyperparameters": {},  # they are arguments
        "inputdataconfig": {channel: given.get(channel, {"TrainingInputMode": "File"}) for channel in channels},
        "resourceconfig": {
            "current_host": environment.get("SM_CURRENT_HOST", hosts[0]),
            "hosts": hosts,
            "network_interface_name": environment.get("SM_NETWORK_INTERFACE_NAME", "eth0"),
        },
    }
    for document, content in documents.items():
        (config / f"{document}.json").write_text(json.dumps(content))


def take(arguments: list[str], name: str) -> str | None:
    """The value of `--name` (the last, if given twice), taken out of `arguments`; "true" where it stands alone."""
    value = None
    for spelling in (f"--{name}", f"--{name.replace('_', '-')}"):
        while spelling in arguments:
            at = arguments.index(spelling)
            alone = at + 1 == len(arguments) or arguments[at + 1].startswith("--")
            value = "true" if alone else arguments[at + 1]
            del arguments[at : at + (1 if alone else 2)]
    return value


def add_handler(model: Path) -> None:
    """Put `code/` beside the model: what makes TensorFlow Serving on SageMaker take text and answer text."""
    code = model / "code"
    shutil.rmtree(code, ignore_errors=True)
    (code / "container").mkdir(parents=True)
    shutil.copyfile(SOURCE / "serving" / "inference.py", code / "inference.py")
    shutil.copyfile(SOURCE / "serving" / "requirements.txt", code / "requirements.txt")
    for file in ("__init__.py", "errors.py", "text.py"):
        shutil.copyfile(SOURCE / "container" / file, code / "container" / file)


def main(argv: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Train, then make the model directory one that TensorFlow Serving can serve; the exit code is that of `train`."""
    arguments = list(argv)
    keep = (take(arguments, "keep_checkpoints") or "false").lower() == "true"
    saved_model = take(arguments, "saved_model") or "true"
    base = Path(tempfile.mkdtemp()) / "ml"
    lay_out(environment, base)
    if resumed := environment.get("SM_CHANNEL_CHECKPOINTS"):
        shutil.copytree(resumed, base / "checkpoints", dirs_exist_ok=True)
    os.environ["SAGEMAKER_BASE_DIR"] = str(base)

    from train.__main__ import main as train  # the staged package

    code = train([*arguments, f"--saved_model={saved_model}"])
    if code == 0 and (base / "model" / "manifest.json").is_file():  # the first host's: the others write none
        add_handler(base / "model")
        if keep:
            shutil.copytree(base / "checkpoints", base / "output" / "data" / "checkpoints", dirs_exist_ok=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
