"""The fused kernel under rough handling: threads, graphs, memory, tensors of every kind."""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from cell_samples import DOUBLE, REFERENCE, Sample, close, make_inputs, tensors, with_tensors
from lstmlab import kernels
from lstmlab.cells import CELLS, State
from lstmlab.kernels import passes, room
from lstmlab.nn import Recurrent
from lstmlab.types import Padded

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("many_threads")]

LSTM = CELLS["lstm"]
SINGLE = torch.float32
ROWS = ("outputs", "h", "c", "gradient of inputs", "gradient of first h", "gradient of first c")
LENGTHS = [9, 0, 14, 3, 14, 1, 7, 2, 11]


def sample(lengths: list[int] = LENGTHS, features: int = 5, hidden: int = 19, dtype: torch.dtype = SINGLE) -> Sample:
    return Sample(LSTM, lengths, features, hidden).to(dtype)


def equal(left: dict[str, Tensor], right: dict[str, Tensor], names: tuple[str, ...] = ROWS) -> bool:
    return all(torch.equal(left[name], right[name]) for name in names)


def leaf_weights(some: Sample) -> dict[str, Tensor]:
    return {name: one.detach().clone().requires_grad_() for name, one in tensors(some.weights).items()}


def fused(some: Sample, values: Tensor | None = None, **changed: Tensor) -> tuple[Padded, State]:
    inputs = some.inputs if values is None else Padded(values, some.inputs.lengths)
    return kernels.run(some.cell, inputs, with_tensors(some.weights, changed), some.begin, kernel="cpu")


# ---- Threads ----


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE], ids=str)
def test_the_number_of_threads_changes_no_bit_of_a_row(dtype: torch.dtype) -> None:
    some = sample(dtype=dtype)
    found = {}
    for threads in (1, 2, 3, 5):
        torch.set_num_threads(threads)
        found[threads] = some.judged("cpu")
    for threads in (2, 3, 5):
        assert equal(found[threads], found[1])
        assert all(close(found[threads][name], right, 1e-5) for name, right in found[1].items())


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_two_threads_may_share_rows(rows: int) -> None:
    some = sample([40, 33, 0][:rows], 8, 256)
    found = {}
    with torch.no_grad():
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            outputs, end = fused(some)
            found[threads] = (outputs.values, end.h, end.c)
    for threads in (2, 3):
        assert all(map(torch.equal, found[threads], found[1]))


def test_many_callers_at_once() -> None:
    torch.set_num_threads(2)
    samples = [sample([n + 3, 0, 7, 5, n][: 1 + n % 5], 1 + n, 8 + 5 * n) for n in range(8)]
    alone = [some.judged("cpu") for some in samples]
    gate = threading.Barrier(8)

    def work(at: int) -> list[dict[str, Tensor]]:
        gate.wait()
        return [samples[at].judged("cpu") for _ in range(5)]

    with ThreadPoolExecutor(8) as pool:
        for right, many in zip(alone, pool.map(work, range(8)), strict=True):
            for found in many:
                assert equal(found, right)
                assert all(close(found[name], one, 1e-5) for name, one in right.items())


def test_one_graph_twice_at_once() -> None:
    some = sample([200] * 8, 16, 32)
    leaf = some.weights.input.clone().requires_grad_()
    total = fused(some, input=leaf)[0].values.square().sum()
    (right,) = torch.autograd.grad(total, leaf, retain_graph=True)
    gate = threading.Barrier(4)

    def work(_: int) -> Tensor:
        gate.wait()
        return torch.autograd.grad(total, leaf, retain_graph=True)[0]

    with ThreadPoolExecutor(4) as pool:
        assert all(close(found, right, 1e-5) for found in pool.map(work, range(4)))


def test_a_module_that_has_run_is_copied_and_shared() -> None:
    module = Recurrent("lstm", 5, 19, 2, bidirectional=True)
    inputs = make_inputs(LENGTHS, 5, dtype=SINGLE)
    outputs, _ = module(inputs)
    outputs.values.sum().backward()
    right = outputs.values.detach()
    twin = deepcopy(module)

    def work(at: int) -> Tensor:
        with torch.no_grad():
            return (module, twin)[at % 2](inputs)[0].values

    with ThreadPoolExecutor(4) as pool:
        assert all(close(found, right, 1e-6) for found in pool.map(work, range(16)))


# ---- Gradients and memory ----


