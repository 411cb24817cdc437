"""What `train` and `serve` both use: the SageMaker contract, the model directory, clean-up of text, and errors."""
