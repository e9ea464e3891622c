"""A classifier that begins with a language model's vocabulary, vectors and encoder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lstmlab import request
from lstmlab.errors import InputError
from lstmlab.recipe import dump
from lstmlab.tasks.classification import TextClassification
from lstmlab.training import checkpoint, experiment
from lstmlab.training.inference import Predictor
from lstmlab.training.run import Run

SIZES = {"model.embedding.size": 6, "hidden_size": 5}
TEXT = "the good film was a good film and the bad film was a bad film\n" * 12


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A language model of a few words, trained for two steps."""
    folder = tmp_path_factory.mktemp("spoken")
    (folder / "talk.txt").write_text(TEXT, encoding="utf-8")
    changes: dict[str, Any] = {"path": str(folder / "talk.txt"), "text.level": "word", "steps": 2, **SIZES}
    recipe = request.assemble("language-model", {**changes, "decoding.length": 5})
    return experiment.train(recipe, root=folder, output=folder / "run")


def classifier(reviews: Path, start: Path, **changes: Any) -> tuple[TextClassification, Any]:
    """The task prepared, and its recipe."""
    own = {"path": str(reviews), "text": "review", "label": "stars", "start": str(start), **SIZES, **changes}
    recipe: Any = request.assemble("classification", own)
    return TextClassification.prepare(recipe, TextClassification.load(recipe, experiment.Monitor())), recipe


def test_vocabulary_vectors_and_encoder_are_the_run_s(reviews: Path, spoken: Run) -> None:
    task, _ = classifier(reviews, spoken.folder, **{"encoder.bidirectional": False})
    assert task.encoder.to_json()["vocabulary"] == spoken.saved_task["encoder"]["vocabulary"]
    weights, model = spoken.weights(), task.build()
    own = {name: value for name, value in model.state_dict().items() if name.startswith(("embedding", "encoder"))}
    assert len(own) == 4
    for name, value in own.items():
        assert torch.equal(value, weights[name.replace("encoder.", "layers.", 1)]), name


def test_a_second_direction_keeps_its_own_weights(reviews: Path, spoken: Run) -> None:
    task, _ = classifier(reviews, spoken.folder)
    torch.manual_seed(0)
    first = task.build().state_dict()
    torch.manual_seed(1)
    second = task.build().state_dict()
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert any("backwards" in name for name in changed)
    assert not any("forwards" in name or name.startswith("embedding") for name in changed)


def test_how_much_is_read_is_the_classifier_s_own_choice(reviews: Path, spoken: Run) -> None:
    task, _ = classifier(reviews, spoken.folder, **{"text.first": 3})
    assert int(task.encode(task.load(task.recipe, experiment.Monitor()).train, "train").lengths.max()) <= 3


def test_a_run_that_began_elsewhere_needs_only_itself(tmp_path: Path, reviews: Path, spoken: Run) -> None:
    own = {"path": str(reviews), "text": "review", "label": "stars", "start": str(spoken.folder), "steps": 2, **SIZES}
    run = experiment.train(request.assemble("classification", own), root=tmp_path, output=tmp_path / "run")
    moved = json.loads(json.dumps(dump(experiment.assemble(run.recipe, {}, "it"))))
    assert moved["start"] == str(spoken.folder)
    told = Predictor.of(run).predict(["a good film"])
    assert abs(sum(told[0]["probabilities"].values()) - 1) < 1e-6


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_size": 7}, "encoder.hidden_size=5"),
        ({"model.embedding.size": 7}, "model.embedding.size=6"),
        ({"cell": "gru"}, "encoder.cell=lstm"),
        ({"cell": "peephole"}, "cell is lstm there and peephole here"),
        ({"residual": True, "num_layers": 2}, "num_layers is 1 there"),
        ({"embedding.ratios": 1}, "model.embedding.ratios=0"),
    ],
)
def test_what_does_not_fit_is_told_with_what_would(
    reviews: Path, spoken: Run, change: dict[str, Any], said: str
) -> None:
    task, _ = classifier(reviews, spoken.folder, **change)
    with pytest.raises(InputError, match=said):
        task.build()


def test_the_settings_of_tokens_are_refused_beside_a_start(reviews: Path, spoken: Run) -> None:
    with pytest.raises(InputError, match="vocabulary_size"):
        classifier(reviews, spoken.folder, vocabulary_size=50)


def test_only_a_language_model_is_a_start(tmp_path: Path, reviews: Path, spoken: Run) -> None:
    with pytest.raises(InputError, match="no run there"):
        classifier(reviews, tmp_path / "nowhere")
    (tmp_path / "task.json").write_text('{"task": "tagging"}', encoding="utf-8")
    with pytest.raises(InputError, match="tagging"):
        classifier(reviews, tmp_path)
    (tmp_path / "task.json").write_text('{"task": "language-model"}', encoding="utf-8")
    with pytest.raises(InputError, match="expected settings, vocabulary"):
        classifier(reviews, tmp_path)
    (tmp_path / "task.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="JSON"):
        classifier(reviews, tmp_path)


def test_weights_that_are_cut_off_are_refused(tmp_path: Path, reviews: Path, spoken: Run) -> None:
    for name in ("task.json", "recipe.yaml"):
        (tmp_path / name).write_bytes((spoken.folder / name).read_bytes())
    (tmp_path / "model.safetensors").write_bytes((spoken.folder / "model.safetensors").read_bytes()[:100])
    task, _ = classifier(reviews, tmp_path)
    with pytest.raises(InputError, match="cut off"):
        task.build()
    checkpoint.write(tmp_path / "model.safetensors", {}, {})
    with pytest.raises(InputError, match="another model"):
        task.build()
