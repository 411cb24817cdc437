"""Several hosts or GPUs: the `tf.distribute` strategy, and the part of a batch for each replica."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import numpy as np
import tensorflow as tf

from train.backends.replica import replica_batch
from train.corpus.batches import Batch
from train.corpus.encoding import Encoded
from train.job.cluster import Cluster

Distributed = Any  # a tensor, or tf.distribute's bundle of one tensor a local replica


def make_strategy(cluster: Cluster) -> tf.distribute.Strategy:
    """MultiWorkerMirroredStrategy for several hosts, MirroredStrategy for several GPUs, else the default one.

    Call it before any other TensorFlow operation, as collectives demand.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if len(cluster.hosts) > 1:
        os.environ["TF_CONFIG"] = json.dumps(cluster.tf_config())
        ours = signal.getsignal(signal.SIGTERM)
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        signal.signal(signal.SIGTERM, ours)  # its coordination service has just set another handler
        return strategy
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def local_replicas(strategy: tf.distribute.Strategy) -> int:
    # The default strategy does not know its devices.
    return 1 if strategy.num_replicas_in_sync == 1 else len(strategy.extended.worker_devices)


def feed(
    strategy: tf.distribute.Strategy, rank: int, corpus: Encoded, members: np.ndarray
) -> tuple[Distributed, Distributed]:
    """This host's part of the global batch `members`, as (source, target): replica r of R takes every R-th sentence."""
    replicas = strategy.num_replicas_in_sync
    if local_replicas(strategy) == 1:
        batch = replica_batch(corpus, members, rank, replicas)
        return batch.source, batch.target
    parts: dict[int, Batch] = {}

    def part(context: tf.distribute.ValueContext) -> Batch:
        replica = context.replica_id_in_sync_group
        return parts.setdefault(replica, replica_batch(corpus, members, replica, replicas))

    return (
        strategy.experimental_distribute_values_from_function(lambda context: tf.constant(part(context).source)),
        strategy.experimental_distribute_values_from_function(lambda context: tf.constant(part(context).target)),
    )
