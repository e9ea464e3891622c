"""The encoder-decoder: its gradient, its laws, its ways of passing the context on, its tables that are one."""

import itertools
from typing import Any

import pytest
import torch
from torch.nn import functional

from lstmlab.cells import CELLS
from lstmlab.decoding import Marks, SearchSettings, search
from lstmlab.errors import InputError
from lstmlab.kernels.products import Repeated, linear
from lstmlab.nn.attention import Attention, AttentionSettings
from lstmlab.nn.cross_entropy import cross_entropy
from lstmlab.nn.decoder import DecoderSettings
from lstmlab.nn.embedding import VectorSettings
from lstmlab.nn.encoder import EncoderSettings
from lstmlab.nn.encoder_decoder import EncoderDecoder, EncoderDecoderSettings
from lstmlab.nn.recurrent import Recurrent
from lstmlab.nn.regularisation import Options
from lstmlab.nn.stepping import Stepping, join
from lstmlab.recipe import idle_paths
from lstmlab.types import Padded

pytestmark = pytest.mark.slow

SOURCE, TARGET = 12, 13
CONTEXTS = {
    "state": {"context": "state"},
    "every step": {"context": "every-step"},
    "dot": {"attention": {"kind": "dot", "input_feeding": False}},
    "general, fed": {"attention": {"kind": "general"}},
    "additive, fed": {"attention": {"kind": "additive", "size": 5}},
    "concat": {"attention": {"kind": "concat", "input_feeding": False}},
    "general, no bridge": {"attention": {"kind": "general"}, "bridge": "zero"},
    "tied both ways": {"tied": "two-way"},
}


def made(changes: dict[str, Any] | None = None, **encoder: Any) -> EncoderDecoder:
    tree = {
        "embedding": {"size": 5, "deviation": 0.5},
        "encoder": {"hidden_size": 4, **encoder},
        **(changes or {}),
    }
    torch.manual_seed(0)
    return EncoderDecoder(EncoderDecoderSettings.model_validate(tree), SOURCE, TARGET).double().eval()


def pairs() -> tuple[Padded, Padded]:
    torch.manual_seed(1)
    source = Padded(torch.randint(2, SOURCE, (3, 6)), torch.tensor([6, 3, 1]))
    return source.masked(), Padded(torch.randint(2, TARGET, (3, 7)), torch.tensor([4, 7, 2])).masked()


# ---- Products and the softmax


def test_a_product_is_torchs() -> None:
    inputs, weight, bias = torch.randn(3, 4, 6), torch.randn(5, 6), torch.randn(5)
    torch.testing.assert_close(linear(inputs, weight, bias), functional.linear(inputs, weight, bias))
    inputs, weight, bias = (one.requires_grad_() for one in (inputs, weight, bias))
    ours, theirs = linear(inputs, weight, bias), functional.linear(inputs, weight, bias)
    upstream = torch.randn_like(ours)
    for mine, other in zip(
        torch.autograd.grad(ours, (inputs, weight, bias), upstream),
        torch.autograd.grad(theirs, (inputs, weight, bias), upstream),
        strict=True,
    ):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_repeated_weight_gets_the_gradient_of_all_its_uses(dtype: torch.dtype) -> None:
    weight = torch.randn(4, 4, dtype=dtype, requires_grad=True)
    first = torch.randn(3, 4, dtype=dtype, requires_grad=True)

    def looped(product: Any) -> torch.Tensor:
        values = first
        for _ in range(3):
            values = torch.tanh(product(values))
        return values.square().sum()

    repeated = Repeated(weight)
    loss = looped(repeated)
    for _ in range(2):  # a second time through the same graph as well
        ours = torch.autograd.grad(loss, (first, weight), retain_graph=True)
        theirs = torch.autograd.grad(looped(lambda values: values @ weight.t()), (first, weight))
        for mine, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, other)


def test_a_repeated_weight_has_the_gradient_of_what_led_to_the_loss_alone() -> None:
    weight, values = torch.randn(4, 4, requires_grad=True), torch.randn(3, 4)
    Repeated(weight)(values)  # nothing comes of it
    used = Repeated(weight)
    used(values + 1)
    (used(values).sum() + weight.sum()).backward()
    torch.testing.assert_close(weight.grad, 1 + values.sum(0).expand(4, 4))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("even", [True, False])
