"""The second lesson of a tagger: guessing the words beside each word."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lstmlab import request
from lstmlab.data.load import Watch
from lstmlab.errors import InputError
from lstmlab.nn.neighbours import UNKNOWN, Neighbours
from lstmlab.nn.recurrent import Recurrent
from lstmlab.tasks import TASKS
from lstmlab.types import Padded


def given(lengths: list[int], size: int = 6) -> tuple[Padded, Tensor]:
    torch.manual_seed(0)
    wide = max(lengths)
    return Padded(torch.randn(len(lengths), wide, size), torch.tensor(lengths)), torch.randint(
        2, 9, (len(lengths), wide)
    )


def test_each_word_is_guessed_from_both_its_sides() -> None:
    lesson = Neighbours(6, 9, bidirectional=True)
    outputs, ids = given([4, 1, 0, 2])
    nats = lesson(outputs, ids)
    assert lesson.before is not None
    wanted = 0.0
    for at in range(3):
        after = lesson.next(outputs.values[0, at, :3]).log_softmax(0)[ids[0, at + 1]]
        before = lesson.before(outputs.values[0, at + 1, 3:]).log_softmax(0)[ids[0, at]]
        wanted -= (after + before).item()
    assert nats[0].item() == pytest.approx(wanted, rel=1e-5)
    assert nats[1:3].tolist() == [0, 0], "a word alone has no neighbour"
    assert nats[3] > 0


def test_no_word_is_guessed_by_an_output_that_saw_it() -> None:
    """Forward outputs guess what comes, backward outputs what came."""
    lesson = Neighbours(6, 9, bidirectional=True)
    outputs, ids = given([5])
    values = outputs.values.clone().requires_grad_()
    lesson(Padded(values, outputs.lengths), ids).sum().backward()
    assert values.grad is not None
    assert (values.grad[0, :-1, :3].abs().sum(1) > 0).all()
    assert (values.grad[0, 1:, 3:].abs().sum(1) > 0).all()
    assert (values.grad[0, -1, :3] == 0).all(), "nothing comes after the last word"
    assert (values.grad[0, 0, 3:] == 0).all(), "nothing came before the first"


@pytest.mark.parametrize(("layers", "bidirectional", "blind"), [(1, True, True), (3, False, True), (2, True, False)])
def test_what_guesses_a_word_has_not_read_it(layers: int, bidirectional: bool, blind: bool) -> None:
    """Through a real encoder: what guesses the word at 2 from the left has seen nothing from there on; so backwards."""
    torch.manual_seed(0)
    encoder = Recurrent("lstm", 5, 4, num_layers=layers, bidirectional=bidirectional)
    words = torch.randn(1, 6, 5, requires_grad=True)
    outputs, _ = encoder(Padded(words, torch.tensor([6])), final_state=False)
    (later,) = torch.autograd.grad(outputs.values[0, 1, :4].sum(), words, retain_graph=True)
    assert bool((later[0, 2:] == 0).all()) == blind
    assert (later[0, :2] != 0).any(1).all()
    if bidirectional:
        (earlier,) = torch.autograd.grad(outputs.values[0, 3, 4:].sum(), words)
        assert bool((earlier[0, :3] == 0).all()) == blind
    changes = {"path": "a.conll", "neighbours": 0.5, "encoder.num_layers": layers, "bidirectional": bidirectional}
    if blind:
        request.assemble("tagging", changes)
    else:
        with pytest.raises(InputError, match=r"neighbours=0.5 needs encoder.num_layers=1 or encoder.bidirectional=fal"):
            request.assemble("tagging", changes)


def test_padding_changes_nothing() -> None:
    lesson = Neighbours(6, 9, bidirectional=True)
    outputs, ids = given([3, 5])
    wide = Padded(functional.pad(outputs.values, (0, 0, 0, 4), value=math.nan), outputs.lengths)
    assert torch.equal(lesson(wide, functional.pad(ids, (0, 4))), lesson(outputs, ids))


def test_one_direction_and_rare_words() -> None:
    lesson = Neighbours(6, 4, bidirectional=False)
    outputs, _ = given([3])
    assert lesson.before is None
    rare, unknown = torch.tensor([[2, 3, 8]]), torch.tensor([[2, 3, UNKNOWN]])
    assert torch.equal(lesson(outputs, rare), lesson(outputs, unknown))
    assert not torch.equal(lesson(outputs, rare), lesson(outputs, torch.tensor([[2, 3, 2]])))


def test_it_is_learned_from_and_not_told(tmp_path: Any) -> None:
    path = tmp_path / "a.conll"
    path.write_text("\n".join(f"n{at}\tB-X\nis\tO\nhere\tO\n" for at in range(40)), encoding="utf-8")
    recipe = request.assemble("tagging", {"path": str(path), "neighbours": 0.5, "hidden_size": 8})
    data = TASKS["tagging"].load(recipe, Watch())
    task = TASKS["tagging"].prepare(recipe, data, Watch())
    torch.manual_seed(0)
    model, batch = task.build(), task.collate(task.encode(data.train, "it"), torch.arange(8).numpy())
    loss = task.loss(task.outputs(model, batch), batch)
    assert loss.told is not None
    # Three words are guessed four times, of n0, n00, is, here, padding and the unknown one: ln 6 each at first.
    assert (loss.rows - loss.told).mean().item() == pytest.approx(0.5 * 4 * math.log(6), rel=0.1)
    model.eval()
    told = task.loss(task.outputs(model, batch), batch)
    assert torch.equal(told.rows, told.told)  # type: ignore[arg-type]
