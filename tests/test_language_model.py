"""Language models: reading a text, carrying states, sampled scores, dropouts of whole types, scores that add up."""

import itertools
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import writers
from conftest import PLAIN
from lstmlab import request
from lstmlab.api import Result
from lstmlab.data.load import Watch
from lstmlab.data.streams import Stretch
from lstmlab.decoding import StreamSettings
from lstmlab.errors import InputError
from lstmlab.nn.language_model import LanguageModel, LanguageModelSettings
from lstmlab.tasks import TASKS, reading, speaking
from lstmlab.tasks.language_model import LanguageModelling
from lstmlab.types import Batch, Example, Padded

SIZE = 30


def made(counts: Tensor | None = None, **changes: Any) -> LanguageModel:
    """A model with fresh weights, large enough to be of an opinion."""
    tree: dict[str, Any] = {"embedding": {"size": 8}, "encoder": {"hidden_size": 8, "bidirectional": False}}
    for path, value in changes.items():
        *folders, name = path.split("__")
        inner = tree
        for folder in folders:
            inner = inner[folder]
        inner[name] = value
    torch.manual_seed(0)
    model = LanguageModel(LanguageModelSettings.model_validate(tree), torch.ones(SIZE) if counts is None else counts)
    with torch.no_grad():
        model.scoring.mul_(3)
    return model


def stream(count: int, seed: int = 0) -> np.ndarray:
    """The mark of a beginning and so many tokens, some much more often than others."""
    rng = np.random.default_rng(seed)
    return np.concatenate([[0], 2 + (rng.random(count) ** 3 * (SIZE - 2)).astype(np.int64)])


def batch(tokens: np.ndarray) -> tuple[Padded, Tensor]:
    """One row: tokens and what follows them."""
    row = torch.from_numpy(tokens)[None]
    return Padded(row[:, :-1], torch.tensor([row.shape[1] - 1])), row[:, 1:]


# ---- Reading --------------------------------------------------------------------------------------------------------


def test_a_short_text_is_read_in_one_row() -> None:
    model, text = made().eval(), stream(700)
    nats, right = reading.tokens(model, text)
    with torch.inference_mode():
        told = model(*batch(text))[0]
    assert len(nats) == 700
    np.testing.assert_allclose(nats, told.nats.numpy(), rtol=1e-4, atol=1e-5)
    assert (right == told.right.numpy()).mean() > 0.99


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("count", [2000, 2017, 2099])
def test_side_by_side_is_in_one_row_after_a_long_run_up(cell: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model, text = made(encoder__cell=cell).eval(), stream(count)
    whole = reading.tokens(model, text)[0]
    monkeypatch.setattr(reading, "STRETCH", 100)
    monkeypatch.setattr(reading, "RUN_UP", 2100)
    beside = reading.tokens(model, text)[0]
    np.testing.assert_allclose(beside, whole, rtol=1e-3, atol=1e-4)


def test_a_shorter_run_up_is_nearly_as_good_and_none_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    model, text = made().eval(), stream(2000)
    whole = reading.tokens(model, text)[0]
    monkeypatch.setattr(reading, "STRETCH", 100)
    far = {}
    for steps in (1, 10, 100):
        monkeypatch.setattr(reading, "RUN_UP", steps)
        far[steps] = float(np.abs(reading.tokens(model, text)[0] - whole).max())
    assert far[1] > far[10] > far[100]
    assert far[100] < 1e-3


def test_every_token_is_scored_once_and_lines_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "STRETCH", 50)
    model, text = made().eval(), stream(1003)
    offsets = np.array([0, 0, 1, 40, 40, 700, 1003])
    found = reading.read(model, text, offsets)
    nats, right = reading.tokens(model, text)
    assert found.tokens == 1003
    assert found.outputs[:, 2].tolist() == [0, 1, 39, 0, 660, 303]
    assert found.nats == pytest.approx([nats[a:b].sum() for a, b in itertools.pairwise(offsets)])
    assert found.outputs[:, 1].sum() == right.sum()
    assert (nats > 0).all()


