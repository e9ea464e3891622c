"""The study of gradients: how far back they reach in untrained cells, what a forget bias is for, what clipping does."""

from lstmlab.analysis.clipping import UPDATES, clipping_section
from lstmlab.analysis.untrained import Told, biases_section, measure, norms_section, silent
from lstmlab.report import Section


def gradient_study(
    seeds: int = 3, steps: int = 200, *, size: float = 1.0, updates: int = UPDATES, told: Told = silent
) -> list[Section]:
    """RNN, LSTM and GRU by the norm of their recurrent weights and by the bias of what keeps their memory, over `steps`
    steps of inputs with standard deviation `size`; then trainings of `updates` updates with and without clipping.

    `told` hears what is being measured. Takes about a minute on one core. Writes nothing.
    """
    measured = measure(seeds, steps, size=size, told=told)
    return [norms_section(measured), biases_section(measured), clipping_section(seeds, updates, told)]
