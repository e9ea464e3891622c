"""The fused kernel and processes: forks, spawned ones, two that compile at once, a damaged or foreign cache.

Run as a program it plays one scenario: `python tests/test_cpu_processes.py fork`. There torch is imported once, each
part runs in a forked child with a kernel cache of its own, and no check of shapes stands before the kernel.
"""

import os
import shutil
import stat
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from cell_samples import REFERENCE, Sample, close, make_inputs, make_weights
from lstmlab import kernels
from lstmlab.cells import CELLS, Cell, Gates, State, tanh
from lstmlab.cells.cell import Step
from lstmlab.errors import InputError
from lstmlab.kernels import build, passes, room
from lstmlab.kernels.noise import Noise
from lstmlab.kernels.variant import Variant
from lstmlab.nn import Recurrent
from lstmlab.types import Padded

LSTM, SMALL = CELLS["lstm"], CELLS["rnn"]
"""The second one is compiled in half the time, and scenarios compile it again and again."""
LENGTHS = [9, 0, 14, 3, 14, 1, 7, 2, 11]
PATIENCE = 30.0
"""Seconds after which a child hangs."""
forked = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")


# ---- In a child ----


class Known:
    """A sample and what the reference makes of it, known before any fork: PyTorch's own threads do not survive one."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.sample = Sample(SMALL, LENGTHS, 5, 19).to(torch.float32)
        self.right = self.sample.judged(REFERENCE)

    def check(self) -> None:
        """Forward and backward agree with the reference."""
        ours = self.sample.judged("cpu")
        for name, right in self.right.items():
            assert close(ours[name], right, 1e-4), name


def in_child(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def wait(*children: int) -> None:
    end = time.monotonic() + PATIENCE
    for child in children:
        while not (found := os.waitpid(child, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.kill(child, 9)
                os.waitpid(child, 0)
                raise TimeoutError("a child hangs")
            time.sleep(0.01)
        assert found[1] == 0, f"a child ended with {os.waitstatus_to_exitcode(found[1])}"


def cached_in(folder: Path, work: Callable[[], None]) -> Callable[[], None]:
    def there() -> None:
        os.environ["LSTMLAB_CACHE"] = str(folder)
        work()

    return there


# ---- Scenarios ----


def fork(known: Known, _: Path) -> None:
    """After passes with two threads, also while others hold every lock there is."""
    torch.set_num_threads(2)
    known.check()
    wait(*(in_child(known.check) for _ in range(2)))
    known.check()
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            known.check()

    threads = [threading.Thread(target=busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            wait(in_child(known.check))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def fork_beside_a_compiler(known: Known, _: Path) -> None:
    """Another thread holds the locks of kernels and memory at the moment of the fork."""
    known.check()
    for lock in (build._lock, passes.POOL, passes.PACKED, room.ARENA):
        lock = getattr(lock, "_lock", lock)
        if not hasattr(lock, "acquire"):
            continue
        held, done = threading.Event(), threading.Event()

        def hold(lock: threading.Lock = lock, held: threading.Event = held, done: threading.Event = done) -> None:
            with lock:
                held.set()
                done.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        held.wait()
        child = in_child(known.check)
        try:
            wait(child)
        finally:
            done.set()
            thread.join()


def truncated_source(known: Known, folder: Path) -> None:
    for part in (0, 0.6):
        for path in copied(folder).glob("lstmlab_rnn_*.py"):
            path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
        wait(in_child(cached_in(folder, known.check)))


def truncated_vectors(known: Known, folder: Path) -> None:
    for path in copied(folder).glob("lstmlab_vectors_*.py"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    wait(in_child(cached_in(folder, known.check)))


def damaged_machine_code(known: Known, folder: Path) -> None:
    for ending, content in (("nbi", b""), ("nbc", b"\x80\x04nonsense"), ("pyc", b"\x80\x04nonsense")):
        for path in copied(folder).glob(f"__pycache__/*.{ending}"):
            path.write_bytes(content)
        wait(in_child(cached_in(folder, known.check)))


def missing_machine_code(known: Known, folder: Path) -> None:
    shutil.rmtree(copied(folder) / "__pycache__")
    wait(in_child(cached_in(folder, known.check)))


def no_folder(known: Known, folder: Path) -> None:
    """Where the cache cannot be, a temporary folder serves; it is gone afterwards."""
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    places = folder.with_name("places")
    child = os.fork()
    if not child:
        os.environ["LSTMLAB_CACHE"] = str(folder)
        known.check()
        assert list(build._folder().glob("lstmlab_rnn_*.py"))
        places.write_text(str(build._folder()))
        sys.exit(0)
    wait(child)
    assert not Path(places.read_text()).exists()
    assert folder.read_text() == "in the way"
    if os.geteuid():
        locked = copied(folder.with_name("locked"))
        locked.chmod(0o500)
        wait(in_child(cached_in(locked.parent, known.check)))


def loose_folder(known: Known, folder: Path) -> None:
    """What others could write to is not trusted: it is emptied, or left alone for a temporary folder."""
    kernels_folder = copied(folder)
    kernels_folder.chmod(0o777)
    for path in kernels_folder.glob("lstmlab_*.py"):
        path.write_text(f"open({str(folder / 'stolen')!r}, 'w').close()\n" + path.read_text())

    def work() -> None:
        known.check()
        assert build._folder() != kernels_folder or not stat.S_IMODE(kernels_folder.stat().st_mode) & 0o022

    wait(in_child(cached_in(folder, work)))
    assert not (folder / "stolen").exists(), "code that others could have written was run"


def loose_file(known: Known, folder: Path) -> None:
    """In a folder of our own, a file that others could write to is made anew; with any umask it is then kept."""
    os.umask(0)
    for pattern in ("lstmlab_rnn_*.py", "__pycache__/lstmlab_rnn_*.nbi", "lstmlab_vectors_*.ready"):
        kernels_folder = copied(folder)
        for path in kernels_folder.glob(pattern):
            path.chmod(0o666)
        before = ages(kernels_folder, pattern)
        wait(in_child(cached_in(folder, known.check)))
        made = ages(kernels_folder, pattern)
        assert made.keys() == before.keys()
        assert all(made[path] != before[path] for path in before), pattern
        assert not any(path.stat().st_mode & 0o022 for path in kernels_folder.rglob("lstmlab_*"))
        wait(in_child(cached_in(folder, known.check)))
        assert ages(kernels_folder, pattern) == made


def ages(folder: Path, pattern: str) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.glob(pattern)}


def compile_at_once(known: Known, folder: Path) -> None:
    wait(*(in_child(cached_in(folder, known.check)) for _ in range(2)))
    before = {path.name for path in (folder / "kernels").iterdir()}
    wait(in_child(cached_in(folder, known.check)))
    assert {path.name for path in (folder / "kernels").iterdir()} == before
    assert not [name for name in before if name.endswith(".part")]


def exit_of_a_child(known: Known, folder: Path) -> None:
    """A forked child that ends by itself does not take its parent's temporary folder with it."""
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    os.environ["LSTMLAB_CACHE"] = str(folder)
    known.check()
    child = os.fork()
    if not child:
        sys.exit(0)
    os.waitpid(child, 0)
    assert build._folder().exists(), "the child took the folder with it"