def test_cross_entropy_is_torchs(smoothing: float, even: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmlab.nn.cross_entropy.PORTION", 100)  # several portions
    features, weight, bias = (torch.randn(*shape, dtype=torch.float64) for shape in ((17, 6), (20, 6), (20,)))
    values = [one.requires_grad_() for one in (features, weight, bias)]
    truth = torch.randint(0, 20, (17,))
    told = cross_entropy(*values, truth, smoothing)
    scores = functional.linear(*values)
    wanted = functional.cross_entropy(scores, truth, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(told.smoothed, wanted)
    torch.testing.assert_close(told.nats, functional.cross_entropy(scores, truth, reduction="none"))
    assert torch.equal(told.right, scores.argmax(1) == truth)
    upstream = torch.full((17,), 0.3, dtype=torch.float64) if even else torch.rand(17, dtype=torch.float64)
    for mine, other in zip(
        torch.autograd.grad(told.smoothed, values, upstream), torch.autograd.grad(wanted, values, upstream), strict=True
    ):
        torch.testing.assert_close(mine, other)


# ---- Stepping and attention


@pytest.mark.parametrize(
    "cell", [name if name == "lstm" else pytest.param(name, marks=pytest.mark.slow) for name in CELLS]
)
@pytest.mark.parametrize("options", [Options(), Options(layer_norm="input", zoneout=0.3)], ids=["plain", "normalised"])
def test_step_by_step_is_the_whole_sequence(cell: str, options: Options) -> None:
    torch.manual_seed(0)
    layers = Recurrent(cell, 3, 4, 2, residual=True, options=options).double().eval()
    values = torch.randn(2, 5, 3, dtype=torch.float64)
    outputs, end = layers(Padded(values, torch.tensor([5, 5])))
    steps = Stepping(layers, 2)
    states = steps.start(values[:, 0])
    seen = []
    for number in range(5):
        one, states = steps(values[:, number], states, number)
        seen.append(one)
    torch.testing.assert_close(torch.stack(seen, 1), outputs.values)
    assert end is not None
    for name, value in join(states).items():
        torch.testing.assert_close(value, end[name])


def test_a_stack_of_two_directions_cannot_go_step_by_step() -> None:
    with pytest.raises(ValueError, match="bidirectional"):
        Stepping(Recurrent("lstm", 3, 4, bidirectional=True), 2)


def test_dropout_within_steps_is_the_same_at_every_step() -> None:
    layers = Recurrent("lstm", 3, 4, options=Options(recurrent_dropout=0.5)).train()
    torch.manual_seed(0)
    one = Stepping(layers, 2)
    states = one.start(torch.zeros(2, 1))
    first, _ = one(torch.ones(2, 3), states)
    again, _ = one(torch.ones(2, 3), states)
    assert torch.equal(first, again)


@pytest.mark.parametrize("kind", ["additive", "dot", "general", "concat"])
def test_attention_looks_at_real_steps_only(kind: Any) -> None:
    torch.manual_seed(0)
    attention = Attention(kind, 4, 6)
    values = torch.randn(3, 5, 6)
    memory = Padded(values, torch.tensor([5, 2, 0])).masked()
    queries = torch.randn(3, 2, 4)
    found, weights = attention(queries, attention.remember(memory))
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2))
    assert not weights[1, :, 2:].any()
    torch.testing.assert_close(found[1], weights[1, :, :2] @ values[1, :2])
    assert not found[2].any()  # nothing to look at: nothing found
    longer = Padded(functional.pad(memory.values, (0, 0, 0, 3), value=9.0), memory.lengths)
    torch.testing.assert_close(attention(queries, attention.remember(longer))[0][:2], found[:2])


