"""Cells as a user might write them: odd names, own parameters, every function there is."""

from lstmlab.cells import CELLS, Cell, Gates, State, exp, log, maximum, minimum, relu, sigmoid, softplus, tanh


def damped(x: Gates, r: Gates, state: State) -> State:
    v = sigmoid(x.damping) * state.v - 0.25 * state.h + relu(x.push + r.push)
    return State(h=maximum(state.h + 0.5 * v, -1) ** 2, v=v)


def everything(x: Gates, r: Gates, state: State) -> State:
    """Gates in each other's functions, a gate with two activations, a constant, a state that nothing is done to."""
    mixed = softplus(x.alpha + r.beta) * exp(-x.weird_gate)
    twice = sigmoid(x.alpha + r.alpha) + tanh(x.alpha + r.alpha)
    memory = log(softplus(state.memory + twice)) - x.beta
    return State(out=minimum(mixed, twice) / (1 + state.memory**2), memory=memory, constant=1.0, same=state.same)


def two_of_one(x: Gates, r: Gates, state: State) -> State:
    """Equal states, the same activation twice on different sums, sum() and a square."""
    both = sum([sigmoid(x.input + r.input), sigmoid(x.input - r.input), 1e-9 * state.m])
    return State(h=both * both, m=both * both)


def blind(x: Gates, _: Gates, state: State) -> State:
    """No past in the gates, a sum on its own, minus signs everywhere."""
    odds = softplus(-x.forget) - softplus(-x.new)
    return State(h=-(-sigmoid(odds) * state.h) - -x.new * (-state.h - 1) / 3)


DAMPED = Cell("damped", ("h", "v"), ("push",), damped, parameters=("damping",), source="Mine, 2024 <i>&</i> \\more")
EVERYTHING = Cell('every"<&>thing', ("out", "memory", "constant", "same"), ("alpha", "beta", "weird_gate"), everything)
TWO_OF_ONE = Cell("two", ("h", "m"), ("input",), two_of_one, recurrent_bias=("input",))
BLIND = Cell("blind", ("h",), ("forget", "new"), blind, recurrent=False)

ODD = {cell.name: cell for cell in (DAMPED, EVERYTHING, TWO_OF_ONE, BLIND)}
ALL = [*CELLS.values(), *ODD.values()]
