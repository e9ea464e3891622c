"""The recurrent layer: it owns weights, depth, directions, dropout and residual paths; a kernel runs the time loop.

Letters in shapes: B batch, T steps, F features, H hidden, D directions, L layers.
"""

from collections.abc import Iterable
from dataclasses import replace

import torch
from pydantic import Field, model_validator
from torch import nn
from torch.nn import functional

from lstmlab import kernels
from lstmlab.cells import CELLS, Cell, State, find_cell
from lstmlab.errors import unknown
from lstmlab.kernels.weights import Weights, trim, untrim
from lstmlab.nn.direction import Direction, Initialisation, copy_from_torch, copy_to_torch, torch_module
from lstmlab.recipe import Settings
from lstmlab.types import Padded

DIRECTIONS = ("forwards", "backwards")


class RecurrentSettings(Settings):
    """A stack of recurrent layers."""

    cell: str = "lstm"
    """Which recurrence: a name from the shelf of cells."""
    hidden_size: int = Field(default=128, ge=1)
    """Units of each direction of each layer."""
    num_layers: int = Field(default=1, ge=1)
    """Layers, each reading the outputs of the one below."""
    bidirectional: bool = True
    """Read every sequence from its end as well; both directions' outputs stand side by side."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Between layers: part of the outputs set to zero in training."""
    residual: bool = False
    """From the second layer on, add a layer's input to its output."""
    initialisation: Initialisation = "torch"
    """torch: all numbers uniform in ±1/√hidden_size; orthogonal: Glorot and orthogonal matrices, the cell's biases."""
    forget_bias: float | None = None
    """Where the forget gate's bias starts; null leaves that to the initialisation."""
    second_bias: bool = False
    """Give each gate a second bias, as torch's own layers do: under Adam the bias then learns twice as fast."""

    @model_validator(mode="after")
    def _known(self) -> "RecurrentSettings":
        if self.cell not in CELLS:
            raise ValueError(str(unknown("cell", self.cell, CELLS)))
        return self

    def idle(self) -> dict[str, str]:
        """Depth settings of a single layer, and a forget bias without a forget gate."""
        reasons = {}
        if self.num_layers == 1:
            reasons = {name: "it works between layers, and num_layers is 1" for name in ("dropout", "residual")}
        if self.cell in CELLS and "forget" not in CELLS[self.cell].gates:
            reasons["forget_bias"] = f'the cell "{self.cell}" has no forget gate'
        return reasons


