"""Networks made of cells."""

from lstmlab.nn.classifier import Classifier, ClassifierSettings
from lstmlab.nn.convolution import Convolution
from lstmlab.nn.embedding import Embedding, EmbeddingSettings
from lstmlab.nn.encoder import ENCODERS, Encoder, EncoderSettings
from lstmlab.nn.pooling import POOLINGS, Pooling
from lstmlab.nn.recurrent import Recurrent, RecurrentSettings
from lstmlab.nn.regularisation import Options
from lstmlab.nn.summary import count_parameters, summary
from lstmlab.nn.transformer import Transformer

__all__ = [
    "ENCODERS",
    "POOLINGS",
    "Classifier",
    "ClassifierSettings",
    "Convolution",
    "Embedding",
    "EmbeddingSettings",
    "Encoder",
    "EncoderSettings",
    "Options",
    "Pooling",
    "Recurrent",
    "RecurrentSettings",
    "Transformer",
    "count_parameters",
    "summary",
]
