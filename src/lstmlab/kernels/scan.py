"""h_t = a_t h_{t-1} + b_t for cells whose gates are blind to the past: all steps at once, with its gradient.

Such steps compose: two of them are one with a_2 a_1 and a_2 b_1 + b_2. Chunks of a few steps are therefore summed up
side by side, the sums are scanned in the same way, and each chunk then runs from where the one before it ended. No
product is ever divided by, so that factors may be zero, tiny or negative.

Letters in shapes: B batch, T steps, F features, G gates, H hidden.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from lstmlab import cells
from lstmlab.cells import Cell, State
from lstmlab.kernels.noise import DROPOUT, Noise, bits, keys, threshold
from lstmlab.kernels.reference import from_inputs
from lstmlab.kernels.weights import Weights
from lstmlab.types import Padded

CHUNK = 8
"""Steps in a chunk: of 8, 16 and 32 the quickest wherever chunks pay."""
SHORT = 16
"""Up to so many steps one after another are quickest."""
WIDE = 8192
"""From so many numbers in a step on, a CPU is busy with one step, and chunks would only read everything twice."""

Coefficients = Callable[..., tuple[Any, Any]]
"""What x, parameters and zoneout's mask, by the names of their symbols, make of a step: a and b."""


def fits(cell: Cell) -> bool:
    """Whether the cell is one that can be scanned: blind to the past, and its step affine in its only state.

    Any noise fits: zoneout is affine as well, and recurrent dropout has no product to work on.
    """
    return _coefficients(cell) is not None


def run(cell: Cell, inputs: Padded, weights: Weights, state: State, noise: Noise | None = None) -> tuple[Padded, State]:
    """Outputs [B T H] of inputs [B T F], and the state [B H] after each row's last step, as the reference gives them.

    Raises ValueError for a cell that does not fit.
    """
    factor, added = _steps(cell, inputs, weights, noise or Noise())
    (name,) = cell.states
    alive = inputs.mask[:, :, None]
    if inputs.ragged:
        factor, added = factor.masked_fill(~alive, 1), added.masked_fill(~alive, 0)
    values = scan(factor, added, state[name])
    last = State(**{name: values[:, -1]})
    return Padded(values.masked_fill(~alive, 0) if inputs.ragged else values, inputs.lengths), last


def scan(
    factor: Float[Tensor, "B T H"], added: Float[Tensor, "B T H"], start: Float[Tensor, "B H"]
) -> Float[Tensor, "B T H"]:
    """All h_t = factor_t h_{t-1} + added_t, from h_0 = start; differentiable once."""
    values: Tensor = _Scan.apply(factor, added, start)
    return values


@lru_cache(maxsize=64)
def _coefficients(cell: Cell, zoned: bool = False) -> Coefficients | None:
    """The function that gives a and b; None for a cell that does not fit."""
    if cell.recurrent or len(cell.states) != 1:
        return None
    # SymPy takes a third of a second to import, and cells of the other kinds never come here.
    import sympy

    from lstmlab.kernels import symbolic

    try:
        trace = symbolic.trace(cell, cell.states if zoned else ())
    except symbolic.NotTraceable:
        return None
    (after,) = trace.after.values()
    before = symbolic.before(cell.states[0])
    factor = sympy.diff(after, before)
    if before in factor.free_symbols:
        return None
    pair = (factor, after.xreplace({before: sympy.Integer(0)}))
    symbols = sorted(after.free_symbols - {before}, key=str)
    mathematics = {name: getattr(cells, name) for name in symbolic.FUNCTIONS if hasattr(cells, name)}
    function = sympy.lambdify(symbols, pair, modules=[mathematics], cse=True)
    names = [str(symbol) for symbol in symbols]
    return lambda **values: function(*(values[name] for name in names))


def _steps(
    cell: Cell, inputs: Padded, weights: Weights, noise: Noise
) -> tuple[Float[Tensor, "B T H"], Float[Tensor, "B T H"]]:
    """a and b of every step."""
    share = noise.zoneout.get(cell.states[0], 0.0)
    coefficients = _coefficients(cell, zoned=bool(share))
    if coefficients is None:
        raise ValueError(f'the cell "{cell.name}" cannot be scanned: its step is not h_t = a h_{{t-1}} + b')
    gates = from_inputs(inputs.values, weights).unflatten(-1, (len(cell.gates), -1)).unbind(-2)
    known: dict[str, Any] = {f"x_{name}": gate for name, gate in zip(cell.gates, gates, strict=True)}
    known |= {f"p_{name}": vector for name, vector in weights.parameters.items()}
    if share:
        known[f"kept_{cell.states[0]}"] = _kept(noise, share, gates[0])
    # A coefficient that does not depend on the input is one number, or one for each unit.
    both = (value if isinstance(value, Tensor) else gates[0].new_tensor(value) for value in coefficients(**known))
    factor, added = (value.expand_as(gates[0]) for value in both)
    return factor, added