class Recurrent(nn.Module):
    """`Recurrent("lstm", input_size, hidden_size)` maps inputs [B T F] and a state to outputs [B T DH] and a state.

    A state's tensors are [LD B H], layer by layer, the direction reading forwards before the one reading backwards, as
    torch has them. Takes a Cell as well as a name. Raises InputError for an unknown cell.
    """

    def __init__(
        self,
        cell: str | Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        *,
        dropout: float = 0.0,
        residual: bool = False,
        second_bias: bool = False,
    ) -> None:
        super().__init__()
        self.cell = find_cell(cell)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bidirectional, self.dropout, self.residual = bidirectional, dropout, residual
        self.directions = DIRECTIONS if bidirectional else DIRECTIONS[:1]
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    name: Direction(
                        self.cell, self.output_size if layer else input_size, hidden_size, second_bias=second_bias
                    )
                    for name in self.directions
                }
            )
            for layer in range(num_layers)
        )
        self.initialise()

    @classmethod
    def from_settings(cls, settings: RecurrentSettings, input_size: int) -> "Recurrent":
        """The stack the settings describe."""
        made = cls(
            settings.cell,
            input_size,
            settings.hidden_size,
            settings.num_layers,
            settings.bidirectional,
            dropout=settings.dropout,
            residual=settings.residual,
            second_bias=settings.second_bias,
        )
        if settings.initialisation != "torch" or settings.forget_bias is not None:
            made.initialise(settings.initialisation, settings.forget_bias)
        return made

    @property
    def output_size(self) -> int:
        """Features of an output: the units of all directions."""
        return self.hidden_size * len(self.directions)

    @property
    def causal(self) -> bool:
        """Whether an output depends on the past alone."""
        return not self.bidirectional

    def initialise(self, how: Initialisation = "torch", forget_bias: float | None = None) -> None:
        """Draw all weights anew; see RecurrentSettings.initialisation."""
        for one in self._all():
            one.initialise(how, forget_bias)

    def weights(self, layer: int = 0, direction: str = "forwards") -> Weights:
        """One direction's weights; `.gate(cell, "forget")` gives one gate's."""
        return self._direction(layer, self.directions.index(direction)).weights

    def forward(
        self, inputs: Padded, state: State | None = None, *, final_state: bool = True
    ) -> tuple[Padded, State | None]:
        """Outputs, zero past each row's length, and each row's state after its last step (backwards: its first).

        `final_state=False` saves the work where nobody asks for it; the state is then None.
        """
        self._check(inputs, state)
        whole, inputs = inputs, trim(inputs)
        ends: list[State | None] = []
        for layer in range(self.num_layers):
            fed = inputs
            if layer and self.training and self.dropout:
                fed = replace(inputs, values=functional.dropout(inputs.values, self.dropout))
            outputs, last = self._layer(layer, fed, state, final_state)
            ends += last
            inputs = replace(outputs, values=inputs.values + outputs.values) if self.residual and layer else outputs
        last_state = _stack([end for end in ends if end is not None]) if final_state else None
        return untrim(inputs, whole.values.shape[1]), last_state

    def load_torch(self, module: nn.RNNBase) -> None:
        """Take over the weights of torch's own layer, by gate name; its two biases are added up."""
        sizes = (module.input_size, module.hidden_size, module.num_layers, module.bidirectional)
        ours = (self.input_size, self.hidden_size, self.num_layers, self.bidirectional)
        if sizes != ours:
            raise ValueError(f"input_size, hidden_size, num_layers, bidirectional: got {sizes}, expected {ours}")
        copy_from_torch(module, self.cell, self._direction)

    def to_torch(self) -> nn.RNNBase:
        """torch's own layer with these weights (batch first)."""
        if self.residual and self.num_layers > 1:
            raise ValueError("torch's layers have no residual path")
        module = torch_module(
            self.cell,
            input_size=self.input_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
        )
        module.to(self.weights().bias)
        copy_to_torch(module, self.cell, self._direction)
        return module.train(self.training)

    def extra_repr(self) -> str:
        """Cell and sizes."""
        return f"{self.cell.name}, {self.input_size} to {self.output_size}"

    def _direction(self, layer: int, direction: int) -> Direction:
        return self.layers[layer][self.directions[direction]]  # type: ignore[index]

    def _all(self) -> Iterable[Direction]:
        return (self._direction(layer, d) for layer in range(self.num_layers) for d in range(len(self.directions)))

    def _layer(
        self, layer: int, inputs: Padded, state: State | None, final_state: bool
    ) -> tuple[Padded, list[State | None]]:
        outputs, ends = [], []
        for direction in range(len(self.directions)):
            begin = self._begin(state, layer * len(self.directions) + direction)
            weights = self._direction(layer, direction).weights
            read, end = kernels.run(self.cell, inputs, weights, begin, final_state=final_state, reversed=direction == 1)
            outputs.append(read.values)
            ends.append(end)
        return Padded(torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0], inputs.lengths), ends

    def _begin(self, state: State | None, at: int) -> State | None:
        return None if state is None else state.map(lambda value: value[at])

    def _check(self, inputs: Padded, state: State | None) -> None:
        shape = tuple(inputs.values.shape)
        if len(shape) != 3 or shape[2] != self.input_size:
            raise ValueError(f"expected inputs [B T {self.input_size}], got {list(shape)}")
        if state is None:
            return
        wanted = (self.num_layers * len(self.directions), shape[0], self.hidden_size)
        for name in self.cell.states:
            if tuple(state[name].shape) != wanted:
                raise ValueError(f"expected a state {name} of {list(wanted)}, got {list(state[name].shape)}")


def _stack(states: list[State]) -> State:
    return State(**{name: torch.stack([state[name] for state in states]) for name in states[0].names})
