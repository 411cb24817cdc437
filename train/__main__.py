"""`train`: the training job. Reads `/opt/ml/input`, writes `/opt/ml/model`.

python -m train                     a job as SageMaker starts it
python -m train --epochs 3          the same; arguments win over hyperparameters.json
python -m train describe            the algorithm's description for CreateAlgorithm and tuning, as JSON
python -m train --help              every hyperparameter
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence

from container import hyperparameters
from container.describe import describe
from container.errors import UserError, kind_of, write_failure
from container.hyperparameters import Hyperparameters
from container.paths import Paths


def main(argv: Sequence[str]) -> int:
    """Run the job; the exit code says who can cure a failure (see `container.errors`)."""
    paths = Paths.from_environment()
    if list(argv) == ["describe"]:
        print(json.dumps(describe(), indent=2))
        return 0
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    paths.failure.unlink(missing_ok=True)  # one of an earlier run would be read as this job's
    try:
        hp = hyperparameters.read(paths.hyperparameters, hyperparameters.from_arguments(argv))
        run_job(hp, paths, stop)
    except Exception as error:  # noqa: BLE001 - the one place where every failure becomes file and exit code
        if isinstance(error, UserError):
            print(f"train: {error}", file=sys.stderr, flush=True)
        else:
            traceback.print_exception(error)
        write_failure(paths.failure, error)
        return kind_of(error).exit_code
    return 0


def run_job(hp: Hyperparameters, paths: Paths, stop: threading.Event) -> None:
    """Channels -> pairs -> token ids -> trained model -> model directory. `stop` ends training early and cleanly."""
    from train.checkpoints import checkpoint_folder, newest_checkpoint, remove_checkpoints
    from train.prepare import prepare

    folder = checkpoint_folder(paths)
    if not hp.resume:
        removed = remove_checkpoints(folder)
        print(
            f"train: resume=false, so the job starts afresh; {removed} old checkpoints were removed",
            flush=True,
        )
    checkpoint = newest_checkpoint(folder)
    tokenizer_path = folder / "tokenizer.model"
    if checkpoint is None:
        tokenizer_path.unlink(missing_ok=True)  # one without a checkpoint may be of another corpus
    prepared = prepare(hp, paths, tokenizer_path, lambda sentence: print(f"train: {sentence}", flush=True))

    # TensorFlow takes seconds to import: only now, when the input is known to be good.
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from train.fit import fit
    from train.progress import Progress
    from train.publish import publish

    progress = Progress(hp)
    fitted = fit(prepared, hp, folder, checkpoint, progress, stop)
    published = publish(prepared, fitted, hp, paths, progress, hurried=stop.is_set())
    progress.say(f"the model stands in {published.path}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