def _kept(noise: Noise, share: float, like: Float[Tensor, "B T H"]) -> Float[Tensor, "B T H"] | float:
    """`Noise.kept` of the first state for all steps at once."""
    if noise.seed is None:
        return share
    rows, steps = torch.meshgrid(*(torch.arange(n, device=like.device) for n in like.shape[:2]), indexing="ij")
    key = keys(noise.seed, DROPOUT + 1, rows, steps)
    return (bits(key, like.shape[-1]) < threshold(share)).to(like.dtype)


class _Scan(torch.autograd.Function):
    """The gradient of a scan is a scan from the end: g_t = d_t + a_{t+1} g_{t+1}, where d is what comes from outside.

    Then b_t has the gradient g_t, a_t has g_t h_{t-1}, and h_0 has a_1 g_1.
    """

    @staticmethod
    def forward(ctx: Any, factor: Tensor, added: Tensor, start: Tensor) -> Tensor:
        # Under autocast gates may come in half precision; a sum over many steps is kept as exact as the state.
        dtype = torch.promote_types(added.dtype, start.dtype)
        ctx.dtypes = factor.dtype, added.dtype, start.dtype
        factor, added, start = (one.to(dtype) for one in (factor, added, start))
        values = added.new_empty(added.shape)
        _run(factor, added, start, values)
        ctx.save_for_backward(factor, start, values)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        factor, start, values = ctx.saved_tensors
        inside = outside.new_empty(outside.shape)
        inside[:, -1] = outside[:, -1]
        _run(factor[:, 1:], outside[:, :-1], outside[:, -1], inside[:, :-1], backwards=True)
        to_factor = inside.new_empty(inside.shape)
        torch.mul(inside[:, 1:], values[:, :-1], out=to_factor[:, 1:])
        torch.mul(inside[:, 0], start, out=to_factor[:, 0])
        gradients = to_factor, inside, factor[:, 0] * inside[:, 0]
        one, two, three = (gradient.to(dtype) for gradient, dtype in zip(gradients, ctx.dtypes, strict=True))
        return one, two, three


def _run(
    factor: Tensor, added: Tensor, start: Tensor, out: Tensor, *, backwards: bool = False, composed: bool = False
) -> None:
    """Fill `out` [B T H]; backwards means h_t = a_t h_{t+1} + b_t, `start` being what lies past the end."""
    batch, steps, hidden = added.shape
    if steps <= SHORT or (batch * hidden >= WIDE and not added.is_cuda):
        _run_one_by_one(factor, added, start, out, backwards, composed)
        return
    chunks = -(-steps // CHUNK)
    product, total = added.new_ones(batch, chunks, hidden), added.new_zeros(batch, chunks, hidden)
    places = [slice(at, None, CHUNK) for at in range(CHUNK)][:: -1 if backwards else 1]
    for place in places:
        here, more = factor[:, place], added[:, place]
        # The last chunk may be short: it has ended where others still go on.
        n = here.shape[1]
        _step(here, more, total[:, :n], total[:, :n], composed)
        product[:, :n].mul_(here)
    ends = torch.empty_like(total)
    _run(product, total, start, ends, backwards=backwards, composed=True)
    joined = [ends[:, 1:], start[:, None]] if backwards else [start[:, None], ends[:, :-1]]
    state = torch.cat(joined, 1)
    for place in places:
        here, more = factor[:, place], added[:, place]
        n = here.shape[1]
        _step(here, more, state[:, :n], state[:, :n], composed)
        out[:, place] = state[:, :n]


def _run_one_by_one(factor: Tensor, added: Tensor, start: Tensor, out: Tensor, backwards: bool, composed: bool) -> None:
    state, steps = start, range(added.shape[1])
    for t in steps[::-1] if backwards else steps:
        _step(factor[:, t], added[:, t], state, out[:, t], composed)
        state = out[:, t]


def _step(factor: Tensor, added: Tensor, state: Tensor, out: Tensor, composed: bool) -> None:
    """out = factor state + added. A product of factors may be too large for a float where one step's never is:
    nothing times infinity is then still nothing, as it is step by step.
    """
    if composed:
        factor = factor.masked_fill(state == 0, 0)
    torch.addcmul(added, factor, state, out=out)
