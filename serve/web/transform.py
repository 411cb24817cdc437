"""What a batch transform job should send at a time (SageMaker: GET /execution-parameters)."""

from __future__ import annotations

from typing_extensions import TypedDict

TRANSFORM_MB = 100  # SageMaker: MaxConcurrentTransforms x MaxPayloadInMB is at most this
PAYLOAD_MB = 6  # SageMaker's default
MEMORY_PER_BODY = 64  # bytes, at the peak, for a byte of body: its sentences, their tokens, their translations


class ExecutionParameters(TypedDict):
    """The answer, with the names that SageMaker gave."""

    MaxConcurrentTransforms: int
    BatchStrategy: str
    MaxPayloadInMB: int


def execution_parameters(cpus: int, memory: int, max_body_mb: int, max_requests: int) -> ExecutionParameters:
    """The largest and the most bodies that this container takes at the same time.

    Two requests for each vCPU, so that one is read while the other is decoded. Never more than the limits of the
    server let through (`max_body_mb` 0 is no limit), and never more than half of `memory` (bytes) holds.
    """
    bodies_mb = max(1, memory // 2 // MEMORY_PER_BODY // 2**20)  # of all bodies that are in work together
    payload = min(PAYLOAD_MB, max_body_mb or PAYLOAD_MB, bodies_mb)
    concurrent = max(1, min(2 * cpus, max_requests, min(TRANSFORM_MB, bodies_mb) // payload))
    return {"MaxConcurrentTransforms": concurrent, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": payload}
