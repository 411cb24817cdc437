"""The ground that `train` and `serve` both stand on: the SageMaker contract and the model directory."""
