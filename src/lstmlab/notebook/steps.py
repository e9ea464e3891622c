"""A cell's step as lines of PyTorch, printed from its equations: for cells that torch has no layer for."""

from typing import Any

from lstmlab.cells import Cell
from lstmlab.errors import InputError
from lstmlab.kernels.equations import Expression, Number, Operation, Symbol, equations

SUM, PRODUCT, UNIT = 1, 2, 3
"""How closely an expression binds."""
CALLS = {"softplus": "nn.functional.softplus"}
"""Functions that are not called torch.NAME."""


def step_facts(cell: Cell) -> dict[str, Any]:
    """What a template needs to write a layer of these cells: the equations as code, names and where states start.

    Raises InputError for a step that is too long to print.
    """
    if clash := set(cell.gates) & set(cell.states):
        raise InputError(f'a notebook cannot yet write out the cell "{cell.name}": gate and state "{min(clash)}"')
    return {
        "lines": [f"{_name(one.left)} = {_code(one.right)}" for one in equations(cell)],
        "class": "".join(word.capitalize() for word in cell.name.replace("-", " ").replace("_", " ").split()),
        "gates": cell.gates,
        "parameters": sorted(cell.parameters),  # as torch's ParameterDict has them, so that they are drawn alike
        "inner": cell.recurrent_bias,
        "recurrent": cell.recurrent,
        "starts": [(name, cell.initial_state.get(name, 0.0)) for name in cell.states],
        "output": cell.states[0],
    }


def _name(symbol: Symbol) -> str:
    """What a symbol is called in code: x_forget and r_forget, forget, h and new_h, self.forget_peephole."""
    told = {
        "input": f"x_{symbol.name}",
        "past": f"r_{symbol.name}",
        "before": symbol.name,
        "after": f"new_{symbol.name}",
        "parameter": f"self.{symbol.name}",
        "gate": symbol.name + "_again" * symbol.primes,
        "sum": f"{symbol.name}_sum",
        "shared": f"part_{symbol.name.replace('+', 'x')}",
    }
    return told[symbol.kind]


def _code(one: Expression, closest: int = 0) -> str:
    """An expression, in brackets where it binds less closely than what is around it."""
    text, binds = _plain(one)
    return f"({text})" if binds < closest else text


def _plain(one: Expression) -> tuple[str, int]:
    if isinstance(one, Symbol):
        return _name(one), UNIT
    if isinstance(one, Number):
        return repr(one.value), UNIT if one.value >= 0 else SUM
    first, last = one.operands[0], one.operands[-1]
    if one.name in ("+", "-"):
        return f"{_code(first, SUM)} {one.name} {_code(last, SUM if one.name == '+' else PRODUCT)}", SUM
    if one.name in ("*", "/"):
        return f"{_code(first, PRODUCT)} {one.name} {_code(last, PRODUCT if one.name == '*' else UNIT)}", PRODUCT
    if one.name == "negative":
        return f"-{_code(first, UNIT)}", SUM
    if one.name == "^":
        return f"{_code(first, UNIT)} ** {_code(last, UNIT)}", PRODUCT
    return _call(one), UNIT


def _call(one: Operation) -> str:
    first, last = one.operands[0], one.operands[-1]
    if one.name == "log" and isinstance(first, Operation) and first.name == "sigmoid":
        return f"nn.functional.logsigmoid({_code(first.operands[0])})"  # where the sigmoid is too small for a float
    if one.name in ("maximum", "minimum") and (isinstance(first, Number) or isinstance(last, Number)):
        values, bound = (last, first) if isinstance(first, Number) else (first, last)
        return f"{_code(values, UNIT)}.clamp({'min' if one.name == 'maximum' else 'max'}={_code(bound)})"
    return f"{CALLS.get(one.name, f'torch.{one.name}')}({', '.join(map(_code, one.operands))})"
