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
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from container.errors import PlatformError, Stopped, UserError, kind_of, write_failure
from container.paths import Paths
from train.job import hyperparameters
from train.job.cluster import read_cluster
from train.job.describe import describe
from train.job.hyperparameters import Hyperparameters
from train.job.rendezvous import Hosts, Rendezvous, SingleHost

if TYPE_CHECKING:
    from train.job.progress import Sink


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
    except Stopped as told:
        say(str(told))
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
    from train.backends.backend import TITLES, open_backend, with_framework
    from train.corpus.prepare import prepare
    from train.job.context import JobContext
    from train.job.progress import Progress
    from train.training.resume import open_start

    hp = with_framework(hp)
    hosts = meet(paths)
    with (
        open_start(hp, paths, hosts) as (start, tokenizer_path, folder),
        tempfile.TemporaryDirectory(prefix="train-") as scratch,
    ):
        job = JobContext(hp, paths, hosts, Progress(hp), stop, Path(scratch))
        prepared = prepare(job, tokenizer_path)

        say(f"importing {TITLES[hp.framework or 'tensorflow']}")  # takes seconds: only now, when the input is good
        with quiet_stderr():
            backend = open_backend(hp, hosts.cluster)
            from train.job.publish import publish
            from train.training.trainer import fit

            sinks = _event_sinks(hp, paths) if hosts.cluster.is_chief else ()

        progress = Progress(hp, sinks=sinks)
        fitted = fit(prepared, hp, folder, start, progress, stop, hosts, backend)
        if hosts.cluster.is_chief:
            published = publish(prepared, fitted, hp, paths, progress, stop)
            progress.say(f"the model stands in {published.path}")
        hosts.barrier()


def _event_sinks(hp: Hyperparameters, paths: Paths) -> tuple[Sink, ...]:
    if hp.framework != "tensorflow":
        return ()  # the event file is written by TensorFlow
    from train.training.tensorboard import event_sinks

    return event_sinks(paths.tensorboard)


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keep stderr (the file descriptor: C++ writes there) to ourselves, and print it only when the block fails.

    TensorFlow announces its optimisations on import whatever its log level is, in front of every user's log.
    """
    with tempfile.TemporaryFile() as kept:
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            kept.seek(0)
            os.write(stderr, kept.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def meet(paths: Paths) -> Hosts:
    """All hosts of the job, connected; this host ends with a failure file as soon as another one is lost."""
    cluster = read_cluster(paths.resource_config)
    if len(cluster.hosts) == 1:
        return SingleHost(cluster)

    def give_up(error: PlatformError) -> None:
        # From another thread, while the main one may wait in a collective that will never end.
        print(f"train: {error}", file=sys.stderr, flush=True)
        write_failure(paths.failure, error)
        os._exit(kind_of(error).exit_code)

    return Rendezvous(cluster, give_up)


def say(sentence: str) -> None:
    print(f"train: {sentence}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
