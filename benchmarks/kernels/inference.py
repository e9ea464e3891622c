"""One sequence at a time, without a gradient: against torch's LSTM and against ONNX Runtime's LSTM operator."""

import importlib.util
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lstmlab import kernels
from lstmlab.nn import Recurrent
from lstmlab.types import Padded

from .layers import Shape
from .measure import Options, Row, Table, race

SIZES, STEPS = (128, 256), 100
AGAINST_TORCH, AGAINST_TORCH_GOAL = 1.5, 3
AGAINST_ONNX, AGAINST_ONNX_GOAL = 1.0, 1.5
TOLERANCE = 1e-5
# The operator's order of the gates, as rows of torch's (input, forget, cell, output).
ONNX_GATES = (0, 3, 1, 2)
OPSET, IR = 14, 8


def inference(options: Options) -> Table:
    """B 1, T 100, H 128 and 256."""
    table = Table("Inference with the LSTM, B 1, T 100 (their time over ours; milliseconds in columns)")
    with_onnx = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
    if not with_onnx:
        table.notes.append("ONNX Runtime is left out: it is not installed. Try: pip install onnx onnxruntime")
    for hidden in options.sizes(SIZES):
        seconds = timed(hidden, options, with_onnx=with_onnx)
        parts = {name: f"{value * 1e3:.3f}" for name, value in seconds.items()}
        bounds = {"nn.LSTM": (AGAINST_TORCH, AGAINST_TORCH_GOAL), "ONNX Runtime": (AGAINST_ONNX, AGAINST_ONNX_GOAL)}
        for name in list(seconds)[1:]:
            ratio = seconds[name] / seconds["ours"]
            table.rows.append(Row(f"against {name}", f"H {hidden}", parts, ratio, *bounds[name]))
    return table


@torch.no_grad()
def timed(hidden: int, options: Options, *, with_onnx: bool) -> dict[str, float]:
    """Seconds of each side. Raises SystemExit where they do not give the same numbers."""
    shape = Shape(1, STEPS, hidden)
    inputs = shape.inputs(ragged=False)
    inputs = Padded(inputs.values.detach(), inputs.lengths)
    layer = Recurrent("lstm", hidden, hidden).eval()
    module = layer.to_torch().eval()
    weights = layer.weights()

    def ours() -> Tensor:
        if options.kernel is None:
            return layer(inputs)[0].values
        return kernels.run(layer.cell, inputs, weights, kernel=options.kernel)[0].values

    sides: dict[str, Any] = {"ours": ours, "nn.LSTM": lambda: module(inputs.values)[0]}
    if with_onnx:
        sides["ONNX Runtime"] = onnx_session(module, inputs.values, options.threads)
    expected = sides["nn.LSTM"]()
    for name, side in sides.items():
        error = float(np.abs(np.asarray(side()).reshape(expected.shape) - expected.numpy()).max())
        if not error <= TOLERANCE:
            raise SystemExit(f"inference, H {hidden}: {name} is {error:.1e} away from nn.LSTM: nothing was timed")
    return race(sides, 3 * options.rounds)


def onnx_session(module: nn.LSTM, values: Tensor, threads: int) -> Any:
    """A call of ONNX Runtime's LSTM operator with the module's weights, on values [1 T F]; its output is [T 1 1 H]."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(
        onnx_model(module, values.shape[1]), settings, providers=["CPUExecutionProvider"]
    )
    fed = {"x": np.ascontiguousarray(values.numpy().transpose(1, 0, 2))}
    return lambda: session.run(None, fed)[0]


def onnx_model(module: nn.LSTM, steps: int) -> bytes:
    """A graph of nothing but the operator, its weights inside."""
    from onnx import TensorProto, checker, helper, numpy_helper

    hidden, features = module.hidden_size, module.input_size
    stored = {
        "w": _turned(module.weight_ih_l0)[None],
        "r": _turned(module.weight_hh_l0)[None],
        "b": np.concatenate([_turned(module.bias_ih_l0), _turned(module.bias_hh_l0)])[None],
    }
    node = helper.make_node("LSTM", ["x", *stored], ["y", "h", "c"], hidden_size=hidden)
    graph = helper.make_graph(
        [node],
        "lstm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [steps, 1, features])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [steps, 1, 1, hidden]),
            *(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, hidden]) for name in ("h", "c")),
        ],
        [numpy_helper.from_array(value, name) for name, value in stored.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    checker.check_model(model)
    return model.SerializeToString()


def _turned(stacked: Tensor) -> np.ndarray:
    pieces = stacked.detach().chunk(len(ONNX_GATES))
    return torch.cat([pieces[at] for at in ONNX_GATES]).numpy()
