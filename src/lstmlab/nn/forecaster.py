"""Forecasters: a window of the past, read step by step or segment by segment, to the steps that follow it.

Letters in shapes: B batch, T steps read, S steps forecast, C values forecast together, X numbers a step brings in all,
F numbers known ahead, Q numbers said of each forecast value, H hidden.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from lstmlab.nn.encoder import EncoderSettings, make_encoder, refuse_stateless
from lstmlab.nn.head import HeadSettings
from lstmlab.nn.recurrent import Recurrent
from lstmlab.nn.stepping import Stepping, split
from lstmlab.types import Padded

Strategy = Literal["recursive", "direct", "decoder", "parallel"]


class ForecasterSettings(HeadSettings):
    """From windows to forecasts."""

    encoder: EncoderSettings = EncoderSettings(hidden_size=50, bidirectional=False)
    strategy: Strategy = "recursive"
    """How further steps are forecast. recursive: one step at a time, the window ending with the forecast before it;
    direct: all steps at once from the last output; decoder: a second recurrent stack, fed with the value before;
    parallel: every segment in one step from the encoder's last state, told its place (SegRNN, Lin et al. 2023)."""
    segment: int = Field(default=1, ge=1)
    """Time steps that one recurrent step reads, and in parallel writes, together (Lin et al. 2023)."""
    normalise: Literal["none", "last", "standard"] = "none"
    """Each window before it is read: as it is; less its last value; or to mean 0 and deviation 1 (Kim et al. 2022,
    without weights). Forecasts are put back."""
    growth: float = Field(default=0.0, ge=0, le=2)
    """Direct and parallel, with normalise=last: what is said of step s of S is multiplied by (s / S) to this power.
    What a series moves by from its last value grows with the steps ahead, that of a random walk with 0.5."""
    highway: int = Field(default=0, ge=0)
    """Direct and parallel: the last so many values also go straight into the forecast through one linear layer, the
    same for all values (LSTNet, Lai et al. 2018); 0 leaves it out."""
    change: bool = False
    """Recursive: forecast the change from the last value instead of the value itself."""
    input_noise: float = Field(default=0.0, ge=0)
    """Training: standard deviation of Gaussian noise added to the inputs, in scaled units."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of the features set to zero before the layer that reads them out."""
    series_size: int = Field(default=0, ge=0)
    """Numbers learned for each series, so that one model can tell many apart; 0 learns none."""

    @model_validator(mode="after")
    def _agrees(self) -> "ForecasterSettings":
        if self.strategy in ("decoder", "parallel"):
            if self.encoder.bidirectional:
                raise ValueError(
                    f"strategy={self.strategy} goes on from where the encoder ends: set bidirectional=false"
                )
            refuse_stateless(self.encoder, f"strategy={self.strategy} goes on", "strategy=direct")
        if self.segment > 1 and self.strategy == "recursive":
            raise ValueError("strategy=recursive forecasts one step at a time: a segment of several needs another")
        if self.series_size >= self.encoder.hidden_size:
            raise ValueError(
                f"series_size ({self.series_size}) has to be less than hidden_size ({self.encoder.hidden_size})"
            )
        return self

    def idle(self) -> dict[str, str]:
        """What belongs to another strategy."""
        reasons = super().idle()
        if self.strategy != "recursive":
            reasons["change"] = f"it belongs to strategy=recursive, and strategy is {self.strategy}"
        if self.normalise != "last":
            reasons["growth"] = f"it is about changes from the last value, and normalise is {self.normalise}"
        if self.strategy in ("recursive", "decoder"):
            told = f"it is for all steps at once, and strategy is {self.strategy}"
            reasons |= dict.fromkeys(("growth", "highway"), told)
        return reasons


@dataclass(frozen=True)
class Sizes:
    """What the data decides about a forecaster."""

    channels: int = 1
    """Values forecast together."""
    beside: int = 0
    """Numbers that stand beside them at every step read: masks and past covariates."""
    ahead: int = 0
    """Numbers known ahead, at every step read and at every step forecast."""
    horizon: int = 1
    """Steps forecast."""
    series: int = 0
    """Series seen in training."""


