"""The training loop's part in PyTorch: noise, gradients, one update a batch, on one host or several.

The same formulas as `train.backends.tensorflow.backend` on the same layers. One process and one device a host;
gradients travel by DistributedDataParallel (Li et al. 2020, arXiv:2006.15704), over nccl or gloo.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace

import keras
import numpy as np
import torch
from torch.nn import functional

from container.vocabulary import PAD
from train.backends.pytorch.loss import smoothed_cross_entropy
from train.corpus.batches import Batch, collate, in_order
from train.corpus.encoding import Encoded
from train.job.cluster import WORKER_PORT, Cluster
from train.job.hyperparameters import Hyperparameters
from train.model.config import TransformerConfig
from train.model.transformer import NoNoise, Transformer, weights_by_name
from train.training.loop import Step
from train.training.schedule import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, adam_rate, average_share

TRIALS = 5
THREADS = torch.get_num_threads()  # as torch was set up, before CTranslate2 sets the threads of the whole process


class StepNoise:
    """Dropout masks of one step: counter-based random bytes, one byte an element (see `train.model.transformer.Noise`).

    The n-th eight bytes are a hash of n (Steele et al. 2014, "Fast splittable pseudorandom number generators"):
    no generator has a state that a checkpoint would have to hold, and every device makes the same masks.
    """

    def __init__(self, seed: int, step: int) -> None:
        self._key, self._calls = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0], 0

    def dropout(self, x: torch.Tensor, rate: float) -> torch.Tensor:
        return self._masked(x, rate, x.shape)

    def word_dropout(self, x: torch.Tensor, rate: float) -> torch.Tensor:
        return self._masked(x, rate, torch.Size((*x.shape[:-1], 1)))

    def _masked(self, x: torch.Tensor, rate: float, shape: torch.Size) -> torch.Tensor:
        """`x` under a mask of `shape`, which is broadcast."""
        dropped = round(rate * 256)
        if dropped == 0:
            return x
        words = (shape.numel() + 7) // 8
        start = (int(self._key) + (self._calls << 40)) % 2**63
        self._calls += 1
        hashed = _hash(torch.arange(words, device=x.device) + start)
        noise = hashed.view(torch.uint8)[: shape.numel()].view(shape)
        return torch.where(
            noise >= dropped, x * (256 / (256 - dropped)), torch.zeros((), dtype=x.dtype, device=x.device)
        )


def _hash(n: torch.Tensor) -> torch.Tensor:
    """splitmix64 of int64 numbers, which wrap as unsigned ones do."""
    z = n * -0x61C8864680B583EB  # 2**64 divided by the golden ratio
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        z = (z ^ _shifted(z, shift)) * factor
    return z ^ _shifted(z, 31)


def _shifted(z: torch.Tensor, bits: int) -> torch.Tensor:
    """To the right, with zeros from the left."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


class TrainState:
    """See `train.training.loop.State`."""

    def __init__(self, model: Transformer) -> None:
        self.model = model
        self.weights: dict[str, torch.Tensor] = {
            name: variable.value for name, variable in weights_by_name(model).items()
        }
        self.first = {name: torch.zeros_like(weight.detach()) for name, weight in self.weights.items()}
        self.second = {name: torch.zeros_like(weight.detach()) for name, weight in self.weights.items()}
        self.average = {name: weight.detach().clone() for name, weight in self.weights.items()}

    def groups(self) -> dict[str, dict[str, torch.Tensor]]:
        return {"weights": self.weights, "first": self.first, "second": self.second, "average": self.average}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(weight.shape) for name, weight in self.weights.items()}

    def begin_with(self, weights: Mapping[str, np.ndarray]) -> None:
        for name, array in weights.items():
            _assign(self.weights[name], array)
            _assign(self.average[name], array)

    def tensors(self) -> dict[str, np.ndarray]:
        return {
            f"{group}/{name}": tensor.detach().cpu().numpy().copy()
            for group, tensors in self.groups().items()
            for name, tensor in tensors.items()
        }

    def restore(self, tensors: dict[str, np.ndarray]) -> None:
        for group, own in self.groups().items():
            for name, tensor in own.items():
                _assign(tensor, tensors[f"{group}/{name}"])

    def averaged_weights(self) -> dict[str, np.ndarray]:
        return {name: tensor.cpu().numpy().copy() for name, tensor in self.average.items()}


@torch.no_grad()
def _assign(tensor: torch.Tensor, array: np.ndarray) -> None:
    tensor.copy_(torch.tensor(array))


@torch.no_grad()
def apply_gradients(
    state: TrainState, gradients: dict[str, torch.Tensor], step: int, hp: Hyperparameters, warmup: int
) -> None:
    """Clip by the norm of all together, then Adam's algorithm 1 and one step of the moving average, on every weight."""
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in gradients.values()]))
    scale = hp.clip_norm / torch.clamp(norm, min=hp.clip_norm)
    with keras.device("cpu"):  # a few scalars
        number = torch.tensor(float(step))
        rate, share = float(adam_rate(number, hp, warmup)), float(average_share(number, hp))
    for name, gradient in gradients.items():
        gradient = gradient * scale
        weight, first, second, average = (group[name] for group in state.groups().values())
        first.add_((1 - ADAM_BETA_1) * (gradient - first))
        second.add_((1 - ADAM_BETA_2) * (gradient.square() - second))
        weight.sub_(rate * first / (second.sqrt() + ADAM_EPSILON))
        average.add_(share * (weight - average))


