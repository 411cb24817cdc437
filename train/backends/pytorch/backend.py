"""Training in PyTorch: gradients and one update for each batch, on one host or several.

The formulas and the layers are those of TensorFlow. Each host has one process and one device; gradients are
averaged by DistributedDataParallel (Li et al. 2020, arXiv:2006.15704), over nccl or gloo.
"""

from __future__ import annotations

import os

import numpy as np
import torch

from train.backends.backend import Step
from train.backends.evaluator import Evaluator
from train.backends.precision import fastest_precision
from train.backends.pytorch.loss import smoothed_cross_entropy
from train.backends.pytorch.noise import StepNoise
from train.backends.pytorch.optimizer import apply_gradients, make_adam
from train.backends.replica import replica_batch
from train.backends.state import TrainState
from train.corpus.encoding import Encoded
from train.job.cluster import WORKER_PORT, Cluster
from train.job.hyperparameters import Hyperparameters
from train.model.config import TransformerConfig
from train.model.transformer import Transformer

THREADS = torch.get_num_threads()  # as torch was set up, before CTranslate2 sets the threads of the whole process


class PyTorchBackend:
    """See `train.backends.backend.Backend`."""

    title = "PyTorch"

    def __init__(self, cluster: Cluster) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._rank, self._hosts = cluster.rank, len(cluster.hosts)
        if self._hosts > 1:
            gpu = self._device.type == "cuda"
            os.environ["NCCL_SOCKET_IFNAME" if gpu else "GLOO_SOCKET_IFNAME"] = cluster.network_interface
            torch.distributed.init_process_group(
                "nccl" if gpu else "gloo",
                init_method=f"tcp://{cluster.hosts[0]}:{WORKER_PORT}",
                rank=self._rank,
                world_size=self._hosts,
            )

    def fastest_precision(self) -> str:
        return fastest_precision(torch.matmul)

    def make_state(self, config: TransformerConfig, seed: int) -> TrainState:
        return TrainState(Transformer(config, seed=seed))

    def make_evaluator(self, config: TransformerConfig) -> Evaluator:
        return Evaluator(config, torch.no_grad())

    def make_step(self, state: TrainState, hp: Hyperparameters, warmup: int) -> Step:
        objective: torch.nn.Module = _Objective(state, hp.label_smoothing)
        if self._hosts > 1:
            objective = torch.nn.parallel.DistributedDataParallel(objective)
        adam = make_adam(state)

        def step(corpus: Encoded, members: np.ndarray, number: int, stop: bool) -> tuple[float, float, bool]:
            torch.set_num_threads(THREADS)  # CTranslate2 may have validated since; other threads, other bits
            tokens = float(corpus.target_lengths[members].sum())  # of the global batch, which every host knows
            batch = replica_batch(corpus, members, self._rank, self._hosts)
            source, target = (torch.tensor(ids, device=self._device) for ids in (batch.source, batch.target))
            noise = StepNoise(hp.seed, number * self._hosts + self._rank)
            adam.zero_grad()
            loss, nll = objective(source, target, noise)
            (loss * (self._hosts / tokens)).backward()  # DistributedDataParallel takes the mean over the hosts
            sums = torch.stack([nll.detach(), torch.tensor(float(stop), device=self._device)])
            if self._hosts > 1:
                torch.distributed.all_reduce(sums)
            apply_gradients(state, adam, number, hp, warmup)
            total, stops = sums.tolist()
            return total, tokens, bool(stops)

        return step


class _Objective(torch.nn.Module):
    """The model and its loss as one module, for DistributedDataParallel to wrap."""

    def __init__(self, state: TrainState, smoothing: float) -> None:
        super().__init__()
        self.own = torch.nn.ParameterList(variable.value for variable in state.weights.values())
        self._parts = (state, smoothing)  # in a tuple: the parameters must not be registered twice

    def forward(
        self, source: torch.Tensor, target: torch.Tensor, noise: StepNoise
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """source [B, S], target [B, T+1] -> (smoothed loss, nll), sums over the target tokens."""
        state, smoothing = self._parts
        hidden = state.model(source, target[:, :-1], noise=noise)
        table = state.weights["embedding"].value
        return smoothed_cross_entropy(hidden, table, target[:, 1:].reshape(-1), smoothing)