def test_what_comes_later_changes_nothing_before() -> None:
    model, text = made().eval(), stream(300)
    other = text.copy()
    other[200:] = stream(300, seed=1)[200:]
    nats, changed = reading.tokens(model, text)[0], reading.tokens(model, other)[0]
    np.testing.assert_allclose(nats[:199], changed[:199], rtol=1e-5)
    assert not np.allclose(nats[199:], changed[199:])


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_carried_state_is_one_long_pass(kind: str, layers: int) -> None:
    model, text = made(encoder__cell=kind, encoder__num_layers=layers), stream(60)
    model.train()  # no dropout is set
    told, end = model(*batch(text))
    first, state = model(*batch(text[:26]))
    second, after = model(*batch(text[25:]), state)
    torch.testing.assert_close(torch.cat([first.nats, second.nats]), told.nats, rtol=1e-4, atol=1e-5)
    for (_, one), (_, other) in zip(after.items(), end.items(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    alone = model(*batch(text[25:]))[0]
    assert not torch.allclose(alone.nats, second.nats)


def test_writing_on_step_by_step_is_reading_the_whole_again() -> None:
    task = plain_task("the film. ")
    model = task.build().eval()
    with torch.no_grad():
        model.scoring.mul_(20)
    told = "".join(speaking.spoken(model, task.encoder, "the fi", StreamSettings(length=30, temperature=0)))
    text = "the fi"
    for _ in range(30):
        with torch.inference_mode():
            logits = speaking.begin(model, task.encoder, [text]).logits[0]
        text += task.encoder.vocabulary[2 + int(logits[2:].argmax())]
    assert "the fi" + told == text


def test_texts_do_not_hang_on_each_other() -> None:
    task = plain_task("the film story. ")
    model = task.build().eval()
    primes, settings = ["", "the film", "s", "the film story. the film"], StreamSettings(length=25)
    together = speaking.written(model, task.encoder, primes, settings)
    assert together == [speaking.written(model, task.encoder, [prime], settings)[0] for prime in primes]
    assert together == ["".join(speaking.spoken(model, task.encoder, prime, settings)) for prime in primes]
    assert len(set(together)) > 1


# ---- Dynamic evaluation ---------------------------------------------------------------------------------------------


def test_dynamic_evaluation_learns_from_what_it_has_read_and_leaves_the_model_alone() -> None:
    model, text = made().eval(), np.concatenate([[0], np.tile(stream(20)[1:], 30)])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    still = reading.dynamic(model, text, 1e-12, 50)
    assert still == pytest.approx(float(reading.tokens(model, text)[0].sum()), rel=1e-4)
    assert reading.dynamic(model, text, 0.5, 20) < 0.9 * still
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_dynamic_evaluation_does_not_learn_from_what_is_to_come() -> None:
    """The first stretch is scored before anything is learned, whatever the rate."""
    model, text = made().eval(), stream(20)
    assert reading.dynamic(model, text, 10.0, 50) == pytest.approx(reading.dynamic(model, text, 1e-12, 50))


# ---- Output ---------------------------------------------------------------------------------------------------------


def sampled(count: int) -> LanguageModel:
    counts = torch.from_numpy(np.bincount(stream(5000), minlength=SIZE).astype(np.float32))
    return made(counts, output="sampled", samples=count)


def test_smoothing_is_learned_from_and_not_scored() -> None:
    inputs, targets = batch(stream(40))
    plain, smooth = made().train(), made(label_smoothing=0.2).train()
    smooth.load_state_dict(plain.state_dict())
    told, other = plain(inputs, targets)[0], smooth(inputs, targets)[0]
    assert torch.equal(told.nats, other.nats)
    assert torch.equal(told.smoothed, told.nats)
    features = plain.read(inputs)[0][inputs.mask]
    spread = -torch.log_softmax(plain.logits(features), -1).mean(-1)
    torch.testing.assert_close(other.smoothed, 0.8 * told.nats + 0.2 * spread)
    smooth.eval()
    scored = smooth(inputs, targets)[0]
    assert torch.equal(scored.smoothed, scored.nats)


def test_sampled_training_is_scored_in_full() -> None:
    inputs, targets = batch(stream(40))
    full, part = made().eval(), sampled(3).eval()
    part.load_state_dict(full.state_dict())
    assert torch.equal(full(inputs, targets)[0].nats, part(inputs, targets)[0].nats)
    part.train()
    assert not torch.equal(full(inputs, targets)[0].nats, part(inputs, targets)[0].nats)


@pytest.mark.slow
def test_the_sampled_loss_comes_near_the_full_one() -> None:
    """What is minimised is a choice among few, and what is told that among all: with many samples both are the same."""
    inputs, targets = batch(stream(40))
    full = float(made().train()(inputs, targets)[0].smoothed.mean().detach())
    gaps: dict[str, list[float]] = {"smoothed": [], "nats": []}
    for count in (2, 20, 100_000):
        model = sampled(count).train()
        told = [model(inputs, targets)[0] for _ in range(60)]
        for name in gaps:
            gaps[name].append(abs(float(np.mean([getattr(one, name).mean().item() for one in told])) - full))
    assert gaps["smoothed"][0] > gaps["smoothed"][1] > gaps["smoothed"][2]
    assert gaps["nats"][0] < gaps["smoothed"][0]
    assert gaps["nats"][1] < 0.05 * full
    assert max(gaps["nats"][2], gaps["smoothed"][2]) < 1e-3


def test_the_sampled_gradient_points_where_the_full_one_does() -> None:
    inputs, targets = batch(stream(40))
    full = made().train()
    full(inputs, targets)[0].smoothed.sum().backward()
    assert full.output is not None
    wanted = full.output.weight.grad
    assert wanted is not None
    alike = []
    for count in (3, 30, 300):
        model, found = sampled(count).train(), torch.zeros_like(wanted)
        assert model.output is not None
        for _ in range(30):
            model.zero_grad()
            model(inputs, targets)[0].smoothed.sum().backward()
            assert model.output.weight.grad is not None
            found += model.output.weight.grad / 30
        alike.append(float(torch.cosine_similarity(found.flatten(), wanted.flatten(), 0)))
    assert 0.8 < alike[0] < alike[1] < alike[2]
    assert alike[2] > 0.99


def test_the_sampled_gradient_touches_candidates_alone() -> None:
    model = sampled(2).train()
    inputs, targets = batch(np.array([0, 5, 5, 6, 5]))
    model(inputs, targets)[0].smoothed.sum().backward()
    assert model.output is not None
    touched = set(model.output.weight.grad.abs().sum(1).nonzero()[:, 0].tolist())  # type: ignore[union-attr]
    assert {5, 6} <= touched
    assert len(touched) <= 4
    assert set(model.bias.grad.nonzero()[:, 0].tolist()) == touched  # type: ignore[union-attr]


def test_tied_weights_are_one_table() -> None:
    inputs, targets = batch(stream(40))
    tied, free = made(tied=True), made()
    assert tied.output is None
    assert tied.readout is None
    assert tied.scoring is tied.embedding.table.weight
    assert sum(p.numel() for p in free.parameters()) - sum(p.numel() for p in tied.parameters()) == SIZE * 8
    tied(inputs, targets)[0].smoothed.sum().backward()
    gradient = tied.embedding.table.weight.grad
    assert gradient is not None
    assert gradient[29 - 1].any()  # a token the text may not hold: it is scored all the same
    narrow = made(tied=True, embedding__size=5)
    assert narrow.readout is not None
    assert narrow.readout.weight.shape == (5, 8)
    assert narrow(inputs, targets)[0].nats.shape == (40,)


# ---- Dropouts -------------------------------------------------------------------------------------------------------


def vectors(model: LanguageModel, inputs: Padded) -> Tensor:
    """What the recurrent stack is given."""
    seen: list[Padded] = []
    hook = model.layers.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model.read(inputs)
    hook.remove()
    return seen[0].values.detach()


def test_vocabulary_dropout_takes_whole_types_and_scales_the_others() -> None:
    model = made(embedding__vocabulary_dropout=0.4)
    inputs = batch(stream(500))[0]
    with_none = vectors(model.eval(), inputs)
    given = vectors(model.train(), inputs)
    tokens, kept = inputs.values[0], {}
    for token in sorted(set(tokens.tolist()) - {0}):
        here = tokens == token
        factor = given[0, here] / with_none[0, here]
        assert torch.allclose(factor, factor[0, 0].expand_as(factor), rtol=1e-4)
        kept[token] = float(factor[0, 0])
    assert {round(one, 3) for one in kept.values()} == {0.0, round(1 / 0.6, 3)}
    assert not torch.equal(vectors(model.train(), inputs), given)
    assert torch.equal(vectors(model.eval(), inputs), with_none)


@pytest.mark.parametrize("locked", [True, False])
def test_the_last_dropout_is_in_training_alone_and_locked_where_asked(locked: bool) -> None:
    model, (inputs, _) = made(dropout=0.5, locked=locked), batch(stream(50))
    plain = model.eval().read(inputs)[0]
    features = model.train().read(inputs)[0]
    hit = (features == 0) & (plain != 0)
    assert 0.2 < float(hit.float().mean()) < 0.8
    assert bool((hit == hit[:, :1]).all()) == locked


# ---- Settings -------------------------------------------------------------------------------------------------------


def test_settings_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    path = str(text_file(tmp_path))
    for changes, told in (
        ({"bidirectional": True}, "a language model reads forwards"),
        ({"text.level": "banana"}, "text.level: expected .*'word', 'character' or 'subword'"),
        ({"bptt": 0}, "bptt: expected greater than or equal to 1"),
        ({"dynamic_rate": -1}, "dynamic_rate: expected greater than or equal to 0"),
        ({"label_smoothing": 0.1, "output": "sampled"}, "label_smoothing would have no effect: it spreads over all"),
        ({"samples": 10}, "samples would have no effect: it belongs to output=sampled"),
        ({"model.locked": False, "model.dropout": 0}, "locked would have no effect"),
        ({"text.first": 10}, "text.first would have no effect: it cuts texts"),
        ({"training.bucket": False}, "training.bucket would have no effect: there is one long text"),
        ({"text.line_ends": False}, "line_ends would have no effect: it belongs to words"),
        ({"level": "subword", "vocabulary_size": 100}, "must be at least 258"),
    ):
        with pytest.raises(InputError, match=told):
            request.assemble("language-model", {"path": path, **changes})


# ---- The task -------------------------------------------------------------------------------------------------------


def text_file(folder: Path, lines: int = 120, words: list[str] = PLAIN) -> Path:
    rng, path = random.Random(0), folder / "prose.txt"
    made = (" ".join(rng.choices(words, k=rng.randint(2, 7))) for _ in range(lines))
    path.write_text("".join(f"{line.capitalize()}.\n" for line in made), encoding="utf-8")
    return path


def plain_task(text: str) -> LanguageModelling:
    """A task of characters, fitted on a few of them."""
    from lstmlab.data.text import TextEncoder, TextSettings

    recipe: Any = request.assemble("language-model", {"hidden_size": 8, "model.embedding.size": 8})
    torch.manual_seed(0)
    encoder = TextEncoder.fit(TextSettings(level="character", lowercase=False), [text])
    return LanguageModelling(recipe, encoder)


def prepared(tmp_path: Path, **changes: Any) -> tuple[Any, Any]:
    small = {"hidden_size": 8, "model.embedding.size": 8, "path": str(text_file(tmp_path))}
    recipe = request.assemble("language-model", {**small, **changes})
    kind = TASKS["language-model"]
    data = kind.load(recipe, Watch())
    return kind.prepare(recipe, data, Watch()), data


def test_a_stretch_is_tokens_with_the_ones_after_them(tmp_path: Path) -> None:
    task, data = prepared(tmp_path)
    encoded = task.encode(data.train, "train")
    assert task.encoder.decode(encoded.stream) == "".join(data.train.inputs)
    found: Batch = task.collate(encoded, Stretch(np.array([0, 500, 1000]), 40))
    whole = "".join(data.train.inputs)
    for row, start in enumerate((0, 500, 1000)):
        assert task.encoder.decode(found.wanted[row].numpy()) == whole[start : start + 40]
        assert torch.equal(found.inputs.values[row, 1:], found.wanted[row, :-1])
        line = data.train[int(found.index[row])].inputs
        begun = sum(map(len, data.train.inputs[: int(found.index[row])]))
        assert begun <= start < begun + len(line)
    assert found.inputs.values[0, 0] == 0


def test_lines_by_themselves_begin_like_texts(tmp_path: Path) -> None:
    task, data = prepared(tmp_path)
    encoded = task.encode(data.train, "train")
    found = task.collate(encoded, np.array([3, 0, 5]))
    assert found.inputs.values[:, 0].tolist() == [0, 0, 0]
    for row, line in enumerate((3, 0, 5)):
        text = data.train[line].inputs
        assert int(found.inputs.lengths[row]) == len(text)
        assert task.encoder.decode(found.wanted[row, : len(text)].numpy()) == text
    model = task.build().eval()
    with torch.inference_mode():
        outputs = task.outputs(model, found)
    assert outputs[:, 2].tolist() == found.inputs.lengths.tolist()
    assert (outputs[:, 0] > 0).all()


def test_empty_lines_cost_nothing(tmp_path: Path) -> None:
    task, _ = prepared(tmp_path, level="word", line_ends=False)
    encoded = task.encode([Example("1", ""), Example("2", " \n")], "input")
    with torch.inference_mode():
        outputs = task.outputs(task.build().eval(), task.collate(encoded, np.array([0, 1])))
    assert not outputs.any()


@pytest.mark.parametrize("level", ["character", "subword", "word"])
def test_scores_add_up(tmp_path: Path, level: str) -> None:
    task, data = prepared(tmp_path, level=level, vocabulary_size=280 if level == "subword" else 1000)
    encoded = task.encode(data.test, "test")
    outputs, nats, count = task.read(task.build(), encoded)
    scores = task.score(outputs, encoded)
    assert count == len(encoded.tokens.ids)
    assert math.log(scores["perplexity"]) == pytest.approx(nats.sum() / count, rel=1e-5)
    assert 0 <= scores["token_accuracy"] <= 1
    if level == "word":
        assert "nats_per_character" not in scores
        return
    characters = sum(map(len, data.test.inputs))
    assert scores["nats_per_character"] == pytest.approx(nats.sum() / characters, rel=1e-5)
    assert scores["bits_per_character"] == pytest.approx(scores["nats_per_character"] / math.log(2))
    if level == "character":
        assert scores["nats_per_character"] == pytest.approx(math.log(scores["perplexity"]))


def test_small_letters_are_no_characters_of_the_text(tmp_path: Path) -> None:
    task, data = prepared(tmp_path, lowercase=True)
    encoded = task.encode(data.test, "test")
    assert task.score(task.read(task.build(), encoded)[0], encoded).keys() == {"perplexity", "token_accuracy"}


def test_unknown_tokens_are_counted(tmp_path: Path) -> None:
    task, data = prepared(tmp_path, level="word", vocabulary_size=8)
    encoded = task.encode(data.test, "test")
    words = [word for line in data.test.inputs for word in (*line.replace(".", " .").split(), "\n")]
    share = np.mean([word not in task.encoder.vocabulary for word in words])
    assert len(encoded.tokens.ids) == len(words)
    told = task.details(task.build(), np.zeros(0, np.float32), encoded)
    assert told["unknown"] == pytest.approx(share)
    assert 0.3 < share < 1
    assert told["tokens"] == told["looked_at"] == len(words)
    assert sum(one["count"] for one in told["costly"]) <= len(words)
    assert sum(one["share"] for one in told["costly"]) == pytest.approx(1)  # eight kinds are all listed
    assert len(told["passage"]["tokens"]) == len(told["passage"]["nats"])


def test_baselines_are_of_the_same_tokens(tmp_path: Path) -> None:
    task, data = prepared(tmp_path)
    found = task.baseline(data.train, data.test)
    assert list(found) == ["token frequencies", "7-grams (Kneser-Ney)"]
    frequent, grams = (one["nats_per_character"] for one in found.values())
    assert grams < frequent < math.log(task.encoder.size)
    again = task.restore(task.recipe, task.saved())
    assert again.baseline(data.train, data.test) == found


# ---- Runs -----------------------------------------------------------------------------------------------------------

SMALL: dict[str, Any] = {
    "hidden_size": 16, "model.embedding.size": 16, "batch_size": 4, "learning_rate": 0.02, "device": "cpu",
    "decoding.length": 20,
}  # fmt: skip


def trained(folder: Path, **changes: Any) -> Result:
    path = changes.pop("path", None) or text_file(folder)
    for part in ("valid", "test"):
        if part in changes:
            (folder / f"{part}.txt").write_text(changes[part], encoding="utf-8")
            changes[part] = str(folder / f"{part}.txt")
    return writers.trained(folder / "made" / "run", "language-model", {**SMALL, "path": str(path), **changes})


@pytest.mark.slow
def test_a_rule_is_learned_and_told(tmp_path: Path) -> None:
    path = tmp_path / "alphabet.txt"
    path.write_text("abcdefgh" * 400, encoding="utf-8")
    run = trained(tmp_path, path=path, steps=150, bptt=20)
    assert run.scores["nats_per_character"] < 0.2
    assert run.scores["token_accuracy"] > 0.95
    assert "".join(run.stream("abc", length=13, temperature=0)) == "defghabcdefgh"
    assert run.scores["loss"] == pytest.approx(run.scores["nats_per_character"])
    assert run.baselines.keys() == {"token frequencies", "7-grams (Kneser-Ney)"}
    assert run.baselines["token frequencies"]["nats_per_character"] == pytest.approx(math.log(8), rel=0.05)
    assert "state carried" in run.run.metrics["signatures"]["perplexity"]
    assert run.run.predictions[0]["input"] == "".join(["abcdefgh" * 40])
    assert run.history[-1]["samples"][0]["prediction"]
    assert (
        "".join(run.stream("abc", length=13, temperature=0))
        == run.predict(["abc"], length=13, temperature=0)[0]["prediction"]
    )
    assert run.evaluate()[0] == pytest.approx(run.scores, rel=1e-4)


EDGES: dict[str, dict[str, Any]] = {
    "more rows than tokens": {"batch_size": 5000, "steps": 3},
    "stretches longer than the text": {"bptt": 10_000, "steps": 3},
    "one token at a time": {"bptt": 1, "steps": 3},
    "a budget that ends mid-epoch": {"bptt": 10, "steps": 7},
    "accumulated": {"accumulate": 4, "bptt": 10, "epochs": 2, "steps": None},
    "more accumulated than there are": {"accumulate": 4000, "epochs": 2, "steps": None},
    "minutes": {"minutes": 0.001, "steps": None},
    "patience": {"epochs": 50, "steps": None, "patience": 1, "learning_rate": 5.0},
    "one line": {"data.limit": 1, "steps": 3},
    "averaged": {"average_epochs": 3, "epochs": 4, "steps": None, "average": 0.9},
    "dynamic": {"dynamic_rate": 0.1, "steps": 3},
    "three layers of sLSTM": {"cell": "slstm", "num_layers": 3, "steps": 3},
    "minGRU": {"cell": "mingru", "steps": 3},
    "everything dropped": {
        "embedding.dropout": 0.2, "embedding.locked_dropout": 0.2, "word_dropout": 0.2, "vocabulary_dropout": 0.2,
        "recurrent_dropout": 0.2, "zoneout": 0.2, "weight_drop": 0.2, "model.dropout": 0.2, "steps": 3,
    },
    "words without line ends": {"level": "word", "line_ends": False, "steps": 3},
    "words between blanks": {"level": "word", "words": "blanks", "steps": 3},
    "tied and sampled": {"level": "word", "tied": True, "output": "sampled", "samples": 3, "steps": 3},
    "subwords": {"level": "subword", "vocabulary_size": 270, "steps": 3},
    "parts of one token": {"valid": "a", "test": "b", "steps": 3},
}  # fmt: skip


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=pytest.mark.slow) for kind in EDGES])
def test_an_edge_is_no_cliff(kind: str, tmp_path: Path) -> None:
    run = trained(tmp_path, **EDGES[kind])
    assert np.isfinite(list(run.scores.values())).all()
    assert run.run.finished
    assert len("".join(run.stream("The", length=5))) > 0
    assert run.evaluate()[0] == pytest.approx(run.scores, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["a" * 300, "ab" * 150, "a b\n" * 80, "中文。\n" * 60, "🙂" * 200])
