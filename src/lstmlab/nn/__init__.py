"""Networks made of cells."""

from collections.abc import Callable

from torch import nn

from lstmlab.nn.classifier import Classifier, ClassifierSettings
from lstmlab.nn.embedding import Embedding, EmbeddingSettings
from lstmlab.nn.pooling import POOLINGS, Pooling
from lstmlab.nn.recurrent import Recurrent, RecurrentSettings
from lstmlab.nn.regularisation import Options
from lstmlab.nn.summary import summary

ENCODERS: dict[str, Callable[[RecurrentSettings, int], nn.Module]] = {"recurrent": Recurrent.from_settings}
"""Name → what makes it from its settings and the inputs' size. An encoder maps (Padded, state) to (Padded, state)."""

__all__ = [
    "ENCODERS",
    "POOLINGS",
    "Classifier",
    "ClassifierSettings",
    "Embedding",
    "EmbeddingSettings",
    "Options",
    "Pooling",
    "Recurrent",
    "RecurrentSettings",
    "summary",
]