def test_backward_again_gives_the_same() -> None:
    some = sample()
    leaves = leaf_weights(some)
    values = some.inputs.values.clone().requires_grad_()
    outputs, end = fused(some, values, **leaves)
    total = (outputs.values**2).sum() + end.c.sum()
    first, second = (torch.autograd.grad(total, [values, *leaves.values()], retain_graph=True) for _ in range(2))
    assert all(map(torch.equal, first, second))
    total.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        total.backward()


def test_a_second_derivative_is_refused() -> None:
    some = sample()
    values = some.inputs.values.clone().requires_grad_()
    outputs, _ = fused(some, values)
    (gradient,) = torch.autograd.grad((outputs.values**2).sum(), values, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.fixture
def living(monkeypatch: pytest.MonkeyPatch) -> Iterator[weakref.WeakSet]:
    """The passes and their rooms that are alive, with Python's garbage collector off: no cycle may keep them."""
    alive: weakref.WeakSet = weakref.WeakSet()

    def watched(kind: type) -> Callable[..., None]:
        plain = kind.__init__

        def init(self: object, *args: object, **named: object) -> None:
            plain(self, *args, **named)
            alive.add(self)

        return init

    for kind in (passes.Pass, room.Room):
        monkeypatch.setattr(kind, "__init__", watched(kind))
    gc.collect()
    gc.disable()
    yield alive
    gc.enable()


def test_a_dropped_graph_gives_its_memory_back(living: weakref.WeakSet) -> None:
    some = sample()
    values = some.inputs.values.clone().requires_grad_()
    outputs, end = fused(some, values)
    assert living
    del outputs, end
    assert not list(living)
    fused(some, values)[0].values.sum().backward()
    assert not list(living)
    with torch.no_grad():
        kept = fused(some, values)
    assert kept[0].values.grad_fn is None
    assert not [one for one in living if isinstance(one, passes.Pass)]


def test_backward_gives_the_history_back_though_results_live(living: weakref.WeakSet) -> None:
    some = sample()
    outputs, _ = fused(some, some.inputs.values.clone().requires_grad_())
    outputs.values.sum().backward()
    assert not [one for one in living if isinstance(one, room.Room)]


@pytest.mark.slow
def test_what_was_handed_out_is_never_written_again() -> None:
    torch.set_num_threads(2)
    kept, copies = [], []
    for n in range(15):
        some = sample([n % 7, 40, n], 3 + n % 4, 16 + n)
        leaves = leaf_weights(some)
        outputs, end = fused(some, some.inputs.values.clone().requires_grad_(), **leaves)
        total = outputs.values.sum() + end.c.sum()
        for _ in range(2):
            total.backward(retain_graph=True)
        found = [outputs.values, end.h, end.c, *(one.grad for one in leaves.values())]
        kept += found
        copies += [one.detach().clone() for one in found]
        with torch.no_grad():
            fused(some)
    assert all(map(torch.equal, kept, copies))


def test_a_final_state_that_its_owner_changes_stays_changed() -> None:
    some = sample()
    outputs, end = fused(some, some.inputs.values.clone().requires_grad_())
    end.c.detach().fill_(7)
    for _ in range(2):
        outputs.values.sum().backward(retain_graph=True)
    assert (end.c == 7).all()


@pytest.mark.parametrize("name", ["values", "input", "recurrent", "outputs"])
def test_writing_over_what_backward_needs_is_noticed(name: str) -> None:
    some = sample([14, 14, 14])
    places = {"values": some.inputs.values, "input": some.weights.input, "recurrent": some.weights.recurrent}
    outputs, _ = fused(some, bias=some.weights.bias.clone().requires_grad_())
    total = outputs.values.sum()
    with torch.no_grad():
        places.get(name, outputs.values).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


@pytest.mark.parametrize("wanted", ["values", "input", "recurrent", "bias", "h", "c", "nothing"])
def test_only_one_tensor_wants_a_gradient(wanted: str) -> None:
    some = sample()
    every = {"values": some.inputs.values, **tensors(some.weights), **dict(some.begin.items())}
    found = {}
    for which in (wanted, "all"):
        leaves = {k: one.clone().requires_grad_(k == which or which == "all") for k, one in every.items()}
        weights = with_tensors(some.weights, {k: leaves[k] for k in tensors(some.weights)})
        begin = State(h=leaves["h"], c=leaves["c"])
        outputs, end = kernels.run(LSTM, Padded(leaves["values"], some.inputs.lengths), weights, begin, kernel="cpu")
        if which == "nothing":
            assert outputs.values.grad_fn is None
            assert end.c.grad_fn is None
            return
        (outputs.values.sum() + end.c.sum()).backward()
        found[which] = leaves
    assert torch.equal(found[wanted][wanted].grad, found["all"][wanted].grad)
    assert [name for name, leaf in found[wanted].items() if leaf.grad is not None] == [wanted]


@pytest.mark.parametrize("quiet", [torch.no_grad, torch.inference_mode], ids=["no_grad", "inference_mode"])
def test_without_a_graph_the_numbers_are_the_same(quiet: Callable) -> None:
    some = sample()
    leaves = leaf_weights(some)
    right, last = fused(some, **leaves)
    with quiet():
        outputs, end = fused(some, **leaves)
    assert outputs.values.grad_fn is None
    assert torch.equal(outputs.values, right.values)
    assert torch.equal(end.c, last.c)


CHANGES: dict[str, Callable[[Tensor], object]] = {
    "negated": lambda one: one.neg_(),
    "doubled": lambda one: one.mul_(2),
    "halved": lambda one: one.mul_(0.5),
    "two signs": lambda one: one.view(-1)[0:256:128].neg_(),
    "two rows exchanged": lambda one: one.copy_(one[[1, 0, *range(2, len(one))]]),
    "one number": lambda one: one.view(-1)[7:8].add_(0.5),
    "behind torch's back": lambda one: one.data[3].mul_(2),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", ["input", "recurrent"])
def test_weights_that_change_in_place_are_seen(name: str, change: str) -> None:
    """Without a gradient too, where weights that stay the same need not be packed again."""
    some = sample([3, 2], 128, 128)
    with torch.no_grad():
        before, _ = fused(some)
        CHANGES[change](getattr(some.weights, name))
        after, _ = fused(some)
        right, _ = some.run(REFERENCE)
    assert close(after.values, right.values, 1e-5)
    assert not torch.equal(after.values, before.values)


def test_scattered_tensors() -> None:
    some = sample()
    right = some.judged("cpu")
    other = replace(some)
    other.inputs = Padded(some.inputs.values.permute(2, 0, 1).contiguous().permute(1, 2, 0), some.inputs.lengths)
    turned = {
        name: one.flip(0).flip(0) if one.dim() < 2 else one.T.contiguous().T
        for name, one in tensors(some.weights).items()
    }
    other.weights = with_tensors(some.weights, turned)
    other.begin = some.begin.map(lambda value: torch.stack([value, value], -1)[..., 0])
    assert not other.inputs.values.is_contiguous()
    assert not other.begin.h.is_contiguous()
    assert equal(other.judged("cpu"), right, tuple(right))


def test_no_features_and_no_steps() -> None:
    """Inputs that say nothing: the cell runs on its biases alone."""
    for lengths in ([3, 0, 2], [0, 4]):
        some = sample(lengths, 2, 5, DOUBLE)
        some.inputs = Padded(some.inputs.values[..., :0], some.inputs.lengths)
        some.weights = replace(some.weights, input=some.weights.input[:, :0])
        ours, theirs = (some.judged(kernel) for kernel in ("cpu", REFERENCE))
        assert all(close(ours[name], right) for name, right in theirs.items())


def test_under_autocast_the_layer_runs() -> None:
    """Inputs then come in half precision while the weights are whole: torch's own layers take that."""
    module, inputs = Recurrent("lstm", 5, 19, 2), make_inputs(LENGTHS, 5, dtype=SINGLE)
    right, _ = module(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = module(Padded(torch.nn.functional.linear(inputs.values, torch.eye(5)), inputs.lengths))
        outputs.values.float().sum().backward()
    assert close(outputs.values.float(), right.values, 0.05)
    assert all(one.grad.isfinite().all() for one in module.parameters())


def test_what_was_packed_lately_is_kept_up_to_a_size() -> None:
    packed, made = room.Packed(size=1000), []

    def pack() -> SimpleNamespace:
        made.append(SimpleNamespace(size=400))
        return made[-1]

    for at in range(5):
        packed.get(at, "state", pack)
    # The last ones are there, in another state they are made anew, and the first have gone.
    assert packed.get(4, "state", pack) is made[4]
    assert packed.get(4, "changed", pack) is made[5]
    assert packed.get(0, "state", pack) is made[6]
    assert packed.get(4, "changed", pack) is made[5]
    assert packed.get(3, "state", pack) is made[7]
