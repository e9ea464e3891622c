"""The recurrent layer: it owns weights, depth, directions, dropouts and residual paths; a kernel runs the time loop.

Letters in shapes: B batch, T steps, F features, H hidden, D directions, L layers.
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import nn
from torch.nn import functional

from lstmlab import kernels
from lstmlab.cells import Cell, State, find_cell, own
from lstmlab.errors import InputError
from lstmlab.kernels.weights import Weights, trim, untrim
from lstmlab.nn import conversion, initialisation, regularisation
from lstmlab.nn.direction import Direction
from lstmlab.nn.initialisation import CHRONO_STEPS, How, Initialisation
from lstmlab.nn.regularisation import LayerNorm, Options
from lstmlab.recipe import Settings
from lstmlab.types import Padded

DIRECTIONS = ("forwards", "backwards")


class RecurrentSettings(Settings):
    """A stack of recurrent layers. Dropouts and zoneout work in training; zoneout takes its mean elsewhere."""

    cell: str = "lstm"
    """Which recurrence: a name that `lstmlab cells` lists, or one's own as FILE.py:NAME."""
    hidden_size: int = Field(default=128, ge=1)
    """Units of each direction of each layer."""
    num_layers: int = Field(default=1, ge=1)
    """Layers, each reading the outputs of the one below."""
    bidirectional: bool = True
    """Read every sequence from its end as well; both directions' outputs stand side by side."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Between layers: part of the outputs set to zero in training."""
    locked: bool = False
    """Let the dropout between layers hit the same units at every step of a row (Gal & Ghahramani 2016)."""
    residual: bool = False
    """From the second layer on, add a layer's input to its output."""
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of a row's units that the gates cannot see in the past, the same at every step of the row."""
    zoneout: float = Field(default=0.0, ge=0, lt=1)
    """Part of the units whose output h keeps its old value at a step (Krueger et al. 2017)."""
    zoneout_memory: float = Field(default=0.0, ge=0, lt=1)
    """The same for the cell's memory, such as the LSTM's c."""
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    """Training: part of the recurrent matrix set to zero, the same numbers for a whole batch (Merity et al. 2018)."""
    layer_norm: LayerNorm = "none"
    """What gets mean 0 and variance 1 over all gates of a step: input (W x), recurrent (R h), both, or their sum.

    Each is then stretched by gains that are learned, and the bias is added (Ba, Kiros & Hinton 2016). sum is for cells
    that use W x and R h only through their sum: not the GRU, whose reset gate stands between them.
    """
    initialisation: How = "torch"
    """torch: uniform in ±1/√hidden_size; orthogonal: Glorot and orthogonal matrices; chrono: long memory.

    orthogonal starts the biases where the cell wants them (the LSTM's forget gate at 1), all others at zero. chrono
    does the same and spreads the units' memory over 1 to chrono_steps steps (Tallec & Ollivier 2018): biases
    ±log U(1, chrono_steps - 1), positive for a gate that keeps the old (forget, our GRU's update), negative for one
    that lets the new in (input, minGRU's update, the forget gate of the minimal gated unit). forget_bias then has to be
    null.
    """
    forget_bias: float | None = None
    """Where the forget gate's bias starts; null leaves that to the initialisation."""
    chrono_steps: int = Field(default=CHRONO_STEPS, ge=3)
    """Chrono: the longest time, in steps, that a unit is expected to remember."""
    second_bias: bool = False
    """Give each gate a second bias, as torch's own layers do: under Adam the bias then learns twice as fast."""

    @model_validator(mode="after")
    def _agrees(self) -> "RecurrentSettings":
        try:
            cell = find_cell(self.cell)
            initialisation.check(cell, self.start.how)
            regularisation.check(cell, self.options)
        except InputError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def start(self) -> Initialisation:
        """How the weights start."""
        return Initialisation(self.initialisation, self.forget_bias, self.chrono_steps)

    @property
    def options(self) -> Options:
        """What a layer is given besides cell, sizes, dropout and residual paths."""
        return Options(**{field.name: getattr(self, field.name) for field in fields(Options)})

    def located(self) -> "RecurrentSettings":
        """The same with the whole path of a cell of one's own."""
        return self.model_copy(update={"cell": own.absolute(self.cell)})

    def idle(self) -> dict[str, str]:
        """Settings between layers of a single layer, and those for what the cell does not have."""
        reasons, cell = {}, find_cell(self.cell)
        if self.num_layers == 1:
            between = "it works between layers, and num_layers is 1"
            reasons = dict.fromkeys(("dropout", "locked", "residual"), between)
        elif not self.dropout:
            reasons["locked"] = "it is about the dropout between layers, and dropout is 0"
        if "forget" not in cell.gates:
            reasons["forget_bias"] = f'the cell "{self.cell}" has no forget gate'
        if self.initialisation != "chrono":
            reasons["chrono_steps"] = f"it belongs to chrono, and initialisation is {self.initialisation}"
        if len(cell.states) == 1:
            reasons["zoneout_memory"] = f'the cell "{self.cell}" has no state besides {cell.states[0]}: take zoneout'
        if not cell.recurrent:
            blind = f'the gates of the cell "{self.cell}" read the input alone'
            reasons |= dict.fromkeys(("recurrent_dropout", "weight_drop"), blind)
        return reasons