def misfits() -> dict[str, Callable[[], object]]:
    """Tensors that do not go together, all of them seen in real code."""
    weights, inputs = make_weights(LSTM, 3, 5, torch.float32), make_inputs([4, 2], 3, dtype=torch.float32)
    state = State(h=torch.zeros(2, 5), c=torch.zeros(2, 5))

    def run(values: Padded = inputs, begin: State | None = None, **changed: torch.Tensor) -> object:
        return kernels.run(LSTM, values, replace(weights, **changed), begin, kernel="cpu")

    lengths = inputs.lengths
    return {
        "state in double": lambda: run(begin=state.map(torch.Tensor.double)),
        "state of another batch": lambda: run(begin=state.map(lambda value: value[:1])),
        "state of another size": lambda: run(begin=state.map(lambda value: value[:, :4])),
        "state without batch": lambda: run(begin=state.map(lambda value: value[0])),
        "inputs in double": lambda: run(Padded(inputs.values.double(), lengths)),
        "inputs in half": lambda: run(Padded(inputs.values.half(), lengths)),
        "whole numbers": lambda: run(Padded(inputs.values.long(), lengths)),
        "other features": lambda: run(Padded(inputs.values[..., :2], lengths)),
        "weights of other features": lambda: run(input=weights.input[:, :2]),
        "fewer gates": lambda: run(input=weights.input[:5]),
        "recurrent in double": lambda: run(recurrent=weights.recurrent.double()),
        "fewer gates in the past": lambda: run(recurrent=weights.recurrent[:5]),
        "short bias": lambda: run(bias=weights.bias[:5]),
        "one length too many": lambda: run(Padded(inputs.values, torch.tensor([4, 2, 1]))),
        "one length too few": lambda: run(Padded(inputs.values, torch.tensor([4]))),
        "a negative length": lambda: run(Padded(inputs.values, torch.tensor([4, -1]))),
        "a length too long": lambda: run(Padded(inputs.values, torch.tensor([4, 5]))),
        "lengths in halves": lambda: run(Padded(inputs.values, torch.tensor([4.0, 1.5]))),
    }


