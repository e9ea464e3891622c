"""A recurrent stack that goes one step at a time: where a step's input hangs on the output of the step before.

Letters in shapes: B batch, F features, H hidden.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from lstmlab.cells import State
from lstmlab.kernels import reference
from lstmlab.kernels.noise import Noise, zone_out
from lstmlab.kernels.products import Repeated
from lstmlab.kernels.weights import Weights
from lstmlab.nn import regularisation
from lstmlab.nn.recurrent import Recurrent

States = tuple[State, ...]
"""One state [B H] for each layer, the lowest first."""


@dataclass(frozen=True)
class _Layer:
    """One layer with the weights and the noise of this pass, and how its two products are taken."""

    weights: Weights
    noise: Noise
    visible: Tensor | None
    products: tuple[Repeated, Repeated | None]


class Stepping:
    """A stack of one direction, made ready for one pass of `rows` sequences: `outputs, states = steps(inputs, states)`.

    Dropouts and zoneout draw once for the whole pass, as they do when the stack runs over whole sequences. Raises
    ValueError for a bidirectional stack, which has to know the end before it begins.
    """

    def __init__(self, recurrent: Recurrent, rows: int) -> None:
        if recurrent.bidirectional:
            raise ValueError("a bidirectional stack cannot go step by step: it reads every sequence from its end too")
        self._recurrent, self._cell = recurrent, recurrent.cell
        self._layers = [self._layer(number, rows) for number in range(recurrent.num_layers)]
        self._between = recurrent.dropout if recurrent.training else 0.0
        locked = self._between and recurrent.options.locked
        self._seeds = [regularisation.draw_seed() for _ in self._layers[1:]] if locked else []

    def __call__(
        self, inputs: Float[Tensor, "B F"], states: States, number: int = 0
    ) -> tuple[Float[Tensor, "B H"], States]:
        """The top layer's outputs and every layer's state after step `number`, by which zoneout's masks are counted."""
        after: list[State] = []
        values = inputs
        for at, (layer, state) in enumerate(zip(self._layers, states, strict=True)):
            fed = self._dropped(values, at) if at else values
            past = layer.products[1]
            stacked = reference.from_inputs(fed, layer.weights, _by(layer.products[0]))
            by = functional.linear if past is None else _by(past)
            new = reference.step(self._cell, layer.weights, stacked, state, layer.visible, by)[2]
            after.append(zone_out(new, state, layer.noise.kept(state, number)))
            outputs = after[-1][self._cell.states[0]]
            values = values + outputs if self._recurrent.residual and at else outputs
        return values, tuple(after)

    def start(self, like: Float[Tensor, "B _"]) -> States:
        """The cell's own beginning for as many rows as `like` has."""
        begin = self._cell.start(like.new_empty(len(like), self._recurrent.hidden_size))
        return (begin,) * len(self._layers)

    def _layer(self, number: int, rows: int) -> _Layer:
        recurrent = self._recurrent
        weights, noise = regularisation.regularised(
            self._cell, recurrent.weights(number), recurrent.options, recurrent.training
        )
        noise = noise or Noise()
        past = Repeated(weights.recurrent) if self._cell.recurrent else None
        visible = noise.hidden(rows, weights.bias.new_empty(weights.hidden_size))
        return _Layer(weights, noise, visible, (Repeated(weights.input), past))

    def _dropped(self, values: Tensor, at: int) -> Tensor:
        if not self._between:
            return values
        if self._seeds:
            return values * regularisation.mask(len(values), values, self._between, self._seeds[at - 1])
        return functional.dropout(values, self._between)


def _by(repeated: Repeated) -> reference.Product:
    """The product with a repeated weight, which knows its weight already."""
    return lambda values, _weight, bias: repeated(values, bias)


def split(state: State, layers: int) -> States:
    """A state [L B H] as Recurrent has it, layer by layer."""
    return tuple(state.map(lambda value, at=at: value[at]) for at in range(layers))  # type: ignore[misc]


def join(states: States) -> State:
    """Layers' states as one [L B H]."""
    return State(**{name: torch.stack([one[name] for one in states]) for name in states[0].names})
