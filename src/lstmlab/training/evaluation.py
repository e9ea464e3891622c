"""What a model says of a whole part of the data, and what that costs it."""

import numpy as np
import torch
from torch import nn

from lstmlab.data.batches import Batches
from lstmlab.errors import InputError
from lstmlab.tasks.task import Continuous, Encoded, Task

EVALUATION_BATCH = 256
EVALUATION_STEPS = 128 * 1024
"""Padded steps in a batch of evaluation at most, which bounds the memory very long texts take."""


@torch.inference_mode()
def evaluate(
    model: nn.Module, task: Task, encoded: Encoded, device: torch.device
) -> tuple[np.ndarray, np.ndarray, int]:
    """Outputs [N …] and summed loss [N] of every example, in their order, and what the losses sum over in all.

    The loss is NaN where an example has no target.
    """
    if isinstance(task, Continuous):
        return task.read(model, encoded)
    model.eval()
    outputs: list[np.ndarray] = [np.empty(0)] * len(encoded)
    losses, count = np.full(len(encoded), np.nan, np.float64), 0
    batches = Batches(encoded.lengths, batch_size=EVALUATION_BATCH, tokens=EVALUATION_STEPS, seed=0)
    for index in batches.in_order():
        batch = task.collate(encoded, index).to(device)
        result = task.outputs(model, batch)
        for place, row in zip(index, result.cpu().numpy(), strict=True):
            outputs[place] = row
        if batch.targets is not None:
            loss = task.loss(result, batch)
            losses[index] = loss.rows.cpu().numpy()
            count += loss.count
    if not outputs:
        raise InputError("nothing to evaluate: no examples")
    return np.stack(outputs), losses, count