class _Objective(torch.nn.Module):
    """The model and its loss as one module, which is what DistributedDataParallel wraps."""

    def __init__(self, state: TrainState, smoothing: float) -> None:
        super().__init__()
        self.own = torch.nn.ParameterList(state.weights.values())
        self._parts = (state, smoothing)  # in a tuple: the parameters must not be registered twice

    def forward(
        self, source: torch.Tensor, target: torch.Tensor, noise: StepNoise
    ) -> tuple[torch.Tensor, torch.Tensor]:
        state, smoothing = self._parts
        hidden = state.model(source, target[:, :-1], noise=noise)
        return smoothed_cross_entropy(hidden, state.weights["embedding"], target[:, 1:].reshape(-1), smoothing)


class Evaluator:
    """Mean nll a target token over a corpus, with the averaged weights in a float32 copy of the model."""

    def __init__(self, config: TransformerConfig) -> None:
        self.model = Transformer(replace(config, precision="float32"))
        self._table = self.model.embedding.value

    def load(self, weights: dict[str, np.ndarray]) -> None:
        for name, variable in weights_by_name(self.model).items():
            _assign(variable.value, weights[name])

    @torch.no_grad()
    def token_nll(self, batch: Batch) -> np.ndarray:
        """nll [B, T] of each target token, zero at padding."""
        labels = torch.tensor(batch.target[:, 1:], dtype=torch.long, device=self._table.device)
        logits = self.model.logits(self.model(batch.source, batch.target[:, :-1], noise=NoNoise()))
        nll = functional.cross_entropy(logits, labels.reshape(-1), reduction="none", ignore_index=PAD)
        return nll.view(labels.shape).cpu().numpy()

    def mean_nll(self, corpus: Encoded, batch_tokens: int = 4096) -> float:
        total = tokens = 0.0
        for batch in in_order(corpus, batch_tokens):
            total, tokens = total + float(self.token_nll(batch).sum()), tokens + batch.target_tokens
        return total / tokens


class PyTorchBackend:
    """See `train.training.loop.Backend`."""

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
        """By measuring, as `train.backends.tensorflow.precision` does for TensorFlow."""
        faster = self._seconds(torch.bfloat16) < 0.8 * self._seconds(torch.float32)
        return "bfloat16" if faster else "float32"

    def _seconds(self, dtype: torch.dtype) -> float:
        x, w = (torch.ones(shape, dtype=dtype, device=self._device) for shape in ((2048, 256), (256, 1024)))
        best = float("inf")
        for _ in range(1 + TRIALS):
            began = time.perf_counter()
            float((x @ w).sum())  # waits for a GPU too
            best = min(best, time.perf_counter() - began)
        return best

    def make_state(self, config: TransformerConfig, seed: int) -> TrainState:
        model, token = Transformer(config, seed=seed), np.full((1, 2), PAD, np.int32)
        model(token, token, noise=NoNoise())  # Keras runs a layer twice at its first call: twice the calls for noise
        return TrainState(model)

    def make_evaluator(self, config: TransformerConfig) -> Evaluator:
        return Evaluator(config)

    def make_step(self, state: TrainState, hp: Hyperparameters, warmup: int) -> Step:
        objective: torch.nn.Module = _Objective(state, hp.label_smoothing)
        if self._hosts > 1:
            objective = torch.nn.parallel.DistributedDataParallel(objective)

        def step(corpus: Encoded, members: np.ndarray, number: int, stop: bool) -> tuple[float, float, bool]:
            torch.set_num_threads(THREADS)  # CTranslate2 may have validated since; other threads, other bits
            tokens = float(corpus.target_lengths[members].sum())  # of the global batch, which every host knows
            source, target = self._part(corpus, members[self._rank :: self._hosts])
            noise = StepNoise(hp.seed, number * self._hosts + self._rank)
            for weight in state.weights.values():
                weight.grad = None
            loss, nll = objective(source, target, noise)
            (loss * (self._hosts / tokens)).backward()  # DistributedDataParallel takes the mean over the hosts
            sums = torch.stack([nll.detach(), torch.tensor(float(stop), device=self._device)])
            if self._hosts > 1:
                torch.distributed.all_reduce(sums)
            gradients = {name: weight.grad for name, weight in state.weights.items() if weight.grad is not None}
            apply_gradients(state, gradients, number, hp, warmup)
            total, stops = sums.tolist()
            return total, tokens, bool(stops)

        return step

    def _part(self, corpus: Encoded, members: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch of `members`; one row of padding, which adds nothing, when there are none."""
        empty = Batch(np.full((1, 1), PAD, np.int32), np.full((1, 2), PAD, np.int32))
        batch = collate(corpus, members) if len(members) else empty
        return torch.tensor(batch.source, device=self._device), torch.tensor(batch.target, device=self._device)