class Recurrent(nn.Module):
    """`Recurrent("lstm", input_size, hidden_size)` maps inputs [B T F] and a state to outputs [B T DH] and a state.

    A state's tensors are [LD B H], layer by layer, the direction reading forwards before the one reading backwards, as
    torch has them. Takes a Cell as well as a name. `options` are layer normalisation, zoneout and the like:
    `Options(layer_norm="both", zoneout=0.1)`. Raises InputError for an unknown cell and for options it cannot have.
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
        options: Options | None = None,
    ) -> None:
        super().__init__()
        self.cell, self.options = find_cell(cell), options or Options()
        regularisation.check(self.cell, self.options)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bidirectional, self.dropout, self.residual = bidirectional, dropout, residual
        self.directions = DIRECTIONS if bidirectional else DIRECTIONS[:1]
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    name: Direction(
                        self.cell,
                        self.output_size if layer else input_size,
                        hidden_size,
                        second_bias=self.options.second_bias,
                        gains=self.options.gains,
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
            options=settings.options,
        )
        if settings.initialisation != "torch" or settings.forget_bias is not None:
            made.initialise(settings.initialisation, settings.forget_bias, settings.chrono_steps)
        return made

    @property
    def output_size(self) -> int:
        """Features of an output: the units of all directions."""
        return self.hidden_size * len(self.directions)

    @property
    def causal(self) -> bool:
        """Whether an output depends on the past alone."""
        return not self.bidirectional

    def initialise(
        self, how: How = "torch", forget_bias: float | None = None, chrono_steps: int = CHRONO_STEPS
    ) -> None:
        """Draw all weights anew; see RecurrentSettings.initialisation. Raises InputError where chrono finds no gate."""
        start = Initialisation(how, forget_bias, chrono_steps)
        for one in self._all():
            one.initialise(start)

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
            outputs, last = self._layer(layer, self._dropped(inputs) if layer else inputs, state, final_state)
            ends += last
            inputs = replace(outputs, values=inputs.values + outputs.values) if self.residual and layer else outputs
        last_state = _stack([end for end in ends if end is not None]) if final_state else None
        return untrim(inputs, whole.values.shape[1]), last_state

    def load_torch(self, module: nn.RNNBase) -> None:
        """Take over the weights of torch's own layer, by gate name; its two biases are added up.

        Raises ValueError where sizes, the kind of cell or a normalisation do not fit.
        """
        sizes = (module.input_size, module.hidden_size, module.num_layers, module.bidirectional)
        ours = (self.input_size, self.hidden_size, self.num_layers, self.bidirectional)
        if sizes != ours:
            raise ValueError(f"input_size, hidden_size, num_layers, bidirectional: got {sizes}, expected {ours}")
        self._refuse_gains("torch")
        conversion.copy_from_torch(module, self.cell, self._direction)

    def to_torch(self) -> nn.RNNBase:
        """torch's own layer with these weights (batch first). Dropouts within a layer, unknown to torch, stay behind.

        Raises ValueError where torch has no layer that answers the same.
        """
        self._refuse_paths("torch")
        module = conversion.torch_module(
            self.cell,
            input_size=self.input_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            bidirectional=self.bidirectional,
            dropout=self.dropout,
        )
        module.to(self.weights().bias)
        conversion.copy_to_torch(module, self.cell, self._direction)
        return module.train(self.training)

    def load_keras(self, *layers: Iterable[Any]) -> None:
        """Take over weights of Keras: for each layer what its `get_weights()` gives, a Bidirectional one's too.

        `recurrent.load_keras(first.get_weights(), second.get_weights())` for LSTM, GRU (reset_after=True, as it is by
        default) and SimpleRNN with their usual activations. Raises InputError for arrays that do not fit, ValueError
        for a layer with normalisation.
        """
        self._refuse_gains("Keras")
        if len(layers) != self.num_layers:
            raise InputError(
                f"expected {self.num_layers} lists of arrays, one for each layer as layer.get_weights() gives it, "
                f"got {len(layers)} arguments"
            )
        conversion.copy_from_keras(layers, self.cell, self._direction, len(self.directions))

    def to_keras(self) -> list[list[NDArray[np.floating[Any]]]]:
        """For each layer what Keras's `set_weights` takes; with two directions that of a Bidirectional layer.

        Raises ValueError where Keras has no layer that answers the same.
        """
        self._refuse_paths("Keras")
        return [
            [
                array
                for direction in range(len(self.directions))
                for array in conversion.arrays_for_keras(self.cell, self._direction(layer, direction))
            ]
            for layer in range(self.num_layers)
        ]

    def extra_repr(self) -> str:
        """Cell and sizes."""
        return f"{self.cell.name}, {self.input_size} to {self.output_size}"

    def _direction(self, layer: int, direction: int) -> Direction:
        return self.layers[layer][self.directions[direction]]  # type: ignore[index]

    def _all(self) -> Iterable[Direction]:
        return (self._direction(layer, d) for layer in range(self.num_layers) for d in range(len(self.directions)))

    def _refuse_gains(self, whose: str) -> None:
        if self.options.gains:
            raise ValueError(f"{whose}'s layers have no layer normalisation, this one has: {self.options.layer_norm}")

    def _refuse_paths(self, whose: str) -> None:
        self._refuse_gains(whose)
        if self.residual and self.num_layers > 1:
            raise ValueError(f"{whose}'s layers have no residual path")
        if self.options.zoneout or (self.options.zoneout_memory and len(self.cell.states) > 1):
            raise ValueError(f"{whose}'s layers have no zoneout, which answers with its mean after training")

    def _dropped(self, inputs: Padded) -> Padded:
        """What a layer passes on to the next."""
        if not self.training or not self.dropout:
            return inputs
        if self.options.locked:
            return regularisation.lock_dropout(inputs, self.dropout, regularisation.draw_seed())
        return replace(inputs, values=functional.dropout(inputs.values, self.dropout))

    def _layer(
        self, layer: int, inputs: Padded, state: State | None, final_state: bool
    ) -> tuple[Padded, list[State | None]]:
        ways = []
        for direction in range(len(self.directions)):
            begin = self._begin(state, layer * len(self.directions) + direction)
            weights = self._direction(layer, direction).weights
            weights, noise = regularisation.regularised(self.cell, weights, self.options, self.training)
            ways.append(kernels.Way(weights, begin, noise, reversed=direction == 1))
        read = kernels.run_ways(self.cell, inputs, ways, final_state=final_state)
        outputs = [one.values for one, _ in read]
        whole = torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0]
        return Padded(whole, inputs.lengths), [end for _, end in read]

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