def test_poor_texts_train(text: str, tmp_path: Path) -> None:
    path = tmp_path / "poor.txt"
    path.write_text(text, encoding="utf-8")
    run = trained(tmp_path, path=path, steps=3)
    assert np.isfinite(list(run.scores.values())).all()
    assert len("".join(run.stream("", length=7))) == 7
    assert all(0 < share <= 1 for _, share in run.likeliest(text[:3]))


def test_a_character_nobody_saw_costs_a_guess_among_all_others(tmp_path: Path) -> None:
    (tmp_path / "talk.txt").write_text("abc abc abc\n" * 40, encoding="utf-8")
    recipe: Any = request.assemble("language-model", {"path": str(tmp_path / "talk.txt"), "hidden_size": 4})
    task = LanguageModelling.prepare(recipe, LanguageModelling.load(recipe, Watch()), Watch())
    model = task.build()
    for text, unknown in (("abc", 0), ("axy", 2)):
        encoded = task.encode([Example("1", text)], "it")
        read = task.read(model, encoded)
        scores = task.score(read.outputs, encoded)
        extra = unknown * math.log(0x110000 - 0x800 - task.encoder.size)
        assert scores["nats_per_character"] == pytest.approx((float(read.nats.sum()) + extra) / 3, rel=1e-5)
        assert scores["perplexity"] == pytest.approx(math.exp(float(read.nats.sum()) / 3), rel=1e-5)


def test_a_part_without_a_token_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "talk.txt").write_text("a word and another\n" * 40, encoding="utf-8")
    (tmp_path / "signs.txt").write_text("... !!!\n" * 40, encoding="utf-8")
    changes = {"path": str(tmp_path / "talk.txt"), "valid": str(tmp_path / "signs.txt"), "text.level": "word"}
    recipe: Any = request.assemble("language-model", {**changes, "punctuation": False, "line_ends": False})
    with pytest.raises(InputError, match=r"the valid part: no word in 40 lines"):
        LanguageModelling.prepare(recipe, LanguageModelling.load(recipe, Watch()), Watch())
