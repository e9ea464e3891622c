"""Laws of encoders and of the classifier made of one: padding, order, batch size, causality."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lstmlab.cells import CELLS, State
from lstmlab.errors import InputError
from lstmlab.kernels import native
from lstmlab.nn import (
    ENCODERS,
    POOLINGS,
    Classifier,
    ClassifierSettings,
    EmbeddingSettings,
    Encoder,
    EncoderSettings,
    regularisation,
)
from lstmlab.nn.recurrent import Recurrent
from lstmlab.types import Padded

FEATURES = 3
STACKS = {
    "one way": EncoderSettings(hidden_size=4, bidirectional=False),
    "both ways": EncoderSettings(hidden_size=4),
    "two layers both ways": EncoderSettings(hidden_size=3, num_layers=2, dropout=0.5),
    "residual": EncoderSettings(hidden_size=3, num_layers=3, bidirectional=False, residual=True),
    "one unit": EncoderSettings(hidden_size=1, initialisation="orthogonal"),
}
DROPOUTS = {"dropout": 0.5, "locked": True, "recurrent_dropout": 0.5, "weight_drop": 0.5, "zoneout": 0.2}
OPTIONS = {
    "both normalised": EncoderSettings(hidden_size=4, layer_norm="both"),
    "input normalised": EncoderSettings(hidden_size=4, layer_norm="input"),
    "sum normalised": EncoderSettings(hidden_size=4, bidirectional=False, layer_norm="sum"),
    # All of them are off where the laws are about answers, except zoneout, which takes its mean.
    "dropouts": EncoderSettings(hidden_size=3, num_layers=2, **DROPOUTS),
    "dropouts one way": EncoderSettings(hidden_size=3, bidirectional=False, zoneout_memory=0.3, **DROPOUTS),
}
OTHERS = {
    "one way": {"hidden_size": 4, "bidirectional": False},
    "both ways": {"hidden_size": 4},
    "two layers both ways": {"hidden_size": 3, "num_layers": 2, "dropout": 0.5},
    "three layers one way": {"hidden_size": 5, "num_layers": 3, "bidirectional": False, "residual": True},
    "all that is its own": {"hidden_size": 5, "num_layers": 2, "width": 4, "dilated": True, "heads": 2},
    "wider than a text": {"hidden_size": 2, "width": 9, "heads": 3},
}
"""What an encoder that is not recurrent is tried in."""
TWINS = [name for name, cell in CELLS.items() if native.layout(cell) is not None]
"""Cells that torch has too."""


def stacks(name: str) -> dict[str, EncoderSettings]:
    """What a cell is tried in: the LSTM in all options, another in one or two, since each has to be compiled.

    Which options a cell cannot have, and that they are refused, is tested elsewhere.
    """
    options = dict(OPTIONS)
    for shape, stack in OPTIONS.items():
        try:
            regularisation.check(CELLS[name], stack.options)
        except InputError:
            del options[shape]
    if "both normalised" in options:
        del options["input normalised"]
    if name != "lstm":
        turn = list(CELLS).index(name)
        options = {shape: stack for at, (shape, stack) in enumerate(options.items()) if (at + turn) % 3 == 0}
    return {**STACKS, **options}


# The plain LSTM's kernel is there already; each other cell and option has to be compiled.
QUICK = [("lstm", shape) for shape in STACKS]
RECURRENT = [
    pytest.param(
        ENCODERS["recurrent"],
        stack.model_copy(update={"cell": cell}),
        id=f"recurrent, {cell}, {shape}",
        marks=[] if (cell, shape) in QUICK else [pytest.mark.slow],
    )
    for cell in CELLS
    for shape, stack in stacks(cell).items()
]
ENCODED = RECURRENT + [
    pytest.param(build, EncoderSettings(kind=kind, **told), id=f"{kind}, {shape}")
    for kind, build in ENCODERS.items()
    if kind != "recurrent"
    for shape, told in OTHERS.items()
]
Build = Callable[[EncoderSettings, int], Encoder]
over_encoders = pytest.mark.parametrize(("build", "stack"), ENCODED)
RAGGED = (([5, 0, 2, 3], 1), ([1], 30), ([2, 2], 7))
"""Lengths of rows and more padding. The laws of kernels try any lengths; here it is about what stands around them."""
quick = settings(deadline=None, max_examples=6, derandomize=True)
lengths_of_rows = st.lists(st.integers(0, 5), min_size=1, max_size=4).filter(any)
WORDS = 12


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def make_inputs(lengths: list[int]) -> Padded:
    return Padded(torch.randn(len(lengths), max(lengths), FEATURES), torch.tensor(lengths)).masked()


def made(build: Build, stack: EncoderSettings, dtype: torch.dtype = torch.float32) -> Any:
    return build(stack, FEATURES).to(dtype).eval()


def longer(inputs: Padded, extra: int, filler: Tensor) -> Padded:
    """More padding, all of it (the old one too) filled with what means nothing."""
    tail = inputs.values.new_zeros(len(inputs.lengths), extra, *inputs.values.shape[2:])
    values = torch.cat([inputs.values, tail], 1)
    mask = Padded(values, inputs.lengths).mask
    return Padded(torch.where(mask.reshape(*mask.shape, *[1] * (values.dim() - 2)), values, filler), inputs.lengths)


def near(left: Tensor, right: Tensor, tolerance: float = 2e-6) -> bool:
    return left.shape == right.shape and bool(((left - right).abs() <= tolerance).all())


def same(left: State, right: State, tolerance: float = 2e-6) -> bool:
    return all(near(left[name], right[name], tolerance) for name in right.names)


@over_encoders
def test_more_padding_changes_no_bit(build: Build, stack: EncoderSettings) -> None:
    encoder = made(build, stack)
    for lengths, extra in RAGGED:
        inputs = make_inputs(lengths)
        outputs, end = encoder(inputs)
        padded, last = encoder(longer(inputs, extra, torch.tensor(9.0)))
        assert torch.equal(padded.values[:, : max(lengths)], outputs.values)
        assert not padded.values[:, max(lengths) :].any()
        assert not outputs.values.masked_fill(outputs.mask[:, :, None], 0).any()
        assert all(torch.equal(last[name], end[name]) for name in end.names)


@over_encoders
def test_order_and_batch_size_change_nothing(build: Build, stack: EncoderSettings) -> None:
    # A normalisation magnifies rounding where all numbers are nearly the same, so there it takes more digits.
    dtype = torch.float32 if stack.layer_norm == "none" else torch.float64
    encoder, inputs = made(build, stack, dtype), make_inputs([5, 0, 2, 3, 5])
    inputs = Padded(inputs.values.to(dtype), inputs.lengths)
    outputs, end = encoder(inputs)
    for rows in (torch.tensor([3, 1, 4, 0, 2]), torch.tensor([2, 1]), torch.tensor([4])):
        some, last = encoder(Padded(inputs.values[rows], inputs.lengths[rows]))
        assert near(some.values, outputs.values[rows])
        assert same(last, end.map(lambda value, rows=rows: value[:, rows]))


@over_encoders
def test_what_an_encoder_says_of_itself_is_true(build: Build, stack: EncoderSettings) -> None:
    """Its sizes, a state that nobody asks for, and rows with nothing in them at all."""
    encoder = made(build, stack)
    for lengths in ([4, 2, 0], [0, 0]):
        outputs, end = encoder(make_inputs(lengths))
        assert tuple(outputs.values.shape) == (len(lengths), max(lengths), encoder.output_size)
        assert all(value.isfinite().all() and value.shape[1] == len(lengths) for _, value in end.items())
        assert end[end.names[0]].shape[2] * len(encoder.directions) == encoder.output_size
    assert encoder(make_inputs([3]), final_state=False)[1] is None
    with pytest.raises(ValueError, match=r"expected inputs \[B T 3\]"):
        encoder(Padded(torch.zeros(1, 2, FEATURES + 1), torch.tensor([2])))


@pytest.mark.parametrize("kind", [kind for kind in ENCODERS if kind != "recurrent"])
def test_what_carries_no_state_takes_none(kind: str) -> None:
    encoder, inputs = ENCODERS[kind](EncoderSettings(kind=kind, hidden_size=4), FEATURES), make_inputs([3, 0, 1])
    outputs, end = encoder(inputs)
    assert near(end.h[0], outputs.values.sum(1) / torch.tensor([[3], [1], [1]]))
    with pytest.raises(ValueError, match="carries no state"):
        encoder(inputs, end)


@pytest.mark.parametrize(("build", "stack"), RECURRENT)
def test_state_goes_on_where_it_stopped(build: Build, stack: EncoderSettings) -> None:
    """Split anywhere = unsplit, and no state = the initial state."""
    encoder, inputs = made(build, stack, torch.float64), make_inputs([5, 5, 5])
    inputs = Padded(inputs.values.double(), inputs.lengths)
    outputs, end = encoder(inputs)
    begin = encoder.cell.start(torch.empty_like(end[encoder.cell.states[0]]))
    assert torch.equal(encoder(inputs, begin)[0].values, outputs.values)
    if encoder.causal:
        left, middle = encoder(Padded(inputs.values[:, :2], torch.tensor([2, 2, 2])))
        right, last = encoder(Padded(inputs.values[:, 2:], torch.tensor([3, 3, 3])), middle)
        assert near(torch.cat([left.values, right.values], 1), outputs.values, 1e-12)
        assert same(last, end, 1e-12)


@over_encoders
def test_the_future_does_not_change_the_past(build: Build, stack: EncoderSettings) -> None:
    encoder, inputs = made(build, stack, torch.float64), make_inputs([7] * 32)
    before = Padded(inputs.values.double(), inputs.lengths)
    after = Padded(before.values.clone(), inputs.lengths)
    after.values[:, 4:] += 1
    left, right = (encoder(one)[0].values for one in (before, after))
    assert not near(left[:, 4:], right[:, 4:])
    assert near(left[:, :4], right[:, :4], 1e-12) == encoder.causal


@over_encoders
def test_every_weight_learns(build: Build, stack: EncoderSettings) -> None:
    torch.manual_seed(2)
    encoder = made(build, stack, torch.float64)
    inputs = Padded(torch.randn(32, 6, FEATURES, dtype=torch.float64), torch.tensor([6, 3] * 16)).masked()
    outputs, end = encoder(inputs)
    (outputs.values.sin().sum() + end[end.names[0]].cos().sum()).backward()
    for name, one in encoder.named_parameters():
        assert one.grad.abs().sum() > 0, name


@pytest.mark.slow
@pytest.mark.parametrize("cell", TWINS)
@pytest.mark.parametrize("shape", [shape for shape, stack in STACKS.items() if not stack.residual])
def test_equals_torch_with_weights_by_gate_name(shape: str, cell: str) -> None:
    """Each row alone at its own length, both ways round: their weights here, our weights there."""
    stack, build = STACKS[shape].model_copy(update={"cell": cell}), ENCODERS["recurrent"]
    encoder = made(build, stack, torch.float64)
    witness = encoder.to_torch()
    second = made(build, stack, torch.float64)
    second.load_torch(witness)
    inputs = make_inputs([5, 1, 3])
    inputs = Padded(inputs.values.double(), inputs.lengths)
    sizes = (stack.num_layers * len(encoder.directions), 3, stack.hidden_size)
    begin = State(**{name: torch.randn(sizes, dtype=torch.float64) for name in encoder.cell.states})
    for one in (encoder, second):
        outputs, end = one(inputs, begin)
        for row, length in enumerate([5, 1, 3]):
            first = tuple(value[:, row : row + 1].contiguous() for _, value in begin.items())
            theirs, last = witness(inputs.values[row : row + 1, :length], first if len(first) > 1 else first[0])
            assert near(outputs.values[row, :length], theirs[0], 1e-12)
            last = last if isinstance(last, tuple) else (last,)
            assert all(
                near(end[name][:, row], state[:, 0], 1e-12) for name, state in zip(one.cell.states, last, strict=True)
            )


@pytest.mark.slow
@pytest.mark.parametrize("cell", TWINS)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
def test_one_seed_gives_torchs_own_function(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(4)
    ours = Recurrent(cell, 3, 5, 2, bidirectional)
    torch.manual_seed(4)
    bend = {"nonlinearity": "relu"} if cell == "rnn-relu" else {}
    theirs = native.layout(ours.cell).module(3, 5, 2, bidirectional=bidirectional, batch_first=True, **bend)
    inputs = torch.randn(2, 6, 3)
    assert near(ours(Padded(inputs, torch.tensor([6, 6])))[0].values, theirs(inputs)[0])


@pytest.mark.slow
@pytest.mark.parametrize("cell", list(CELLS))
def test_gradients_through_both_directions(cell: str) -> None:
    encoder = Recurrent(cell, 2, 2, 2, True).double()
    lengths = torch.tensor([4, 2, 0])
    mask = Padded(torch.zeros(3, 4, 1), lengths).mask[:, :, None]
    values = torch.randn(3, 4, 2, dtype=torch.float64, requires_grad=True)
    named = dict(encoder.named_parameters())

    def function(values: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        outputs, end = torch.func.functional_call(
            encoder, dict(zip(named, weights, strict=True)), (Padded(values * mask, lengths),)
        )
        return outputs.values, *(value for _, value in end.items())

    assert torch.autograd.gradcheck(function, (values, *named.values()), fast_mode=True)


READERS = STACKS | {
    kind: EncoderSettings(kind=kind, hidden_size=3, num_layers=2, dropout=0.5)
    for kind in ENCODERS
    if kind != "recurrent"
}
CLASSIFIERS = [
    pytest.param(
        ClassifierSettings(embedding=EmbeddingSettings(size=4), encoder=stack, pooling=how, segment_length=length),
        id=f"{shape}, {'+'.join(how)}, segments {length}",
    )
    for shape, stack in READERS.items()
    for how, length in [*(((name,), None) for name in POOLINGS), (("max", "mean", "attention"), 2)]
]


def classifier(settings_: ClassifierSettings) -> nn.Module:
    model = Classifier(settings_, WORDS, 3).eval()
    for name, one in model.named_parameters():
        if name.endswith("query"):  # begins at zero
            nn.init.normal_(one)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("settings_", CLASSIFIERS)
@quick
@given(lengths=lengths_of_rows, extra=st.integers(1, 30), seed=st.integers(0, 99))
def test_answers_depend_on_the_text_alone(
    settings_: ClassifierSettings, lengths: list[int], extra: int, seed: int
) -> None:
    model = classifier(settings_)
    inputs = Padded(torch.randint(1, WORDS, (len(lengths), max(lengths))), torch.tensor(lengths)).masked()
    with torch.no_grad():
        answers = model(inputs)
        assert answers.isfinite().all()
        assert torch.equal(model(longer(inputs, extra, torch.tensor(7))), answers)
        order = torch.randperm(len(lengths), generator=torch.Generator().manual_seed(seed))
        for rows in (order, order[:1]):
            assert near(model(Padded(inputs.values[rows], inputs.lengths[rows])), answers[rows], 1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", ["two layers both ways", "dropouts", "dropouts one way", *list(READERS)[len(STACKS) :]]
)
def test_more_padding_changes_no_bit_of_training(shape: str) -> None:
    """Dropout included: under one seed the same numbers are dropped."""
    stack = {**READERS, **OPTIONS}[shape]
    embedding = EmbeddingSettings(size=4, word_dropout=0.3, locked_dropout=0.3)
    for length in (None, 3):
        model = classifier(ClassifierSettings(embedding=embedding, encoder=stack, segment_length=length)).train()
        inputs = Padded(torch.randint(1, WORDS, (3, 7)), torch.tensor([7, 2, 0])).masked()
        answers = []
        for one in (inputs, longer(inputs, 5, torch.tensor(0))):
            torch.manual_seed(9)
            answers.append(model(one))
        assert torch.equal(*answers)


@pytest.mark.slow
@pytest.mark.parametrize("settings_", CLASSIFIERS)
def test_every_weight_of_a_classifier_learns(settings_: ClassifierSettings) -> None:
    torch.manual_seed(1)
    model = classifier(settings_).double()
    inputs = Padded(torch.randint(1, WORDS, (16, 5)), torch.tensor([5, 2, 0, 4] * 4)).masked()
    model(inputs).sin().sum().backward()
    for name, one in model.named_parameters():
        assert one.grad.isfinite().all(), name
        assert one.grad.abs().sum() > 0, name
    assert not model.embedding.table.weight.grad[0].any()
