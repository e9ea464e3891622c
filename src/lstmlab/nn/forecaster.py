"""A recurrent forecaster: the last output through a linear unit, fed with its own forecasts beyond the first step."""

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from lstmlab.nn.recurrent import Recurrent, RecurrentSettings
from lstmlab.recipe import Settings
from lstmlab.types import Padded


class ForecasterSettings(Settings):
    """A recurrent layer and a linear unit."""

    encoder: RecurrentSettings = RecurrentSettings(hidden_size=50, bidirectional=False)
    change: bool = False
    """Forecast the change from the last value instead of the value itself."""
    input_noise: float = Field(default=0.0, ge=0)
    """Training: standard deviation of Gaussian noise added to the inputs, in scaled units."""


class Forecaster(nn.Module):
    """Windows [B T 1] to the next `steps` values [B steps]."""

    def __init__(self, settings: ForecasterSettings) -> None:
        super().__init__()
        self.settings = settings
        self.encoder = Recurrent.from_settings(settings.encoder, 1)
        self.output = nn.Linear(self.encoder.output_size, 1)

    def forward(self, inputs: Padded, steps: int = 1) -> Float[Tensor, "B S"]:
        """Forecasts, each step's window ending with the forecast before it."""
        values = inputs.values
        if self.training and self.settings.input_noise:
            values = values + self.settings.input_noise * torch.randn_like(values)
        forecasts: list[Tensor] = []
        for _ in range(steps):
            forecast = self._next(Padded(values, inputs.lengths))
            forecasts.append(forecast)
            values = torch.cat([values[:, 1:], forecast[:, None]], 1)
        return torch.cat(forecasts, 1)

    def _next(self, window: Padded) -> Float[Tensor, "B 1"]:
        outputs, _ = self.encoder(window, final_state=False)
        forecast = self.output(outputs.last)
        return forecast + window.last if self.settings.change else forecast