def refuse(name: str) -> Callable[[], None]:
    def work() -> None:
        try:
            misfits()[name]()
        except (ValueError, InputError, TypeError, RuntimeError):
            return
        raise AssertionError(f"{name}: nobody noticed")

    return work


def misfit(known: Known, _: Path) -> None:
    """Whatever does not fit is told, before anything is read or written where it should not be."""
    known.check()
    bad = []
    for name in misfits():
        try:
            wait(in_child(refuse(name)))
        except AssertionError as error:
            bad.append(f"{name}: {error}")
    assert not bad, "\n".join(bad)


def copied(folder: Path) -> Path:
    """The kernels that these tests need, ready to be damaged."""
    shutil.rmtree(folder, ignore_errors=True)
    source = (Path(SHARED) / "kernels").resolve()
    (folder / "kernels").mkdir(parents=True, mode=0o700)
    (folder / "kernels" / "__pycache__").mkdir()
    name = os.environ["LSTMLAB_TEST_KERNEL"]
    for pattern in (f"{name}*", "lstmlab_vectors_float32_*"):
        for part in (".", "__pycache__"):
            for path in (source / part).glob(pattern):
                shutil.copy2(path, folder / "kernels" / part / path.name)
    return folder / "kernels"


SHARED = os.environ.get("LSTMLAB_CACHE", "")
SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        fork, fork_beside_a_compiler, truncated_source, truncated_vectors, damaged_machine_code, missing_machine_code,
        no_folder, loose_folder, loose_file, compile_at_once, exit_of_a_child, misfit,
    )
}  # fmt: skip


# ---- In the test run ----


