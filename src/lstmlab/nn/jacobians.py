"""How much of a state's gradient survives the way back through time: the norms of ∂h_T/∂h_t.

Letters in shapes: B batch, T steps, F features, H hidden, K rows of the Jacobian (or projections of it).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lstmlab.cells import Cell, State
from lstmlab.kernels import reference
from lstmlab.kernels.noise import Noise, zone_out
from lstmlab.kernels.reversal import reverse
from lstmlab.kernels.weights import Weights
from lstmlab.nn import regularisation
from lstmlab.nn.recurrent import Recurrent
from lstmlab.types import Padded


def state_gradients(
    layer: Recurrent,
    inputs: Padded,
    *,
    depth: int = 0,
    direction: str = "forwards",
    of: str = "",
    projections: int | None = None,
    seed: int = 0,
) -> Padded:
    """‖∂h_T/∂s_t‖ / √H for every step t of every row, as a Padded of [B T]: Frobenius norms in float64.

    T is a row's last real step (backwards: its first). `of` names the state s, by default the output h itself; then the
    value at T is 1, and it is the factor by which a gradient that arrives at T has changed on its way to t. h_t counts
    on its own, beside the other states of the step: an LSTM's h_t reaches the future through the gates it feeds, and
    from there through c. `.reversed()` orders the values by distance from T (of forward readings).

    `inputs` [B T F] is what layer number `depth` of the stack reads. Without `projections` the norms are exact, at the
    cost of H rows; with them the squared norms are means over so many random vectors of ±1, which is unbiased
    (Hutchinson 1990). Dropouts are off and zoneout takes its mean, as in prediction.
    """
    reads = Padded(inputs.values.detach().double(), inputs.lengths)
    with torch.no_grad():
        weights = layer.weights(depth, direction).to(inputs.values.device, torch.float64)
    weights, noise = regularisation.regularised(layer.cell, weights, layer.options, False)
    backwards = direction == "backwards"
    steps = _steps(layer.cell, weights, noise or Noise(), reverse(reads) if backwards else reads)
    rows = _rows(layer.hidden_size, projections, seed).to(inputs.values.device)
    norms = Padded(_norms(layer.cell, steps, rows, inputs, of or layer.cell.states[0]), inputs.lengths)
    return norms.reversed() if backwards else norms


def _steps(cell: Cell, weights: Weights, noise: Noise, inputs: Padded) -> list[tuple[State, State]]:
    """For every step the state before it, cut off from the past, and the state after it, which depends on that."""
    stacked = reference.from_inputs(inputs.values, weights)
    alive = inputs.mask[:, :, None]
    state = cell.start(weights.bias.new_empty(len(inputs.lengths), weights.hidden_size))
    steps = []
    with torch.enable_grad():
        for t, given in enumerate(stacked.unbind(1)):
            before = state.map(lambda value: value.detach().requires_grad_())
            _, _, after = reference.step(cell, weights, given, before)
            after = zone_out(after, before, noise.kept(before, t))
            after = State(**{name: torch.where(alive[:, t], after[name], before[name]) for name in cell.states})
            steps.append((before, after))
            state = after
    return steps


def _rows(size: int, projections: int | None, seed: int) -> Float[Tensor, "K H"]:
    """The vectors whose products with the Jacobian are summed: the units' own, or random signs of the same weight."""
    if projections is None or projections >= size:
        return torch.eye(size, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(0, 2, (projections, size), generator=generator).double() * 2 - 1
    return signs / projections**0.5


def _norms(
    cell: Cell, steps: list[tuple[State, State]], rows: Float[Tensor, "K H"], inputs: Padded, of: str
) -> Float[Tensor, "B T"]:
    """The way back: each step's own Jacobian times what arrives from later steps, and the norm of it at every step."""
    batch, longest = inputs.values.shape[:2]
    output = cell.states[0]
    norms = rows.new_zeros(batch, longest)
    arriving = {name: rows.new_zeros(len(rows), batch, rows.shape[1]) for name in cell.states}
    for t in range(len(steps) - 1, -1, -1):
        ends = inputs.lengths == t + 1
        arriving[output] = torch.where(ends[:, None], rows[:, None, :], arriving[output])
        started = t < inputs.lengths
        norms[:, t] = torch.where(started, _size(arriving[of]), 0)
        before, after = steps[t]
        names = [name for name in cell.states if after[name].requires_grad]
        back = torch.autograd.grad(
            [after[name] for name in names],
            [before[name] for name in cell.states],
            [arriving[name] for name in names],
            is_grads_batched=True,
            allow_unused=True,
        )
        zero = torch.zeros_like(arriving[output])
        arriving = {name: zero if got is None else got for name, got in zip(cell.states, back, strict=True)}
    return norms


def _size(arriving: Float[Tensor, "K B H"]) -> Float[Tensor, "B"]:
    """Root of the sum of squares over the rows, per unit; scaled first, since the square of 1e-200 is nothing."""
    largest = arriving.abs().amax((0, 2), keepdim=True)
    safe = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
    norm = safe[0, :, 0] * (arriving / safe).square().sum((0, 2)).sqrt()
    return norm / arriving.shape[2] ** 0.5
