"""From an output at every step to one vector a row; and long texts cut into segments and put together again.

Letters in shapes: B batch, T steps, F features, N segments, L steps of a segment.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lstmlab.errors import unknown
from lstmlab.kernels.weights import trim
from lstmlab.types import Padded


class Last(nn.Module):
    """Where each direction ends: the last real step forwards, the first backwards."""

    def __init__(self, directions: int = 1) -> None:
        super().__init__()
        self.directions = directions

    def forward(self, outputs: Padded) -> Float[Tensor, "B F"]:
        """Outputs of all directions side by side."""
        if outputs.values.shape[1] == 0:
            return _nothing(outputs)
        pieces = list(outputs.last.chunk(self.directions, -1))
        if self.directions == 2:
            pieces[1] = outputs.values[:, 0].chunk(2, -1)[1]
        return torch.cat(pieces, -1).masked_fill(_empty(outputs), 0)


class Max(nn.Module):
    """The largest value of each feature over a row's real steps."""

    def forward(self, outputs: Padded) -> Float[Tensor, "B F"]:
        """Zeros for an empty row."""
        if outputs.values.shape[1] == 0:
            return _nothing(outputs)
        shown = outputs.values.masked_fill(~outputs.mask[:, :, None], -torch.inf)
        return shown.max(1).values.masked_fill(_empty(outputs), 0)


class Mean(nn.Module):
    """The mean of each feature over a row's real steps."""

    def forward(self, outputs: Padded) -> Float[Tensor, "B F"]:
        """Zeros for an empty row."""
        outputs = trim(outputs)
        return outputs.masked().values.sum(1) / outputs.lengths.clamp(min=1)[:, None]


class Attention(nn.Module):
    """A mean weighted by how well each step answers one learned query, scaled by 1/√F.

    The query begins at zero, which is the plain mean.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(size))

    def forward(self, outputs: Padded) -> Float[Tensor, "B F"]:
        """Zeros for an empty row."""
        outputs = trim(outputs)
        return (self.weights(outputs)[:, :, None] * outputs.values).sum(1)

    def weights(self, outputs: Padded) -> Float[Tensor, "B T"]:
        """How much each step counts: they sum to one in a row, and are zero past its length."""
        if outputs.values.shape[1] == 0:
            return outputs.values.new_zeros(outputs.values.shape[:2])
        scores = outputs.values @ self.query / len(self.query) ** 0.5
        # The lowest number instead of minus infinity, so that an empty row has no NaN, not even in its gradient.
        return scores.masked_fill(~outputs.mask, torch.finfo(scores.dtype).min).softmax(1) * outputs.mask


POOLINGS: dict[str, Callable[[int, int], nn.Module]] = {
    "last": lambda size, directions: Last(directions),
    "max": lambda size, directions: Max(),
    "mean": lambda size, directions: Mean(),
    "attention": lambda size, directions: Attention(size),
}
"""Name → what makes it from the outputs' size and their number of directions."""


class Pooling(nn.Module):
    """One or several poolings of outputs [B T F], side by side."""

    def __init__(self, how: Sequence[str], size: int, directions: int = 1) -> None:
        super().__init__()
        for name in how:
            if name not in POOLINGS:
                raise unknown("pooling", name, POOLINGS)
        self.kinds = nn.ModuleDict({name: POOLINGS[name](size, directions) for name in how})
        self.output_size = size * len(self.kinds)

    def forward(self, outputs: Padded) -> Float[Tensor, "B P"]:
        """One vector a row, zeros for an empty one. More padding changes no bit."""
        outputs = trim(outputs)
        return torch.cat([kind(outputs) for kind in self.kinds.values()], -1)

    def extra_repr(self) -> str:
        """Names."""
        return " + ".join(self.kinds)


def pool(outputs: Padded, *how: str, directions: int = 1) -> Float[Tensor, "B P"]:
    """`Pooling` for those that have nothing to learn: `pool(outputs, "max", "mean")`."""
    if "attention" in how:
        raise ValueError("attention has a query to learn: build Pooling(...) and keep it")
    return Pooling(how, outputs.values.shape[2], directions)(outputs)


def segment(inputs: Padded, length: int) -> tuple[Padded, Int[Tensor, "N"]]:
    """Rows [B T …] cut into pieces of `length` steps [N L …], in order, and the row each piece is from.

    The last piece of a row may be shorter; an empty row has none. The pieces run as one larger batch (Johnson & Zhang
    2016), so that a long text takes no more steps than a short one.
    """
    if length < 1:
        raise ValueError(f"a segment has at least one step, got {length}")
    device = inputs.lengths.device
    counts = _pieces(inputs.lengths, length)
    owner = torch.repeat_interleave(torch.arange(len(counts), device=device), counts)
    number = torch.arange(len(owner), device=device) - (counts.cumsum(0) - counts)[owner]
    steps = number[:, None] * length + torch.arange(length, device=device)
    values = inputs.values[owner[:, None], steps.clamp(max=max(inputs.values.shape[1] - 1, 0))]
    return Padded(values, (inputs.lengths[owner] - number * length).clamp(max=length)).masked(), owner


def join(pieces: Padded, lengths: Int[Tensor, "B"]) -> Padded:
    """What was made of the pieces that `segment` cut [N L F], put together again as rows of `lengths` steps [B T F].

    The gradient of each step comes from one place, so pooling goes over all steps of all segments of a row.
    """
    longest = int(lengths.max()) if len(lengths) else 0
    size = pieces.values.shape[1]
    if not longest:
        return Padded(pieces.values.new_zeros(len(lengths), 0, *pieces.values.shape[2:]), lengths)
    counts = _pieces(lengths, size)
    begins = (counts.cumsum(0) - counts) * size
    index = begins[:, None] + torch.arange(longest, device=lengths.device)
    flat = pieces.values.flatten(0, 1)
    values = flat.index_select(0, index.flatten().clamp(max=len(flat) - 1))
    return Padded(values.unflatten(0, (len(lengths), longest)), lengths).masked()


def _pieces(lengths: Int[Tensor, "B"], length: int) -> Int[Tensor, "B"]:
    return (lengths + length - 1) // length


def _empty(outputs: Padded) -> Tensor:
    return (outputs.lengths == 0)[:, None]


def _nothing(outputs: Padded) -> Tensor:
    return outputs.values.new_zeros(outputs.values.shape[0], outputs.values.shape[2])