@forked
@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, tmp_path: Path) -> None:
    build.kernel(Variant(SMALL))  # the shared cache holds what the scenarios copy
    told = {**os.environ, "LSTMLAB_TEST_KERNEL": build._name(Variant(SMALL)), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-W", "ignore", __file__, name, str(tmp_path / "own" / "cache")]
    done = subprocess.run(command, env=told, capture_output=True, text=True, timeout=4 * PATIENCE)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_a_spawned_process_gets_the_module_pickled() -> None:
    module = Recurrent("lstm", 5, 19, 2, bidirectional=True)
    inputs = make_inputs(LENGTHS, 5, dtype=torch.float32)
    outputs, _ = module(inputs)
    outputs.values.sum().backward()
    with get_context("spawn").Pool(1) as processes:
        spawned = processes.apply(evaluated, (module, inputs.values.numpy(), LENGTHS))
    assert close(torch.from_numpy(spawned), outputs.values.detach(), 1e-6)


def evaluated(module: Recurrent, values: np.ndarray, lengths: list[int]) -> np.ndarray:
    outputs, _ = module(Padded(torch.from_numpy(values), torch.tensor(lengths)))
    outputs.values.sum().backward()
    return outputs.values.detach().numpy()


@pytest.mark.slow
@pytest.mark.parametrize("told", [None, "1"])
def test_whether_kernels_can_be_compiled(told: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
    environment |= {"NUMBA_DISABLE_JIT": told} if told else {}
    code = "from lstmlab.kernels import build; print(build.usable())"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(told is None)


SETTINGS = {"factor": 0.5}


class Held:
    """Numbers where a step may find them."""

    factor = 0.5

    def step(self, x: Gates, r: Gates, state: State) -> State:
        return State(h=tanh(self.factor * (x.new + r.new)))

    def __call__(self, x: Gates, r: Gates, state: State) -> State:
        return self.step(x, r, state)


def changing() -> dict[str, tuple[Step, Callable[[], None]]]:
    """Steps, and what changes a number in each."""
    held, box, near = Held(), {"factor": 0.5}, 0.5

    def closed(x: Gates, r: Gates, state: State) -> State:
        return State(h=tanh(near * (x.new + r.new)))

    def change() -> None:
        nonlocal near
        near = 0.25

    def defaults(x: Gates, r: Gates, state: State, factor: float = 0.5) -> State:
        return State(h=tanh(factor * (x.new + r.new)))

    def nested(x: Gates, r: Gates, state: State) -> State:
        return State(h=(lambda value: tanh(SETTINGS["factor"] * value))(x.new + r.new))

    return {
        "closure": (closed, change),
        "default": (defaults, lambda: setattr(defaults, "__defaults__", (0.25,))),
        "dictionary": (lambda x, r, state: State(h=box["factor"] * x.new + r.new), lambda: box.update(factor=0.25)),
        "nested": (nested, lambda: SETTINGS.update(factor=0.25)),
        "method": (held.step, lambda: setattr(held, "factor", 0.25)),
        "callable": (held, lambda: setattr(held, "factor", 0.125)),
        "helper": (lambda x, r, state: closed(x, r, state), change),
    }


@pytest.mark.parametrize("where", list(changing()))
def test_a_number_of_a_step_that_changes_is_noticed(where: str) -> None:
    step, change = changing()[where]
    cell = Cell("changing", ("h",), ("new",), step)
    before = build._constants(cell)
    assert build._constants(cell) == before
    change()
    assert build._constants(cell) != before


@pytest.mark.slow
def test_a_pool_survives_a_thread_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system gives no more threads, the work is done all the same, then and later."""
    torch.set_num_threads(2)
    monkeypatch.setattr(passes, "WORTH_A_THREAD", 1)
    pool = type(passes.POOL)()
    pool._forget()  # as in a forked child: threads of its own
    monkeypatch.setattr(passes, "POOL", pool)
    known = Known()
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refusing)
        known.check()
    known.check()


def refusing(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.mark.slow
def test_noise_is_the_reference_s_in_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "WORTH_A_THREAD", 1)
    weights, inputs = make_weights(LSTM, 5, 19), make_inputs(LENGTHS, 5)
    noise = Noise(0.3, {"h": 0.2}, seed=7)
    right = kernels.run(LSTM, inputs, weights, noise=noise, kernel=REFERENCE)[0].values
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            assert close(kernels.run(LSTM, inputs, weights, noise=noise, kernel="cpu")[0].values, right)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    passes.WORTH_A_THREAD = 1
    SCENARIOS[sys.argv[1]](Known(), Path(sys.argv[2]))
