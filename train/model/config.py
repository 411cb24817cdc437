"""The shape of a model. This file does not import Keras."""

from __future__ import annotations

from dataclasses import dataclass

from train.job.hyperparameters import Hyperparameters

LAYER_NORM_EPSILON = 1e-6  # CTranslate2's default is 1e-5, Keras's 1e-3: declared here and written to the export


@dataclass(frozen=True)
class TransformerConfig:
    """The shape of a model. `precision` is the compute type; weights are always float32."""

    vocab_size: int
    d_model: int = 256
    ffn_dim: int = 1024
    n_heads: int = 4
    encoder_layers: int = 3
    decoder_layers: int = 3
    dropout_rate: float = 0.1
    word_dropout: float = 0.0
    precision: str = "float32"  # or "bfloat16"

    @property
    def dtype_policy(self) -> str:
        return "mixed_bfloat16" if self.precision == "bfloat16" else "float32"

    @property
    def alignment_layer(self) -> int:
        """The decoder layer whose attention aligns words: the one before the last aligns best.

        Garg et al. 2019, "Jointly Learning to Align and Translate with Transformer Models"; here too, see
        benchmarks/serving/alignment.py.
        """
        return max(0, self.decoder_layers - 2)


def model_config(hp: Hyperparameters, vocab_size: int, precision: str) -> TransformerConfig:
    """The shape that the hyperparameters give to a model; precision is "float32" or "bfloat16"."""
    return TransformerConfig(
        vocab_size=vocab_size,
        d_model=hp.d_model,
        ffn_dim=hp.ffn_dim,
        n_heads=hp.n_heads,
        encoder_layers=hp.encoder_layers or hp.n_layers,
        decoder_layers=hp.decoder_layers or hp.n_layers,
        dropout_rate=hp.dropout_rate,
        word_dropout=hp.word_dropout,
        precision=precision,
    )
