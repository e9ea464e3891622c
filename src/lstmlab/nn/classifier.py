"""A text classifier: embedding, encoder, pooling, output layer."""

from typing import Literal

from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.errors import InputError
from lstmlab.kernels.weights import trim
from lstmlab.nn.embedding import Embedding, EmbeddingSettings, Measurements
from lstmlab.nn.encoder import EncoderSettings, make_encoder
from lstmlab.nn.pooling import Pooling, join, segment
from lstmlab.nn.ratios import MOST_BITS
from lstmlab.recipe import Settings
from lstmlab.types import Padded


class ClassifierSettings(Settings):
    """From tokens to the scores of the classes."""

    embedding: EmbeddingSettings = EmbeddingSettings()
    encoder: EncoderSettings = EncoderSettings()
    pooling: tuple[Literal["last", "max", "mean", "attention"], ...] = ("max", "mean")
    """How the outputs of all steps become one vector; several stand side by side."""
    segment_length: int | None = Field(default=None, ge=1)
    """Steps of the pieces long texts are cut into, which run side by side; null reads each text in one go."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Training: part of the pooled features set to zero before the output layer."""
    single_unit: bool = False
    """For two classes: one sigmoid unit instead of two softmax units."""

    @model_validator(mode="after")
    def _agrees(self) -> "ClassifierSettings":
        if not self.pooling or len(set(self.pooling)) < len(self.pooling):
            raise ValueError(f"pooling needs one or more different names, got {list(self.pooling)}")
        if self.segment_length is not None and "last" in self.pooling:
            raise ValueError(
                "pooling=last reads the end of a text, and with segment_length each segment starts anew, so that it "
                "would know the last segment only; take pooling=[max] (or mean, attention), or segment_length=null"
            )
        return self


class Classifier(nn.Module):
    """Token ids [B T], or with `features` measurements [B T F], to logits [B K].

    With one output [B 1] it is the logit of the second class (a sigmoid unit). Answers do not depend on batch size,
    order or padding. Raises InputError for `single_unit` without two classes.
    """

    def __init__(
        self,
        settings: ClassifierSettings,
        vocabulary_size: int,
        outputs: int,
        *,
        ratio_bits: int = MOST_BITS,
        features: int | None = None,
    ) -> None:
        super().__init__()
        if settings.single_unit and outputs > 2:
            raise InputError(f"single_unit=true is for two classes; this data has {outputs}")
        self.settings = settings
        self.embedding: Embedding | Measurements = (
            Embedding(settings.embedding, vocabulary_size, classes=outputs, ratio_bits=ratio_bits)
            if features is None
            else Measurements(features)
        )
        self.encoder = make_encoder(settings.encoder, self.embedding.output_size)
        self.pooling = Pooling(settings.pooling, self.encoder.output_size, len(self.encoder.directions))
        self.output = nn.Linear(self.pooling.output_size, 1 if settings.single_unit else outputs)

    def forward(self, inputs: Padded, hints: Padded | None = None) -> Float[Tensor, "B K"]:
        """Logits of each text. Training may bring hints [B T C] that were counted without the text itself."""
        inputs = trim(inputs)
        hints = self.embedding.hints(inputs) if hints is None else trim(hints)
        length = self.settings.segment_length
        if length is None:
            vectors = self.embedding(inputs, hints)
        else:
            vectors = self.embedding(segment(inputs, length)[0], None if hints is None else segment(hints, length)[0])
        outputs, _ = self.encoder(vectors, final_state=False)
        features = self.pooling(outputs if length is None else join(outputs, inputs.lengths))
        return self.output(functional.dropout(features, self.settings.dropout, self.training))
