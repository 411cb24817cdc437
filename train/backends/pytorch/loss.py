"""The loss in PyTorch: label-smoothed cross-entropy, chunk by chunk."""

from __future__ import annotations

from typing import Any

import torch

from container.vocabulary import PAD

CHUNK = 512  # rows: 512 x 8,000 logits in float32 are 16 MB


def smoothed_cross_entropy(
    hidden: torch.Tensor, table: torch.Tensor, labels: torch.Tensor, smoothing: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum over the unpadded tokens of the smoothed loss (to be minimised) and of the plain one (to be reported).

    hidden [N, D] in the compute type, table [V, D] float32 (the tied embedding), labels [N] integers.
    The formula is that of `train.backends.tensorflow.loss`. Differentiable once, in `hidden` and `table`; only one
    chunk of the [N, V] logits is in memory at a time.
    """
    loss, nll = _Fused.apply(hidden, table, labels.long(), smoothing)
    return loss, nll


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, hidden: torch.Tensor, table: torch.Tensor, labels: torch.Tensor, smoothing: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        compute_table = table.to(hidden.dtype)
        d_hidden, d_table = torch.empty_like(hidden), torch.zeros_like(table)
        loss = nll = torch.zeros((), device=hidden.device)
        for start in range(0, len(labels), CHUNK):
            h, y = hidden[start : start + CHUNK], labels[start : start + CHUNK]
            kept = (y != PAD).float()
            log_p = torch.log_softmax((h @ compute_table.T).float(), dim=1)
            of_label = -log_p.gather(1, y[:, None])[:, 0]
            nll = nll + (of_label * kept).sum()
            loss = loss + (((1 - smoothing) * of_label - smoothing * log_p.mean(dim=1)) * kept).sum()
            d_logits = log_p.exp_().sub_(smoothing / log_p.shape[1])
            d_logits.scatter_add_(1, y[:, None], torch.full_like(d_logits[:, :1], smoothing - 1))
            d_logits = d_logits.mul_(kept[:, None]).to(hidden.dtype)
            d_hidden[start : start + CHUNK] = d_logits @ compute_table
            d_table += (d_logits.T @ h).float()
        context.save_for_backward(d_hidden, d_table)
        context.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    def backward(context: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        d_hidden, d_table = context.saved_tensors
        d_loss = gradients[0]
        return d_hidden * d_loss.to(d_hidden.dtype), d_table * d_loss, None, None
