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
from collections.abc import Sequence
from pathlib import Path

from container.artifact import staging
from container.errors import PlatformError, Stopped, UserError, kind_of, write_failure
from container.paths import Paths
from train.backends.backend import Backend
from train.backends.choice import TITLES, open_backend, with_framework
from train.corpus.prepare import Prepared, prepare
from train.evaluation.evaluate import evaluate_model
from train.export.model_directory import export_model, make_manifest
from train.job import hyperparameters
from train.job.cluster import read_cluster
from train.job.context import JobContext
from train.job.describe import describe, markdown_table
from train.job.hyperparameters import Hyperparameters
from train.job.log import LOG, hold_stderr, start_logging
from train.job.progress import Progress
from train.job.publish import publish
from train.job.rendezvous import Hosts, Rendezvous, SingleHost
from train.model.trained import TrainedModel
from train.report.page import write_report
from train.training.resume import find_start
from train.training.tensorboard import open_event_sinks
from train.training.trainer import train_model


def main(argv: Sequence[str]) -> int:
    """Run the job; the exit code says who can cure a failure (see `container.errors`)."""
    if list(argv) == ["describe"]:
        print(json.dumps(describe(), indent=2))
        return 0
    if {"-h", "--help"} & set(argv):
        print(f"usage: train [--name value ...]\n\n{markdown_table()}")
        return 0
    start_logging()
    paths = Paths.from_environment()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    paths.failure.unlink(missing_ok=True)  # it belongs to an earlier run, and SageMaker would show it for this one
    try:
        run_job(hyperparameters.read(paths.hyperparameters, hyperparameters.from_arguments(argv)), paths, stop)
    except Stopped as told:
        LOG.info(str(told))
    except Exception as error:  # noqa: BLE001 - the one place where every failure becomes file and exit code
        if isinstance(error, UserError):
            LOG.error(str(error))
        else:
            traceback.print_exception(error)
        write_failure(paths.failure, error)
        return kind_of(error).exit_code
    return 0


def run_job(hp: Hyperparameters, paths: Paths, stop: threading.Event) -> None:
    """Read, prepare, train, export, evaluate, publish, report. Setting `stop` ends training early and cleanly."""
    hp, hosts = with_framework(hp), connect_hosts(paths)
    sinks = open_event_sinks(paths.tensorboard) if hosts.cluster.is_chief else ()
    with tempfile.TemporaryDirectory(prefix="train-") as scratch:
        job = JobContext(hp, paths, hosts, Progress(hp, sinks), stop, Path(scratch))
        start = find_start(job)
        prepared = prepare(job, start.tokenizer)
        job.progress.say(f"importing {TITLES[hp.framework or 'tensorflow']}")  # takes seconds, so the input comes first
        with hold_stderr():
            backend = open_backend(hp, hosts.cluster)
        trained = train_model(job, prepared, start, backend)
        if job.is_chief:
            finish_job(job, prepared, trained, backend)
        hosts.barrier()


def finish_job(job: JobContext, prepared: Prepared, trained: TrainedModel, backend: Backend) -> None:
    """What the chief does alone: the model directory and the report. Once `job.stop` is set, both are made quickly."""
    with staging(job.paths.model) as folder:
        exported = export_model(job, prepared, trained, backend, folder)
        evaluated = evaluate_model(job, prepared, exported.ctranslate2, exported.float32)
        manifest = make_manifest(job, prepared, trained, exported.parity, [each.manifest for each in evaluated])
        model = publish(job, folder, manifest)
    report = write_report(job, prepared, model, [each.translations for each in evaluated])
    job.progress.say(f"the report stands in {report}")
    job.progress.say(f"the model stands in {model.path}")


def connect_hosts(paths: Paths) -> Hosts:
    """All hosts of the job, connected; this host ends with a failure file as soon as another one is lost."""
    cluster = read_cluster(paths.resource_config)
    if len(cluster.hosts) == 1:
        return SingleHost(cluster)

    def give_up(error: PlatformError) -> None:
        # Called from another thread, while the main thread may wait in a collective that will never end.
        LOG.error(str(error))
        write_failure(paths.failure, error)
        os._exit(kind_of(error).exit_code)

    return Rendezvous(cluster, give_up)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
