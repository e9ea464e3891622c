"""What a recurrence is: names, and one pure step. Everything else is derived from it.

Letters in shapes: B batch, G gates, H hidden units.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lstmlab.errors import InputError, nearest


class State:
    """What a recurrence remembers, by name: `State(h=…, c=…)`, read as `state.h`. Never changed, only replaced."""

    __slots__ = ("_values",)
    _values: dict[str, Any]

    def __init__(self, **values: Any) -> None:
        object.__setattr__(self, "_values", values)

    def __getattr__(self, name: str) -> Any:
        # Names with an underscore are Python's own questions (copying, printing), never a state.
        if not name.startswith("_") and name in self._values:
            return self._values[name]
        raise AttributeError(name if name.startswith("_") else _missing("state", name, self._values))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f'a State is not changed: make a new one with {name}=… instead of setting "{name}"')

    def __getitem__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise KeyError(_missing("state", name, self._values)) from None

    def __repr__(self) -> str:
        parts = (f"{name}={_shown(value)}" for name, value in self._values.items())
        return f"State({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _state, (self._values,)

    @property
    def names(self) -> tuple[str, ...]:
        """The states' names, in the order given."""
        return tuple(self._values)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Name and value of each state."""
        return iter(self._values.items())

    def map(self, change: Callable[[Any], Any]) -> "State":
        """The same names over changed values: `state.map(Tensor.detach)`."""
        return State(**{name: change(value) for name, value in self._values.items()})


class Gates:
    """One value per gate, read by name: `x.forget`. A cell's parameters can be read beside them."""

    __slots__ = ("_values",)
    _values: dict[str, Any]

    def __init__(self, values: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_values", dict(values))

    @classmethod
    def split(
        cls,
        stacked: Float[Tensor, "*B G H"],
        names: Sequence[str],
        parameters: Mapping[str, Float[Tensor, "H"]] | None = None,
    ) -> "Gates":
        """Gates stacked in the order of `names`, and parameters, by name."""
        return cls({**dict(zip(names, stacked.unbind(-2), strict=True)), **(parameters or {})})

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in self._values:
            return self._values[name]
        raise AttributeError(name if name.startswith("_") else _missing("gate or parameter", name, self._values))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f'gates are only read; cannot set "{name}"')

    def items(self) -> Iterator[tuple[str, Any]]:
        """Name and value of each gate and parameter."""
        return iter(self._values.items())


Step = Callable[[Gates, Gates, State], State]


@dataclass(frozen=True)
class Cell:
    """A recurrence as a value. `step(x, r, state)` is pure and pointwise; the first state is the output.

    `x` holds W x_t + b and `r` holds R h_{t-1}, by gate name, each [B H]. Raises InputError for names that do not fit.
    """

    name: str
    states: tuple[str, ...]
    gates: tuple[str, ...]
    step: Step
    parameters: tuple[str, ...] = ()
    """Vectors of one number per unit [H], read as `x.NAME` (peepholes)."""
    initial_bias: Mapping[str, float] = field(default_factory=dict, hash=False)
    """Gate → where its bias starts, where zero is not the best beginning."""
    initial_state: Mapping[str, float] = field(default_factory=dict, hash=False)
    """State → what it starts from, where zero is wrong."""
    recurrent_bias: tuple[str, ...] = ()
    """Gates that have a bias inside `r` as well."""
    recurrent: bool = True
    """False where the gates read the input alone (minGRU): there is no recurrent product, and `r` is empty."""
    source: str = ""

    def __post_init__(self) -> None:
        if not self.states or not self.gates:
            raise InputError(f'cell "{self.name}": needs at least one state and one gate')
        if self.recurrent_bias and not self.recurrent:
            raise InputError(f'cell "{self.name}": a recurrent bias needs a recurrent product')
        for kind, names in (("state", self.states), ("gate or parameter", self.gates + self.parameters)):
            _distinct(self.name, kind, names)
        for kind, given, names in (
            ("gate", self.initial_bias, self.gates),
            ("state", self.initial_state, self.states),
            ("gate", self.recurrent_bias, self.gates),
        ):
            strange = [name for name in given if name not in names]
            if strange:
                raise InputError(f'cell "{self.name}": {_missing(kind, strange[0], names)}')

    def start(self, like: Float[Tensor, "*B H"]) -> State:
        """The state before the first step: `initial_state`, else zero, in the shape, dtype and place of `like`."""
        return State(**{name: torch.full_like(like, self.initial_state.get(name, 0.0)) for name in self.states})


def sigmoid(value: Any) -> Any:
    """1 / (1 + e^-value)."""
    return _apply("sigmoid", value)


def tanh(value: Any) -> Any:
    """Hyperbolic tangent."""
    return _apply("tanh", value)


def exp(value: Any) -> Any:
    """e^value."""
    return _apply("exp", value)


def log(value: Any) -> Any:
    """Natural logarithm."""
    return _apply("log", value)


def softplus(value: Any) -> Any:
    """log(1 + e^value), so that log sigmoid(value) is -softplus(-value)."""
    return _apply("softplus", value)


def relu(value: Any) -> Any:
    """The value where positive, else zero."""
    return _apply("relu", value)


def maximum(left: Any, right: Any) -> Any:
    """The larger of two values, pointwise; one of them may be a plain number."""
    return _apply("maximum", left, right)


def minimum(left: Any, right: Any) -> Any:
    """The smaller of two values, pointwise; one of them may be a plain number."""
    return _apply("minimum", left, right)


def _apply(name: str, *values: Any) -> Any:
    """The one place where a cell's mathematics learns what it works on: tensors, or symbols that know how."""
    symbol = next((value for value in values if hasattr(value, "applied")), None)
    if symbol is not None:
        return symbol.applied(name, *values)
    tensor = next((value for value in values if isinstance(value, Tensor)), None)
    if tensor is None:
        kinds = ", ".join(type(value).__name__ for value in values)
        raise TypeError(f"{name}() works on tensors, got {kinds}")
    function = getattr(torch, _IN_TORCH.get(name, name))
    if name == "softplus":
        values = (*values, 0.0)
    return function(*(value if isinstance(value, Tensor) else tensor.new_tensor(value) for value in values))


_IN_TORCH = {"softplus": "logaddexp"}


def _state(values: Mapping[str, Any]) -> State:
    return State(**values)


def _shown(value: Any) -> str:
    return f"{list(value.shape)}" if isinstance(value, Tensor) else repr(value)


def _missing(kind: str, name: str, names: Iterable[str]) -> str:
    names = list(names)
    match = nearest(name, names)
    return f'no {kind} "{name}". ' + (f"Did you mean {match[0]}?" if match else f"Known: {', '.join(names)}.")


def _distinct(cell: str, kind: str, names: Sequence[str]) -> None:
    for name in names:
        # Names are read as attributes, where an underscore or a method of the same name would be in the way.
        if not name.isidentifier() or name.startswith("_") or hasattr(State, name) or hasattr(Gates, name):
            raise InputError(f'cell "{cell}": a {kind} needs a plain name such as forget, got "{name}"')
        if names.count(name) > 1:
            raise InputError(f'cell "{cell}": the {kind} "{name}" is named twice')
