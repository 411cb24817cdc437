"""The type that computes fastest, found by a measurement."""

from __future__ import annotations

import time
from typing import Any

import pytest
from keras import backend as keras_backend
from keras import ops

from tests.train.frameworks import backend
from train.backends.precision import fastest_precision


@pytest.mark.parametrize(
    ("milliseconds", "fastest"), [({"bfloat16": 2, "float32": 20}, "bfloat16"), ({"bfloat16": 20}, "float32")]
)
def test_bfloat16_is_taken_where_it_is_clearly_faster(milliseconds: dict[str, int], fastest: str) -> None:
    def multiply(x: Any, w: Any) -> Any:
        """Takes as long as it is told, and does nothing."""
        ends = time.perf_counter() + milliseconds.get(keras_backend.standardize_dtype(x.dtype), 20) / 1000
        while time.perf_counter() < ends:
            pass
        return ops.ones(())

    assert fastest_precision(multiply) == fastest


def test_a_backend_measures_its_own_products() -> None:
    assert backend().fastest_precision() in {"float32", "bfloat16"}