class Forecaster(nn.Module):
    """Windows [B T X] to `sizes.horizon` steps, or with strategy=recursive to any number of steps: [B S C Q].

    The numbers of a step are its values (of a missing one the value before it), what stands beside them, and what is
    known ahead.
    """

    def __init__(self, settings: ForecasterSettings, sizes: Sizes = Sizes()) -> None:
        super().__init__()
        self.settings, self.sizes = settings, sizes
        hidden, said = settings.encoder.hidden_size, sizes.channels * settings.said
        step = sizes.channels + sizes.beside + sizes.ahead
        # Steps read together, and steps that have to look like those read, are brought to the size of the state.
        self.enter = nn.Linear(settings.segment * step, hidden) if self._projects else None
        self.encoder = make_encoder(settings.encoder, hidden if self._projects else step)
        self.series = nn.Embedding(sizes.series, settings.series_size) if settings.series_size else None
        self.decoder: Recurrent | None = None
        self.places: nn.Embedding | None = None
        self.plan: nn.Linear | None = None
        features = self.encoder.output_size
        if settings.strategy == "decoder":
            fed = sizes.channels + sizes.ahead + settings.series_size
            self.decoder = Recurrent.from_settings(settings.encoder, fed)
        elif settings.strategy == "parallel":
            said *= settings.segment
            self.places = nn.Embedding(-(-sizes.horizon // settings.segment), hidden - settings.series_size)
            self.plan = nn.Linear(settings.segment * sizes.ahead, hidden) if sizes.ahead else None
        else:
            features += settings.series_size
            if settings.strategy == "direct":
                self.plan = nn.Linear(sizes.ahead, said) if sizes.ahead else None
                said *= sizes.horizon
        self.output = nn.Linear(features, said)
        self.highway = nn.Linear(settings.highway, sizes.horizon) if settings.highway else None
        if self.highway is not None:
            nn.init.zeros_(self.highway.weight)  # it begins by saying nothing

    @property
    def _projects(self) -> bool:
        return self.settings.segment > 1 or self.settings.strategy == "parallel"

    def forward(
        self,
        inputs: Padded,
        steps: int,
        *,
        ahead: Float[Tensor, "B S F"] | None = None,
        series: Int[Tensor, "B"] | None = None,
        truth: Float[Tensor, "B S C"] | None = None,
        forced: float = 1.0,
    ) -> Float[Tensor, "B S C Q"]:
        """Forecasts of `steps` steps. In training a decoder is fed the share `forced` of the truth it knows."""
        who = self._who(series, len(inputs.lengths), inputs.values)
        if self.settings.strategy == "recursive":
            return self._recursive(inputs, steps, ahead, who)
        inputs, shift, scale = self._normalised(inputs)
        if self.settings.strategy == "decoder":
            known = None if truth is None else (truth - shift) / scale
            said = self._decoded(inputs, steps, ahead, who, known, forced)
        else:
            said = self._grown(self._at_once(inputs, ahead, who)[:, :steps])
            said = said if self.highway is None else self._straight(said, inputs.values)
        return self.settings.restored(said, shift, scale)

    def _normalised(self, inputs: Padded) -> tuple[Padded, Tensor, Tensor]:
        """Windows as they are read, in training with noise; what their values were shifted and scaled by [B 1 C]."""
        values, channels = inputs.values, self.sizes.channels
        own, rest = values[..., :channels], values[..., channels:]
        shift, scale = torch.zeros_like(own[:, -1:]), torch.ones_like(own[:, -1:])
        if self.settings.normalise == "last":
            shift = own[:, -1:]
        elif self.settings.normalise == "standard":
            shift = own.mean(1, keepdim=True)
            scale = (own.var(1, keepdim=True, correction=0) + 1e-5).sqrt()
        if self.settings.normalise != "none":
            values = torch.cat([(own - shift) / scale, rest], -1)
        if self.training and self.settings.input_noise:
            values = values + self.settings.input_noise * torch.randn_like(values)
        return replace(inputs, values=values), shift, scale

    def _who(self, series: Tensor | None, rows: int, like: Tensor) -> Tensor:
        """The numbers of each row's series [B E]; a series that training never saw (-1) has the mean of all."""
        if self.series is None:
            return like.new_zeros(rows, 0)
        mean = self.series.weight.mean(0)
        if series is None:
            return mean.expand(rows, -1)
        return torch.where((series >= 0)[:, None], self.series(series.clamp(min=0)), mean)

    def _read(self, inputs: Padded) -> Padded:
        """Steps as the encoder reads them: several together where there are segments, the oldest left over unread."""
        if self.enter is None:
            return inputs
        size = self.settings.segment
        values = inputs.values[:, inputs.values.shape[1] % size :]
        joined = values.unflatten(1, (-1, size)).flatten(2)
        return Padded(torch.relu(self.enter(joined)), torch.full_like(inputs.lengths, joined.shape[1]))

    def _out(self, features: Tensor) -> Tensor:
        return self.output(functional.dropout(features, self.settings.dropout, self.training))

    def _at_once(self, inputs: Padded, ahead: Tensor | None, who: Tensor) -> Tensor:
        """All steps from what the encoder ends with."""
        outputs, end = self.encoder(self._read(inputs), final_state=self.places is not None)
        channels, said = self.sizes.channels, self.settings.said
        if self.places is None:
            told = self._out(torch.cat([outputs.last, who], -1)).view(len(who), -1, channels, said)
            if ahead is None or self.plan is None:
                return told
            told = told[:, : ahead.shape[1]]
            return told + self.plan(ahead).view_as(told)
        assert end is not None
        count, rows = len(self.places.weight), len(who)
        places = self.places.weight.expand(rows, -1, -1)
        asked = torch.cat([places, who[:, None].expand(-1, count, -1)], -1)
        if ahead is not None and self.plan is not None:
            missing = count * self.settings.segment - ahead.shape[1]
            ahead = functional.pad(ahead, (0, 0, 0, missing))
            asked = asked + self.plan(ahead.unflatten(1, (count, -1)).flatten(2))
        begin = end.map(lambda value: value.repeat_interleave(count, 1))
        one = torch.ones(rows * count, dtype=torch.long, device=asked.device)
        found, _ = self.encoder(Padded(asked.flatten(0, 1)[:, None], one), begin, final_state=False)
        return self._out(found.values[:, 0]).view(rows, -1, channels, said)

    def _grown(self, said: Tensor) -> Tensor:
        """What was said, larger the further ahead."""
        if not self.settings.growth or self.settings.normalise != "last":
            return said
        at = torch.arange(1, said.shape[1] + 1, dtype=said.dtype, device=said.device)
        scale = ((at / self.sizes.horizon) ** self.settings.growth)[None, :, None]
        return self.settings.restored(said, torch.zeros_like(scale), scale)

    def _straight(self, said: Tensor, values: Tensor) -> Tensor:
        """What was said, moved by what the last values say themselves."""
        assert self.highway is not None
        last = values[:, -self.settings.highway :, : self.sizes.channels].transpose(1, 2)
        moved = self.highway(last).transpose(1, 2)[:, : said.shape[1], :, None]
        return self.settings.restored(said, moved[..., 0], 1.0)

    def _recursive(self, inputs: Padded, steps: int, ahead: Tensor | None, who: Tensor) -> Tensor:
        """Step by step, each window ending with the forecast before it, and normalised for itself."""
        values, channels, said = inputs.values, self.sizes.channels, []
        for step in range(steps):
            window, shift, scale = self._normalised(replace(inputs, values=values))
            outputs, _ = self.encoder(window, final_state=False)
            told = self._out(torch.cat([outputs.last, who], -1)).view(len(who), 1, channels, -1)
            if self.settings.change:
                told = self.settings.restored(told, window.values[:, -1:, :channels], 1.0)
            said.append(self.settings.restored(told, shift, scale))
            # What stands beside is masks alone (see tasks): a forecast is there.
            new = [self.settings.middle(said[-1]), values.new_ones(len(who), 1, self.sizes.beside)]
            known = [] if ahead is None else [ahead[:, step : step + 1]]
            values = torch.cat([values[:, 1:], torch.cat([*new, *known], -1)], 1)
        return torch.cat(said, 1)

    def _decoded(
        self,
        inputs: Padded,
        steps: int,
        ahead: Tensor | None,
        who: Tensor,
        truth: Tensor | None,
        forced: float,
    ) -> Tensor:
        """Step by step, going on from the encoder's last state."""
        assert self.decoder is not None
        _, end = self.encoder(self._read(inputs))
        assert end is not None
        stepping, states = Stepping(self.decoder, len(who)), split(end, self.decoder.num_layers)
        before, said = inputs.values[:, -1, : self.sizes.channels], []
        for step in range(steps):
            known = [before, *([ahead[:, step]] if ahead is not None else []), who]
            outputs, states = stepping(torch.cat(known, -1), states, step)
            said.append(self._out(outputs).view(len(who), self.sizes.channels, -1))
            before = self._fed(self.settings.middle(said[-1]), truth, step, forced)
        return torch.stack(said, 1)

    def _fed(self, own: Tensor, truth: Tensor | None, step: int, forced: float) -> Tensor:
        """What the next step is told of this one: the truth in training, or for a share of the rows the forecast."""
        if truth is None or not self.training or forced <= 0:
            return own
        true = truth[:, step]
        keep = ~true.isnan()
        if forced < 1:
            keep = keep & (torch.rand(len(own), 1, device=own.device) < forced)
        return torch.where(keep, true.nan_to_num(), own)

    def extra_repr(self) -> str:
        """Strategy and sizes."""
        return f"{self.settings.strategy}, {self.sizes.horizon} steps of {self.sizes.channels}"
