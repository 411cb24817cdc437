"""One update of the weights in PyTorch: clipping, torch's Adam, and the moving average that is exported."""

from __future__ import annotations

import torch

from train.backends.schedule import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, average_share, learning_rate
from train.backends.state import TrainState
from train.job.hyperparameters import Hyperparameters


def make_adam(state: TrainState) -> torch.optim.Adam:
    """Adam on the weights of `state`. Its moments are those of `state`, so a checkpoint holds and restores them."""
    weights = {name: variable.value for name, variable in state.weights.items()}
    adam = torch.optim.Adam(weights.values(), betas=(ADAM_BETA_1, ADAM_BETA_2), eps=ADAM_EPSILON, fused=True)
    for name, weight in weights.items():
        moments = {"exp_avg": state.first[name].value, "exp_avg_sq": state.second[name].value}
        adam.state[weight] = {"step": torch.zeros((), device=weight.device), **moments}
    return adam


@torch.no_grad()
def apply_gradients(state: TrainState, adam: torch.optim.Adam, step: int, hp: Hyperparameters, warmup: int) -> None:
    """Clip `.grad` of all weights by their norm together, then one update of weights, moments and average.

    `step` counts updates from 1.
    """
    (group,) = adam.param_groups
    torch.nn.utils.clip_grad_norm_(group["params"], hp.clip_norm)
    group["lr"] = learning_rate(step, hp.learning_rate, warmup)
    for slots in adam.state.values():
        slots["step"].fill_(step - 1)  # a checkpoint says it once for all weights
    adam.step()
    share = average_share(step, hp)
    for name, weight in state.weights.items():
        state.average[name].value.lerp_(weight.value, share)
