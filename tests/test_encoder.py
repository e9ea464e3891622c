"""What an encoder is besides a recurrent stack: convolution and Transformer against references, settings, words."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fake_runs import classification_run
from lstmlab import request
from lstmlab.analysis.architecture import architecture, context_words, encoder_words, model_words
from lstmlab.analysis.hyperparameters import settings_table
from lstmlab.errors import InputError
from lstmlab.nn import Classifier, ClassifierSettings, Convolution, EncoderSettings, Transformer, count_parameters
from lstmlab.nn.encoder import ENCODERS, make_encoder
from lstmlab.nn.encoder_decoder import EncoderDecoder, EncoderDecoderSettings
from lstmlab.nn.forecaster import Forecaster, ForecasterSettings, Sizes
from lstmlab.nn.language_model import LanguageModelSettings
from lstmlab.nn.recurrent import RecurrentSettings
from lstmlab.nn.tagger import TaggerSettings
from lstmlab.nn.transformer import positions
from lstmlab.recipe import idle_paths, read_yaml, write_yaml
from lstmlab.training.run import Run
from lstmlab.types import Padded

KINDS = ("convolution", "transformer")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# ---- Convolution


@pytest.mark.parametrize("both", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("width", [1, 2, 3, 6])
def test_a_convolution_is_its_sum(width: int, both: bool) -> None:
    """Each row alone, step by step and filter by filter, with zeros around it."""
    layer = Convolution(2, 3, bidirectional=both, width=width).double()
    inputs = Padded(torch.randn(2, 5, 2, dtype=torch.float64), torch.tensor([5, 3]))
    outputs, _ = layer(inputs)
    weight, bias = layer.layers[0].weight, layer.layers[0].bias
    before = (width - 1) // 2 if both else width - 1
    for row, length in enumerate([5, 3]):
        for step in range(length):
            seen = [(at, step - before + at) for at in range(width) if 0 <= step - before + at < length]
            total = bias + sum(weight[:, :, at] @ inputs.values[row, place] for at, place in seen)
            torch.testing.assert_close(outputs.values[row, step], total.clamp(min=0))


@pytest.mark.parametrize(("told", "reach"), [({}, 7), ({"dilated": True}, 15), ({"width": 5, "dilated": True}, 29)])
def test_a_convolution_sees_as_many_steps_as_it_says(told: dict[str, Any], reach: int) -> None:
    layer = Convolution(1, 6, 3, **{"width": 3, **told}).double().eval()
    assert layer.reach == reach
    values = torch.randn(1, 40, 1, dtype=torch.float64, requires_grad=True)
    layer(Padded(values, torch.tensor([40])))[0].values[0, -1].sum().backward()
    (seen,) = values.grad[0, :, 0].nonzero(as_tuple=True)
    assert int(seen.min()) == 40 - reach


# ---- Transformer


@pytest.mark.parametrize("causal", [False, True])
def test_a_layer_is_torchs(causal: bool) -> None:
    ours = Transformer(8, 8, bidirectional=not causal, heads=2).double().eval()
    theirs = nn.TransformerEncoderLayer(8, 2, 32, batch_first=True, norm_first=True).double().eval()
    (layer,) = ours.layers
    named = {
        "self_attn.in_proj_weight": layer.asked.weight, "self_attn.in_proj_bias": torch.zeros(24),
        "self_attn.out_proj": layer.answered, "linear1": layer.wide, "linear2": layer.narrow,
        "norm1": layer.attention_norm, "norm2": layer.norm,
    }  # fmt: skip
    weights: dict[str, torch.Tensor] = {}
    for name, part in named.items():
        whole = part if isinstance(part, torch.Tensor) else None
        weights |= (
            {name: whole} if whole is not None else {f"{name}.{key}": one for key, one in part.named_parameters()}
        )
    theirs.load_state_dict(weights)
    inputs = Padded(torch.randn(3, 5, 8, dtype=torch.float64), torch.tensor([5, 2, 4])).masked()
    told = ours(inputs)[0].values
    read = ours.enter(inputs.values) + ours.gain * positions(5, inputs.values)
    future = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64) if causal else None
    for row, length in enumerate([5, 2, 4]):
        mask = None if future is None else future[:length, :length]
        wanted = ours.norm(theirs(read[row : row + 1, :length], src_mask=mask))
        torch.testing.assert_close(told[row, :length], wanted[0])


@pytest.mark.parametrize("size", [1, 2, 7, 50])
def test_places_are_told_apart(size: int) -> None:
    """By any number of features but one, however far."""
    places = positions(500, torch.zeros(1, 500, size, dtype=torch.float64))
    assert tuple(places.shape) == (500, size)
    if size > 1:
        assert torch.cdist(places, places).fill_diagonal_(1).min() > 1e-4


def test_any_number_of_heads_goes_with_any_size() -> None:
    for size, heads in ((50, 4), (3, 8), (7, 7)):
        encoder = Transformer(2, size, heads=heads)
        assert encoder(Padded(torch.randn(1, 3, 2), torch.tensor([3])))[0].values.isfinite().all()


def test_order_counts() -> None:
    encoder = Transformer(2, 6, bidirectional=True).eval()
    values = torch.randn(1, 4, 2)
    forwards, backwards = (encoder(Padded(one, torch.tensor([4])))[0].values.sum(1) for one in (values, values.flip(1)))
    assert not torch.allclose(forwards, backwards, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_in_training_only(kind: str) -> None:
    encoder = make_encoder(EncoderSettings(kind=kind, hidden_size=8, num_layers=2, dropout=0.5), 2)
    inputs = Padded(torch.randn(1, 4, 2), torch.tensor([4]))
    first, second = (encoder(inputs)[0].values for _ in range(2))
    assert not torch.equal(first, second)
    encoder.eval()  # type: ignore[attr-defined]
    assert torch.equal(encoder(inputs)[0].values, encoder(inputs)[0].values)


# ---- Settings


def test_what_belongs_to_another_kind_is_idle() -> None:
    others = {"width", "dilated", "heads"}
    assert EncoderSettings().idle().keys() == RecurrentSettings().idle().keys() | others
    recurrent = RecurrentSettings.model_fields.keys() - {"hidden_size", "num_layers", "bidirectional"}
    flat, deep = (EncoderSettings(kind="convolution", num_layers=layers).idle() for layers in (1, 2))
    assert flat.keys() == recurrent | {"dilated", "heads"}
    assert deep.keys() == (recurrent - {"dropout", "residual"}) | {"heads"}
    assert deep["cell"] == "it belongs to kind=recurrent, and kind is convolution"
    assert deep["heads"] == "it belongs to kind=transformer, and kind is convolution"
    assert EncoderSettings(kind="transformer").idle().keys() == (recurrent - {"dropout"}) | {"width", "dilated"}


@pytest.mark.parametrize("task", ["classification", "tagging", "pairs", "forecasting", "translation"])
def test_kind_alone_means_the_encoder(task: str) -> None:
    """Letters and attention have a kind too, which is written in full."""
    found = {"classification": "mr", "tagging": "pos-ewt", "pairs": "entailment-sick", "forecasting": "sine"}
    recipe = request.assemble(found.get(task, "translate-demo"), {"kind": "convolution", "width": 3})
    assert (recipe.model.encoder.kind, recipe.model.encoder.width) == ("convolution", 3)  # type: ignore[attr-defined]
    if task == "tagging":
        letters = request.assemble("pos-ewt", {"letters.kind": "cnn", "letters.width": 4}).model.letters  # type: ignore[attr-defined]
        assert (letters.kind, letters.width) == ("cnn", 4)


@pytest.mark.parametrize(
    ("recipe", "typed", "said"),
    [
        (
            "mr",
            {"kind": "convolution", "cell": "gru"},
            "model.encoder.cell would have no effect: it belongs to kind=rec",
        ),
        ("mr", {"heads": 2}, "it belongs to kind=transformer, and kind is recurrent"),
        ("mr", {"kind": "cnn"}, "model.encoder.kind: expected 'recurrent', 'convolution' or 'transformer'"),
        ("char-shakespeare", {"kind": "transformer"}, "kind=transformer carries none: take encoder.kind=recurrent"),
        ("sine", {"kind": "convolution", "strategy": "decoder"}, "take encoder.kind=recurrent, or strategy=direct"),
        ("pos-ewt", {"kind": "convolution", "neighbours": 0.1}, "take encoder.bidirectional=false, or neighbours=0"),
        ("translate-demo", {"kind": "convolution", "encoder.cell": "gru", "decoder.cell": "gru"}, "kind=recurrent"),
    ],
)
def test_what_cannot_be_is_refused(recipe: str, typed: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as told:
        request.assemble(recipe, typed)
    assert said in str(told.value)


def test_a_language_model_and_its_like_need_a_state() -> None:
    stateless = EncoderSettings(kind="convolution", bidirectional=False)
    with pytest.raises(ValueError, match="letter by letter"):
        LanguageModelSettings(encoder=stateless)
    for strategy in ("decoder", "parallel"):
        with pytest.raises(ValueError, match=f"strategy={strategy} goes on"):
            ForecasterSettings(encoder=stateless, strategy=strategy)
    with pytest.raises(ValueError, match="neighbours=0.1"):
        TaggerSettings(encoder=EncoderSettings(kind="transformer"), neighbours=0.1)
    TaggerSettings(encoder=stateless, neighbours=0.1)  # it has not read what is to be guessed


# ---- In models


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["recursive", "direct"])
def test_a_forecaster_of_any_kind(kind: str, strategy: str) -> None:
    encoder = EncoderSettings(kind=kind, hidden_size=6, bidirectional=False)
    settings = ForecasterSettings(encoder=encoder, strategy=strategy)
    model = Forecaster(settings, Sizes(horizon=4))
    inputs = Padded(torch.randn(2, 9, 1), torch.tensor([9, 9]))
    assert tuple(model(inputs, 4).shape) == (2, 4, 1, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("context", ["state", "every-step", "attention"])
@pytest.mark.parametrize("bridge", ["auto", "zero"])
def test_an_encoder_decoder_of_any_kind(kind: str, context: Any, bridge: Any) -> None:
    """It begins from the mean of the outputs, or from zero; nothing hangs on the other sources of a batch."""
    if context == "state" and bridge == "zero":
        pytest.skip("refused: nothing of the source is left")
    settings = EncoderDecoderSettings.model_validate(
        {
            "embedding": {"size": 5, "deviation": 0.5}, "context": context, "bridge": bridge,
            "encoder": {"kind": kind, "hidden_size": 4, "num_layers": 2}, "decoder": {"cell": "gru", "hidden_size": 6},
        }
    )  # fmt: skip
    model = EncoderDecoder(settings, 12, 13).double().eval()
    assert model.decoder.layers.cell.name == "gru"
    source = Padded(torch.randint(2, 12, (3, 6)), torch.tensor([6, 3, 1])).masked()
    target = Padded(torch.randint(2, 13, (3, 5)), torch.tensor([5, 2, 4])).masked()
    told = model(source, target)[0]
    for row in range(3):
        one = [Padded(side.values[row : row + 1], side.lengths[row : row + 1]) for side in (source, target)]
        torch.testing.assert_close(model(*one)[0], told[row : row + 1])
    told.sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.encoder.parameters())


def test_what_is_recurrent_is_the_decoders_where_the_encoder_is_not() -> None:
    settings = EncoderDecoderSettings(encoder=EncoderSettings(kind="convolution", cell="gru"))
    stack = settings.decoder.stack(settings.encoder)
    assert (type(stack), stack.cell) == (RecurrentSettings, "gru")
    idle = idle_paths(settings)
    assert "encoder.zoneout" not in idle
    assert "encoder.cell" not in idle
    assert "encoder.heads" in idle


@pytest.mark.parametrize("kind", ENCODERS)
def test_parameters_are_counted_without_making_them(kind: str) -> None:
    settings = ClassifierSettings(encoder=EncoderSettings(kind=kind, hidden_size=12, num_layers=2))
    with torch.device("meta"):
        empty = Classifier(settings, 40, 3)
    assert count_parameters(empty) == count_parameters(Classifier(settings, 40, 3))
    if kind == "convolution":
        assert count_parameters(empty.encoder) == 12 * (5 * 128 + 1) + 12 * (5 * 12 + 1)


# ---- In words


def told_run(tmp_path: Path, task: str = "classification", **encoder: Any) -> Run:
    folder = classification_run(tmp_path / "run").folder
    tree = read_yaml((folder / "recipe.yaml").read_text("utf-8"), "recipe")
    tree["model"]["encoder"] |= encoder
    (folder / "recipe.yaml").write_text(write_yaml({**tree, "task": task}), encoding="utf-8")
    return Run(folder)


CONVOLUTION = {"kind": "convolution", "num_layers": 1, "hidden_size": 64, "width": 5, "dilated": True, "heads": 4}
TRANSFORMER = {**CONVOLUTION, "kind": "transformer", "num_layers": 2, "bidirectional": False}


def test_a_report_says_what_read_the_inputs(tmp_path: Path) -> None:
    said = "convolution, one layer of 64 filters 5 steps wide"
    run = told_run(tmp_path, **CONVOLUTION)
    assert encoder_words(run) == said
    settings = " ".join(str(value) for row in settings_table(run).rows for value in row)
    assert "steps a filter sees" in settings
    assert not any(word in settings for word in ("cell", "initialisation", "heads"))
    assert said in architecture(run)
    assert "LSTM" not in architecture(run)
    deep = {**CONVOLUTION, "num_layers": 3, "bidirectional": False}
    words = encoder_words(told_run(tmp_path / "deep", **deep))
    assert words == "causal convolution, 3 layers of 64 filters 5 steps wide, dilated"
    words = encoder_words(told_run(tmp_path / "looks", **TRANSFORMER))
    assert words == "causal Transformer, 2 layers of 64 units with 4 attention heads"


def test_a_report_says_where_a_decoder_begins(tmp_path: Path) -> None:
    run = told_run(tmp_path, "translation", **TRANSFORMER)
    assert context_words(run).startswith(
        "the mean of the encoder's outputs becomes the decoder's first state through a"
    )
    assert "decoder: unidirectional LSTM" in model_words(run)


def test_a_run_from_before_there_were_kinds(tmp_path: Path) -> None:
    run = classification_run(tmp_path / "run")
    assert "kind" not in run.recipe["model"]["encoder"]
    assert encoder_words(run).startswith("bidirectional LSTM")
    assert "steps a filter sees" not in str(settings_table(run).rows)
    assert EncoderSettings.model_validate(run.recipe["model"]["encoder"]).kind == "recurrent"