@pytest.mark.parametrize("kind", ["additive", "concat"])
def test_long_texts_are_compared_in_portions(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number for every query, step and unit at once would be gigabytes for texts of a thousand tokens."""
    torch.manual_seed(0)
    attention = Attention(kind, 4, 6, 5)
    memory = attention.remember(Padded(torch.randn(2, 7, 6), torch.tensor([7, 3])))
    queries = torch.randn(2, 9, 4, requires_grad=True)
    learning = [queries, *attention.parameters()]

    def slopes() -> tuple[torch.Tensor, ...]:
        found = attention(queries, attention.remember(Padded(torch.ones(2, 7, 6), torch.tensor([7, 3]))))[1]
        return torch.autograd.grad(found[..., 0].square().sum(), learning, allow_unused=True)

    wanted, gradients = attention(queries, memory)[1], slopes()
    assert attention.energy is not None
    sizes: list[int] = []
    attention.energy.register_forward_hook(lambda _module, given, _found: sizes.append(given[0].numel()))
    monkeypatch.setattr("lstmlab.nn.attention.PORTION", 150)  # two queries of 2 x 7 x 5 numbers each
    with torch.inference_mode():
        torch.testing.assert_close(attention(queries, memory)[1], wanted)
    assert sizes == [140] * 4 + [70]
    for mine, other in zip(slopes(), gradients, strict=True):
        assert (mine is None) == (other is None)
        if mine is not None:
            torch.testing.assert_close(mine, other)
    assert max(sizes) == 140


# ---- The whole


@pytest.mark.slow
@pytest.mark.parametrize("changes", CONTEXTS.values(), ids=CONTEXTS)
def test_the_gradient_is_that_of_finite_differences(changes: dict[str, Any]) -> None:
    model, (source, target) = made(changes, num_layers=2, cell="gru"), pairs()
    parameters = [one for one in model.parameters() if one.requires_grad]
    gradients = torch.autograd.grad(model(source, target)[0].sum(), parameters, allow_unused=True)
    for value, gradient in zip(parameters, gradients, strict=True):
        flat, place = value.data.view(-1), value.numel() // 2
        kept, moved = flat[place].item(), []
        for step in (1e-5, -1e-5):
            flat[place] = kept + step
            with torch.no_grad():
                moved.append(float(model(source, target)[0].sum()))
        flat[place] = kept
        found = 0.0 if gradient is None else float(gradient.view(-1)[place])
        assert found == pytest.approx((moved[0] - moved[1]) / 2e-5, abs=1e-6)


@pytest.mark.parametrize("changes", CONTEXTS.values(), ids=CONTEXTS)
def test_every_weight_matters(changes: dict[str, Any]) -> None:
    model, (source, target) = made(changes), pairs()
    model(source, target)[0].sum().backward()
    unused = [name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()]
    assert unused == []


@pytest.mark.parametrize("changes", CONTEXTS.values(), ids=CONTEXTS)
def test_writing_step_by_step_is_reading_at_once(changes: dict[str, Any]) -> None:
    """Teacher forcing and decoding are the same model: the score of an answer is the model's score."""
    model, (source, target) = made(changes), pairs()
    with torch.inference_mode():
        nats = model(source, target)[1]
        state, found = model.encode(source), torch.zeros(3, dtype=torch.float64)
        for number in range(target.values.shape[1] - 1):
            scores, state, _ = model.decoder.step(target.values[:, number], state)
            true = target.values[:, number + 1]
            gain = -scores.log_softmax(1).gather(1, true[:, None])[:, 0]
            found += torch.where(target.lengths > number + 1, gain, 0.0)
    torch.testing.assert_close(found, nats)


@pytest.mark.parametrize("changes", CONTEXTS.values(), ids=CONTEXTS)
def test_padding_order_and_company_change_nothing(changes: dict[str, Any]) -> None:
    model, (source, target) = made(changes), pairs()
    with torch.inference_mode():
        whole = model(source, target)[0]
        wider = [Padded(functional.pad(one.values, (0, 4), value=3), one.lengths) for one in (source, target)]
        torch.testing.assert_close(model(*wider)[0], whole)
        order = torch.tensor([2, 0, 1])
        turned = [Padded(one.values[order], one.lengths[order]) for one in (source, target)]
        torch.testing.assert_close(model(*turned)[0], whole[order])
        alone = [Padded(one.values[:1], one.lengths[:1]) for one in (source, target)]
        torch.testing.assert_close(model(*alone)[0], whole[:1])


@pytest.mark.parametrize(("method", "changes"), [*itertools.product(["greedy", "beam", "sample"], list(CONTEXTS)[:6])])
def test_answers_do_not_depend_on_the_batch_and_score_what_the_model_says(method: Any, changes: str) -> None:
    model, (source, _) = made(CONTEXTS[changes]), pairs()
    marks, settings = Marks(1, 2, (0, 1)), SearchSettings(method=method, beam_size=4, max_length=6)
    if method != "beam":
        settings = settings.model_copy(update={"beam_size": 5})
    with torch.inference_mode():
        together = search(model.decoder.step, model.encode(source), 3, settings, marks)
        for row in range(3):
            only = Padded(source.values[row : row + 1], source.lengths[row : row + 1])
            (alone,) = search(model.decoder.step, model.encode(only), 1, settings, marks, streams=[row])
            assert alone[0].tokens == together[row][0].tokens
            assert alone[0].log_probability == pytest.approx(together[row][0].log_probability)
            if alone[0].finished:
                whole = torch.tensor([[1, *alone[0].tokens, 2]])
                nats = model(only, Padded(whole, torch.tensor([whole.shape[1]])))[1]
                assert alone[0].log_probability == pytest.approx(-float(nats), abs=1e-5)


def test_the_decoder_follows_the_encoder_where_nothing_is_said() -> None:
    model = made({"decoder": {"num_layers": 3}}, cell="gru", num_layers=2)
    layers = model.decoder.layers
    assert (layers.cell.name, layers.num_layers, layers.hidden_size, layers.bidirectional) == ("gru", 3, 4, False)


def test_equal_sizes_are_handed_over_and_others_bridged() -> None:
    assert made(bidirectional=False).bridges is None
    assert set(made().bridges or ()) == {"h", "c"}
    assert set(made({"bridge": "linear"}, bidirectional=False).bridges or ()) == {"h", "c"}
    assert made({"bridge": "zero"}).bridges is None
    assert set(made(cell="slstm").bridges or ()) == {"h", "c"}


def test_tied_tables_are_one() -> None:
    three = EncoderDecoderSettings.model_validate({"tied": "three-way", "embedding": {"size": 5}})
    model = EncoderDecoder(three, TARGET, TARGET)
    assert model.embedding is None
    assert model.decoder.scoring[0] is model.decoder.embedding.table.weight
    names = [name for name, _ in model.named_parameters()]
    assert len(names) == len(model.state_dict())
    with pytest.raises(InputError, match=r"text\.joint"):
        EncoderDecoder(three, SOURCE, TARGET)


def test_scheduled_sampling_feeds_the_models_own_tokens() -> None:
    model, (source, target) = made(), pairs()
    model.train()
    torch.manual_seed(0)
    true = model(source, target)[1]
    torch.manual_seed(0)
    assert torch.equal(model(source, target, 1.0)[1], true)
    own = model(source, target, 0.0)[1]
    # The first token's score cannot change; a row of one token has nothing else.
    assert own[2] == pytest.approx(float(true[2]))
    assert not torch.allclose(own, true)


def test_context_by_state_alone_needs_a_bridge() -> None:
    with pytest.raises(ValueError, match="bridge=zero"):
        EncoderDecoderSettings(context="state", bridge="zero")
    reasons = EncoderDecoderSettings(context="state").idle()
    assert {"attention.kind", "attention.input_feeding", "memory_dropout"} <= reasons.keys()
    assert "memory_dropout" in EncoderDecoderSettings(context="every-step").idle()
    assert "attention.size" in EncoderDecoderSettings(attention=AttentionSettings(kind="dot")).idle()


def test_what_the_decoder_alone_makes_use_of_is_not_idle() -> None:
    """It follows the encoder: dropout between layers is the decoder's where only that has several."""
    both = EncoderSettings(hidden_size=4, dropout=0.5)
    deep = EncoderDecoderSettings(encoder=both, decoder=DecoderSettings(num_layers=2))
    assert not {"encoder.dropout", "encoder.residual"} & idle_paths(deep).keys()
    assert "encoder.dropout" in idle_paths(EncoderDecoderSettings(encoder=both))
    gated = EncoderDecoderSettings(encoder=EncoderSettings(cell="gru"), decoder=DecoderSettings(cell="lstm"))
    assert "encoder.forget_bias" not in idle_paths(gated)
    model = EncoderDecoder(deep, SOURCE, TARGET).double().train()
    source, target = pairs()
    assert not torch.equal(model(source, target)[1], model(source, target)[1])


def test_dropouts_act_in_training_only() -> None:
    dropped = {
        "embedding": {"size": 5, "dropout": 0.5},
        "decoder": DecoderSettings(dropout=0.5).model_dump(),
        "memory_dropout": 0.5,
        "label_smoothing": 0.1,
    }
    model, (source, target) = made(dropped), pairs()
    assert torch.equal(model(source, target)[0], model(source, target)[0])
    model.train()
    smoothed, nats, _ = model(source, target)
    assert not torch.equal(smoothed, nats)
    assert not torch.equal(model(source, target)[1], nats)


def test_settings_of_vectors_are_shared() -> None:
    assert isinstance(EncoderDecoderSettings().embedding, VectorSettings)
    assert EncoderDecoderSettings().decoder.stack(EncoderSettings(cell="gru")).cell == "gru"
