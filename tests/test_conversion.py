"""Weights in the layouts of torch and Keras."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lstmlab.cells import Cell, Gates, State, tanh
from lstmlab.errors import InputError
from lstmlab.nn import Options, Recurrent
from lstmlab.types import Padded


def peephole(x: Gates, r: Gates, state: State) -> State:
    return State(h=tanh(x.new + r.new + x.peephole * state.h))


PEEPHOLE = Cell("peephole", ("h",), ("new",), peephole, parameters=("peephole",))


def test_torch_layers_that_do_not_fit() -> None:
    layer = Recurrent("lstm", 3, 4)
    with pytest.raises(ValueError, match="takes its weights from torch's LSTM, got GRU"):
        layer.load_torch(nn.GRU(3, 4))
    with pytest.raises(ValueError, match=r"got \(3, 5, 1, False\), expected \(3, 4, 1, False\)"):
        layer.load_torch(nn.LSTM(3, 5))
    with pytest.raises(ValueError, match="torch's RNN"):
        Recurrent("rnn", 3, 4).load_torch(nn.RNN(3, 4, nonlinearity="relu"))
    with pytest.raises(ValueError, match="proj_size"):
        layer.load_torch(nn.LSTM(3, 4, proj_size=2))
    with pytest.raises(ValueError, match="no residual path"):
        Recurrent("lstm", 3, 4, 2, residual=True).to_torch()
    silent = nn.LSTM(3, 4, bias=False, batch_first=True)
    layer.load_torch(silent)
    inputs = torch.randn(2, 5, 3)
    torch.testing.assert_close(layer(Padded(inputs, torch.tensor([5, 5])))[0].values, silent(inputs)[0])


def numbers(shape: tuple[int, ...], phase: int) -> np.ndarray:
    return np.sin(1.7 * np.arange(np.prod(shape)) + phase).reshape(shape).astype("float32")


def keras_arrays(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [numbers(shape, at) for at, shape in enumerate(shapes)]


LSTM_SHAPES, GRU_SHAPES, RNN_SHAPES = ((2, 8), (2, 8), (8,)), ((2, 6), (2, 6), (2, 6)), ((2, 2), (2, 2), (2,))
# What Keras 3.15.1 answers to numbers((2, 3, 2), 9) with the weights keras_arrays(...).
GOLDEN = [
    ("lstm", LSTM_SHAPES, [
        [[-0.049374, -0.092933], [0.151165, -0.3275], [0.133217, -0.256424]],
        [[0.123047, -0.235902], [0.127497, -0.285712], [0.118744, -0.143332]],
    ]),
    ("gru", GRU_SHAPES, [
        [[0.214044, -0.029509], [-0.014926, -0.331744], [0.147716, -0.375554]],
        [[-0.011932, -0.134222], [0.174633, -0.35858], [0.300605, -0.282493]],
    ]),
    ("gru", GRU_SHAPES[:2], [
        [[0.273838, 0.118198], [-0.367317, -0.1121], [0.023961, -0.045497]],
        [[-0.38612, 0.077804], [-0.105753, -0.128099], [-0.131456, 0.115815]],
    ]),
    ("rnn", RNN_SHAPES, [
        [[0.818995, 0.643728], [0.623383, -0.882393], [0.987209, 0.610321]],
        [[0.593202, -0.766062], [0.981114, -0.019024], [0.923771, 0.145135]],
    ]),
    ("lstm", LSTM_SHAPES * 2, [
        [[-0.049374, -0.092933, 0.005739, 0.183427], [0.151165, -0.3275, -0.00305, 0.103505],
         [0.133217, -0.256424, 0.048156, 0.152912]],
        [[0.123047, -0.235902, -0.077124, 0.133793], [0.127497, -0.285712, 0.017861, 0.146682],
         [0.118744, -0.143332, -0.159306, 0.015346]],
    ]),
    ("gru", GRU_SHAPES * 2, [
        [[0.214044, -0.029509, -0.667403, -0.454303], [-0.014926, -0.331744, -0.269983, 0.191336],
         [0.147716, -0.375554, -0.68013, -0.057968]],
        [[-0.011932, -0.134222, -0.399058, 0.204258], [0.174633, -0.35858, -0.672783, 0.231684],
         [0.300605, -0.282493, -0.228778, -0.267363]],
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("cell", "shapes", "answers"), GOLDEN)
def test_equals_keras_with_its_weights(cell: str, shapes: tuple[Any, ...], answers: list[Any]) -> None:
    layer = Recurrent(cell, 2, 2, 1, len(shapes) > 3, options=Options(second_bias=True))
    arrays = keras_arrays(*shapes)
    layer.load_keras(arrays)
    inputs = Padded(torch.from_numpy(numbers((2, 3, 2), 9)), torch.tensor([3, 3]))
    torch.testing.assert_close(layer(inputs)[0].values, torch.tensor(answers), atol=2e-6, rtol=0)
    (back,) = layer.to_keras()
    # What the two biases of a gate add up to is all that counts, except for the new gate.
    assert [one.shape for one in back[: len(arrays)]] == [one.shape for one in arrays] or len(shapes) == 2
    again = Recurrent(cell, 2, 2, 1, len(shapes) > 3)
    again.load_keras(back)
    assert torch.equal(again(inputs)[0].values, layer(inputs)[0].values)


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn", "rnn-relu"])
def test_weights_go_to_keras_and_back(cell: str) -> None:
    layer, other = Recurrent(cell, 3, 4, 3, True), Recurrent(cell, 3, 4, 3, True)
    other.load_keras(*layer.to_keras())
    assert all(torch.equal(one, other.state_dict()[name]) for name, one in layer.state_dict().items())


LSTM_ARRAYS = keras_arrays(*LSTM_SHAPES)


@pytest.mark.parametrize(
    ("cell", "layers", "message"),
    [
        ("lstm", LSTM_ARRAYS[:1], r"layer 0: expected 3 arrays \(kernel, recurrent kernel, bias\), got 1"),
        ("lstm", LSTM_ARRAYS * 2, "expected 3 arrays .*, got 6"),
        ("lstm", LSTM_ARRAYS[::-1], r"layer 0: expected a kernel of \[2, 8\], got \[8\]"),
        ("lstm", [LSTM_ARRAYS[0].T, *LSTM_ARRAYS[1:]], r"expected a kernel of \[2, 8\], got \[8, 2\]"),
        ("lstm", [LSTM_ARRAYS[0], "x", LSTM_ARRAYS[2]], "layer 0, array 1: expected an array of numbers, got str"),
        ("lstm", LSTM_ARRAYS[0], "expected the list that Keras's layer.get_weights.. gives, got ndarray"),
        ("gru", keras_arrays((2, 6), (2, 6), (6,)), "reset_after=False, which resets the state before"),
        ("gru", LSTM_ARRAYS, r"expected a kernel of \[2, 6\], got \[2, 8\]"),
    ],
)
def test_keras_weights_that_do_not_fit(cell: str, layers: Any, message: str) -> None:
    layer = Recurrent(cell, 2, 2)
    before = {name: one.clone() for name, one in layer.state_dict().items()}
    with pytest.raises(InputError, match=message):
        layer.load_keras(layers)
    assert all(torch.equal(one, before[name]) for name, one in layer.state_dict().items())


def test_nothing_is_copied_when_a_later_layer_does_not_fit() -> None:
    layer = Recurrent("lstm", 2, 2, 2)
    before = layer.weights().input.clone()
    with pytest.raises(InputError, match="layer 1: expected 3 arrays"):
        layer.load_keras(keras_arrays(*LSTM_SHAPES), [])
    assert torch.equal(layer.weights().input, before)
    with pytest.raises(InputError, match="expected 2 lists of arrays, one for each layer .*, got 3 arguments"):
        layer.load_keras(*keras_arrays(*LSTM_SHAPES))


def test_layers_without_a_counterpart() -> None:
    for option, told in ((Options(layer_norm="both"), "no layer normalisation"), (Options(zoneout=0.1), "no zoneout")):
        layer = Recurrent("lstm", 2, 2, options=option)
        for convert in (layer.to_torch, layer.to_keras):
            with pytest.raises(ValueError, match=told):
                convert()
    normalised = Recurrent("lstm", 2, 2, options=Options(layer_norm="sum"))
    with pytest.raises(ValueError, match="torch's layers have no layer normalisation, this one has: sum"):
        normalised.load_torch(nn.LSTM(2, 2))
    with pytest.raises(ValueError, match="Keras's layers have no layer normalisation"):
        normalised.load_keras(keras_arrays(*LSTM_SHAPES))
    with pytest.raises(ValueError, match="Keras's layers have no residual path"):
        Recurrent("lstm", 3, 4, 2, residual=True).to_keras()
    with pytest.raises(InputError, match='Keras has no layer for the cell "peephole"'):
        Recurrent(PEEPHOLE, 2, 2).to_keras()
    with pytest.raises(InputError, match='Keras has no layer for the cell "peephole"'):
        Recurrent(PEEPHOLE, 2, 2).load_keras(keras_arrays(*RNN_SHAPES))
