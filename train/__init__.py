"""Text in, model directory out: one file a stage, read in this order.

corpus -> tokenizer -> batches -> model -> loop -> checkpoints -> evaluate -> export -> report
"""
