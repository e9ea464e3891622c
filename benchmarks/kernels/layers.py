"""The sides of the comparisons: our layer, torch's layer packed and padded, and the bare matrix products."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count, product

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstmlab import kernels
from lstmlab.cells import State, find_cell
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.weights import Weights
from lstmlab.nn import Recurrent
from lstmlab.types import Padded

from .measure import Options

HIDDEN = (64, 128, 256, 512)
TORCH = {"lstm": nn.LSTM, "gru": nn.GRU}
Run = Callable[[], Tensor]


@dataclass(frozen=True)
class Shape:
    """Rows, steps of the longest row, units (and as many input features)."""

    batch: int
    steps: int
    hidden: int

    def __str__(self) -> str:
        return f"B {self.batch} T {self.steps}"

    def inputs(self, *, ragged: bool) -> Padded:
        """Random values with a gradient; ragged lengths are uniform in [T/4, T], and one row has all T steps."""
        generator = torch.Generator().manual_seed(0)
        lengths = torch.full((self.batch,), self.steps)
        if ragged and self.batch > 1:
            lengths[1:] = torch.randint(self.steps // 4, self.steps + 1, (self.batch - 1,), generator=generator)
        values = torch.randn(self.batch, self.steps, self.hidden, generator=generator)
        padded = Padded(values, lengths).masked()
        return replace(padded, values=padded.values.requires_grad_())

    def gradient(self, size: int | None = None) -> Tensor:
        """A fixed gradient of the outputs."""
        generator = torch.Generator().manual_seed(1)
        return torch.randn(self.batch, self.steps, size or self.hidden, generator=generator)


def shapes(options: Options, hidden: int, *, steps: tuple[int, ...] = (50, 200)) -> list[Shape]:
    """B 16 and 64, T 50 and 200; with --quick the smallest of them."""
    found = [Shape(batch, length, hidden) for batch, length in product((16, 64), steps)]
    return found[:1] if options.quick else found


def ours(cell: str, shape: Shape, inputs: Padded, *, kernel: str | None = None, bidirectional: bool = False) -> Run:
    """Forward and backward through our layer, as its users get it; with `kernel`, by that kernel."""
    if kernel is not None and not bidirectional:
        return forced(cell, shape, inputs, kernel=kernel)
    if kernel is not None:
        raise SystemExit("--kernel knows one direction only: leave out the part bidirectional")
    layer = Recurrent(cell, shape.hidden, shape.hidden, bidirectional=bidirectional)
    like = torch.zeros(1 + bidirectional, shape.batch, shape.hidden)
    state = layer.cell.start(like).map(Tensor.requires_grad_)
    gradient, leaves = shape.gradient(layer.output_size), [inputs.values, *_values(state), *layer.parameters()]

    def run() -> Tensor:
        forget(leaves)
        outputs, _ = layer(inputs, state)
        outputs.values.backward(gradient)
        return outputs.values

    return run


def forced(
    cell: str, shape: Shape, inputs: Padded, *, kernel: str | None, normalised: bool = False, noise: Noise | None = None
) -> Run:
    """The same without a layer, for what a layer does not offer: a kernel by name, normalisation, noise."""
    found = find_cell(cell)
    weights = _leaves(cell, shape.hidden)
    if normalised:
        ones = torch.ones(len(found.gates) * shape.hidden)
        weights = replace(weights, gains={name: ones.clone().requires_grad_() for name in ("input", "recurrent")})
    state = found.start(torch.zeros(shape.batch, shape.hidden)).map(Tensor.requires_grad_)
    named = [weights.input, weights.recurrent, weights.bias, weights.recurrent_bias]
    leaves = [*(one for one in named if one is not None), *weights.parameters.values(), *weights.gains.values()]
    leaves += [inputs.values, *_values(state)]
    gradient, seeds = shape.gradient(), count()

    def run() -> Tensor:
        forget(leaves)
        fresh = None if noise is None else replace(noise, seed=next(seeds))
        outputs, _ = kernels.run(found, inputs, weights, state, noise=fresh, kernel=kernel)
        outputs.values.backward(gradient)
        return outputs.values

    return run


def theirs(cell: str, shape: Shape, inputs: Padded, *, packed: bool) -> Run:
    """Forward and backward through torch's layer; `packed` packs and unpacks, as ragged lengths ask of its users."""
    layer = TORCH[cell](shape.hidden, shape.hidden, batch_first=True)
    states = [torch.zeros(1, shape.batch, shape.hidden, requires_grad=True) for _ in find_cell(cell).states]
    state = tuple(states) if len(states) > 1 else states[0]
    gradient, leaves = shape.gradient(), [inputs.values, *states, *layer.parameters()]

    def run() -> Tensor:
        forget(leaves)
        fed = inputs.values
        if packed:
            fed = pack_padded_sequence(fed, inputs.lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = layer(fed, state)
        if packed:
            outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=shape.steps)
        outputs.backward(gradient)
        return outputs

    return run


def products(cell: str, shape: Shape, inputs: Padded) -> Run:
    """The matrix products that the work consists of and nothing else, on the rows that are alive at each step."""
    hidden, rows = shape.hidden, len(find_cell(cell).gates) * shape.hidden
    alive = [int((inputs.lengths > t).sum()) for t in range(shape.steps)]
    x, h, dh, dx = (torch.randn(sum(alive), hidden) for _ in range(4))
    gates, weight, recurrent = torch.randn(sum(alive), rows), torch.randn(rows, hidden), torch.randn(rows, hidden)
    dw, dr = torch.empty_like(weight), torch.empty_like(recurrent)
    summed = torch.empty(sum(alive), rows)
    steps = list(zip(h.split(alive), summed.split(alive), gates.split(alive), dh.split(alive), strict=True))
    turned = recurrent.t()

    def run() -> Tensor:
        torch.mm(x, weight.t(), out=gates)
        for before, result, _, _ in steps:
            torch.mm(before, turned, out=result)
        for _, _, gradient, result in reversed(steps):
            torch.mm(gradient, recurrent, out=result)
        torch.mm(gates.t(), x, out=dw)
        torch.mm(gates.t(), h, out=dr)
        return torch.mm(gates, weight, out=dx)

    return run


def forget(leaves: list[Tensor]) -> None:
    """No gradient is added to one from the round before."""
    for leaf in leaves:
        leaf.grad = None


def _leaves(cell: str, hidden: int) -> Weights:
    """A layer's weights as they start."""
    return Recurrent(cell, hidden, hidden).weights()


def _values(state: State) -> list[Tensor]:
    return [value for _, value in state.items()]
