"""Names exchanged for others of their kind while a tagger learns."""

import numpy as np
import pytest
import torch

from lstmlab import request
from lstmlab.data.exchange import Exchange
from lstmlab.data.load import Watch
from lstmlab.data.tokens import Tokens
from lstmlab.errors import InputError
from lstmlab.tasks import TASKS

ROWS = [
    ([1, 2, 3], ["B-PER", "I-PER", "O"]),
    ([4, 5], ["O", "B-LOC"]),
    ([6, 7, 8, 9], ["B-PER", "I-PER", "B-LOC", "O"]),
    ([3], ["O"]),
    ([10, 4], ["B-ORG", "O"]),
]


def made(share: float) -> tuple[Exchange, Tokens]:
    places = Tokens.of(np.array([one for ids, _ in ROWS for one in ids]), np.array([len(ids) for ids, _ in ROWS]))
    return Exchange.of(places, [tags for _, tags in ROWS], "bio", share), places


def test_only_spans_of_one_kind_and_length_are_exchanged() -> None:
    exchange, places = made(0.999)
    index = np.array([2, 3, 0, 1, 4])
    taken = places.take(index)
    torch.manual_seed(0)
    seen = np.array([exchange.drawn(taken, index).ids for _ in range(200)])
    assert {tuple(one) for one in seen[:, :2]} == {(1, 2), (6, 7)}
    assert set(seen[:, 2]) == {5, 8}
    assert (seen[:, [3, 4, 7, 8, 11]] == taken.ids[[3, 4, 7, 8, 11]]).all(), "words outside of spans stay"
    assert (seen[:, 10] == 10).all(), "a span that is the only one of its kind stays"
    assert (taken.ids == places.take(index).ids).all(), "what was taken is not changed"


def test_how_many_are_exchanged_and_that_chance_is_torchs() -> None:
    exchange, places = made(0.4)
    index = np.arange(len(ROWS))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = [exchange.drawn(places, index).ids.tolist() for _ in range(400)]
    torch.set_rng_state(state)
    assert [exchange.drawn(places, index).ids.tolist() for _ in range(400)] == first
    # Of two towns to draw from, half the draws are the one that was there.
    assert np.mean([one[4] != 5 for one in first]) == pytest.approx(0.2, abs=0.06)


def test_sentences_without_spans() -> None:
    exchange, places = made(0.5)
    index = np.array([3, 3])
    assert exchange.drawn(places.take(index), index).ids.tolist() == [3, 3]
    assert exchange.drawn(places.take(index[:0]), index[:0]).ids.tolist() == []


def test_in_training_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("names") / "a.conll"
    path.write_text("\n".join(f"n{at}\tB-X\nis\tO\n" for at in range(40)), encoding="utf-8")
    recipe = request.assemble("tagging", {"path": str(path), "exchange": 0.5})
    data = TASKS["tagging"].load(recipe, Watch())
    task = TASKS["tagging"].prepare(recipe, data, Watch())
    assert data.valid is not None
    valid, train = task.encode(data.valid, "valid"), task.encode(data.train, "train")
    index = np.arange(4)
    torch.manual_seed(0)
    learned = [task.collate(train, index).inputs.values[:, 0, 0].tolist() for _ in range(5)]
    assert len(set(map(tuple, learned))) > 1
    state = torch.get_rng_state()
    scored = [task.collate(valid, index).inputs.values[:, 0, 2].tolist() for _ in range(5)]
    assert scored == scored[:1] * 5
    assert torch.equal(torch.get_rng_state(), state)
    again = TASKS["tagging"].restore(recipe, task.saved())
    assert again.encode(data.train, "train").exchange is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", ["words.exchange", "model.outside_bias"])
def test_tags_that_mark_no_spans(key: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("parts") / "a.conll"
    path.write_text("\n".join(f"n{at}\tNOUN\nis\tVERB\n" for at in range(40)), encoding="utf-8")
    recipe = request.assemble("tagging", {"path": str(path), key: 0.5})
    data = TASKS["tagging"].load(recipe, Watch())
    with pytest.raises(InputError, match=f"{key} would have no effect"):
        TASKS["tagging"].prepare(recipe, data, Watch())
