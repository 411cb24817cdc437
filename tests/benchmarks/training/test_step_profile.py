"""The profile knows the purpose of each operation of the compiled step."""

from __future__ import annotations

import pytest

from benchmarks.training.step_profile import HOLDS_OTHERS, OPERATION, purpose_of

LAYER = "gradient_tape/transformer_1/decoder_0_1"


@pytest.mark.parametrize(
    ("name", "type_of_operation", "purpose"),
    [
        (f"{LAYER}/ffn_1/inner_1/MatMul", "MatMul", "matrix products of the layers"),
        (f"{LAYER}/self_attention_1/output_1/add", "_MklNativeFusedMatMul", "matrix products of the layers"),
        (f"{LAYER}/self_attention_1/MatMul_1", "_MklBatchMatMulV2", "attention (scores, softmax, context, heads)"),
        ("softmax_part", "XLA", "softmax and loss"),
        (f"{LAYER}/self_attention_1/MatMul", "BatchMatMulV2", "attention (scores, softmax, context, heads)"),
        (f"{LAYER}/cross_norm_1/Mean", "Mean", "layer norm"),
        (f"{LAYER}/SelectV2", "SelectV2", "dropout"),
        ("while/body/MatMul", "MatMul", "matrix products of the vocabulary"),
        ("while/body/add", "AddV2", "softmax and loss"),
        ("transformer_1/GatherV2", "GatherV2", "embedding"),
        ("AssignSubVariableOp_3", "AssignSubVariableOp", "optimizer, clipping, average"),
    ],
)
def test_purposes(name: str, type_of_operation: str, purpose: str) -> None:
    assert purpose_of(name, type_of_operation) == purpose


def test_only_operations_are_counted_and_none_twice() -> None:
    found = OPERATION.match("while/body/MatMul:MatMul")
    assert found and (found["name"], found["type"]) == ("while/body/MatMul", "MatMul")
    assert not OPERATION.match("ExecutorState::Process")
    assert HOLDS_OTHERS.search("StatelessWhile") and not HOLDS_OTHERS.search("MatMul")
