"""Networks that forecast: every strategy, head and normalisation."""

from typing import Any

import pytest
import torch

from lstmlab.errors import InputError
from lstmlab.nn.forecaster import Forecaster, ForecasterSettings, Sizes
from lstmlab.recipe import validate
from lstmlab.types import Padded

STRATEGIES = ("recursive", "direct", "decoder", "parallel")
SIZES = Sizes(channels=2, beside=0, ahead=3, horizon=6, series=4)


def made(strategy: str, sizes: Sizes = SIZES, **changes: Any) -> Forecaster:
    tree = {"encoder": {"hidden_size": 7, "bidirectional": False}, "strategy": strategy, **changes}
    torch.manual_seed(0)
    return Forecaster(validate(ForecasterSettings, tree, "model"), sizes).double().eval()


def asked(sizes: Sizes = SIZES, rows: int = 3, steps: int = 8) -> dict[str, Any]:
    torch.manual_seed(1)
    width = sizes.channels + sizes.beside + sizes.ahead
    values = torch.randn(rows, steps, width, dtype=torch.float64)
    return {
        "inputs": Padded(values, torch.full((rows,), steps)),
        "steps": sizes.horizon,
        "ahead": torch.randn(rows, sizes.horizon, sizes.ahead, dtype=torch.float64) if sizes.ahead else None,
        "series": torch.arange(rows) - 1,
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("head", ["point", "quantile", "gaussian"])
def test_every_weight_matters_and_every_row_stands_alone(strategy: str, head: str) -> None:
    model, question = made(strategy, head=head, series_size=2), asked()
    said = model(**question)
    assert said.shape == (3, 6, 2, {"point": 1, "quantile": 5, "gaussian": 2}[head])
    for row in range(3):
        one = {name: value[row : row + 1] for name, value in question.items() if name in ("ahead", "series")}
        inputs = Padded(question["inputs"].values[row : row + 1], question["inputs"].lengths[row : row + 1])
        torch.testing.assert_close(model(inputs, 6, **one)[0], said[row])
    said.square().sum().backward()
    unused = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert unused == []


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("normalise", ["last", "standard"])
@pytest.mark.parametrize("head", ["point", "quantile", "gaussian"])
def test_a_normalised_window_forecasts_as_much_higher_as_it_stands(strategy: str, normalise: str, head: str) -> None:
    model, question = made(strategy, normalise=normalise, head=head), asked()
    moved = question["inputs"].values.clone()
    moved[..., :2] += 100
    said, higher = model(**question), model(**{**question, "inputs": Padded(moved, question["inputs"].lengths)})
    middle = model.settings.middle
    torch.testing.assert_close(middle(higher), middle(said) + 100, rtol=1e-6, atol=1e-6)
    if head == "gaussian":
        torch.testing.assert_close(higher[..., 1], said[..., 1], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("strategy", ["direct", "decoder", "parallel"])
def test_segments_are_read_together_and_the_oldest_rest_is_not(strategy: str) -> None:
    model, question = made(strategy, segment=3), asked()
    values = question["inputs"].values.clone()
    values[:, :2] = 9.0  # of eight steps two make no segment
    changed = {**question, "inputs": Padded(values, question["inputs"].lengths)}
    torch.testing.assert_close(model(**changed), model(**question))
    values[:, 2] = 9.0
    assert not torch.allclose(model(**changed), model(**question))


def test_segments_need_not_divide_the_horizon() -> None:
    sizes = Sizes(horizon=7)
    assert made("parallel", sizes, segment=3)(**asked(sizes)).shape == (3, 7, 1, 1)


def test_a_recursive_forecast_is_the_windows_moved_on() -> None:
    sizes = Sizes(horizon=2)
    model, question = made("recursive", sizes), asked(sizes)
    values = question["inputs"].values
    first = model(question["inputs"], 1)
    again = model(Padded(torch.cat([values[:, 1:], first[..., 0]], 1), question["inputs"].lengths), 1)
    torch.testing.assert_close(model(question["inputs"], 2)[:, 1], again[:, 0])


def test_a_decoder_is_fed_the_truth_in_training_only() -> None:
    model, question = made("decoder"), asked()
    truth = torch.randn(3, 6, 2, dtype=torch.float64)
    own = model(**question)
    torch.testing.assert_close(model(**question, truth=truth), own)
    model.train()
    forced = model(**question, truth=truth)
    torch.testing.assert_close(forced[:, 0], own[:, 0])
    assert not torch.allclose(forced[:, 1], own[:, 1])
    torch.testing.assert_close(model(**question, truth=truth, forced=0.0), own)
    torch.testing.assert_close(model(**question, truth=torch.full_like(truth, torch.nan)), own)


def test_losses_by_hand() -> None:
    truth = torch.tensor([[[2.0], [torch.nan]]])
    point = ForecasterSettings(loss="mae")
    assert point.errors(torch.tensor([[[[5.0]], [[1.0]]]]), truth).tolist() == [[[3.0], [0.0]]]
    quantile = ForecasterSettings(head="quantile", quantiles=[0.1, 0.5])
    found = quantile.errors(torch.tensor([[[[0.0, 4.0]], [[1.0, 1.0]]]]), truth)
    assert found[0, 0, 0] == pytest.approx(0.1 * 2 + 0.5 * 2)  # 2 · mean of (0.1 · 2, 0.5 · 2)
    gaussian = ForecasterSettings(head="gaussian").errors(torch.tensor([[[[1.0, 0.0]], [[0.0, 0.0]]]]), truth)
    assert float(gaussian[0, 0, 0]) == pytest.approx(0.5 + 0.918938533)


def test_quantiles_are_told_in_order_and_a_deviation_as_it_is() -> None:
    said = torch.tensor([[3.0, 1.0, 2.0]])
    assert ForecasterSettings(head="quantile", quantiles=[0.1, 0.5, 0.9]).levels(said).tolist() == [[1, 2, 3]]
    assert ForecasterSettings(head="gaussian").levels(torch.tensor([[3.0, 0.0]])).tolist() == [[3, 1]]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"strategy": "recursive", "segment": 2}, "segment"),
        ({"strategy": "decoder", "encoder": {"bidirectional": True}}, "bidirectional=false"),
        ({"quantiles": [0.9, 0.5]}, "rise"),
        ({"quantiles": [0.1, 0.9]}, "0.5"),
        ({"quantiles": [0.5, 1.0]}, "quantiles"),
        ({"series_size": 50}, "less than hidden_size"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        validate(ForecasterSettings, changes, "model")


@pytest.mark.parametrize("strategy", ["direct", "parallel"])
def test_growth_and_highway(strategy: str) -> None:
    """Growth scales what is said of each step; the highway adds a line through the last values."""
    question = asked()
    plain = made(strategy, normalise="last")
    grown = made(strategy, normalise="last", growth=0.5, highway=3)
    grown.load_state_dict(plain.state_dict(), strict=False)
    last = question["inputs"].values[:, -1:, :2, None]
    steps = (torch.arange(1, 7, dtype=torch.float64) / 6).sqrt()[None, :, None, None]
    assert grown.highway is not None
    torch.nn.init.zeros_(grown.highway.bias)
    expected = (plain(**question) - last) * steps + last
    torch.testing.assert_close(grown(**question), expected)
    torch.nn.init.ones_(grown.highway.weight)
    changes = (question["inputs"].values[:, -3:, :2] - last[..., 0]).sum(1)[:, None, :, None]
    torch.testing.assert_close(grown(**question), expected + changes)


@pytest.mark.parametrize("normalise", ["none", "last", "standard"])
@pytest.mark.parametrize("change", [False, True])
def test_forecasts_fed_back_are_read_as_a_window_of_their_own(normalise: str, change: bool) -> None:
    """Asked for three steps at once, or three times for one with the forecast in the window: the same."""
    sizes = Sizes(channels=2, beside=0, ahead=3, horizon=3)
    model, question = made("recursive", sizes, normalise=normalise, change=change), asked(sizes)
    at_once = model(question["inputs"], 3, ahead=question["ahead"])
    window, said = question["inputs"].values, []
    for step in range(3):
        known = question["ahead"][:, step : step + 1]
        said.append(model(Padded(window, question["inputs"].lengths), 1, ahead=known))
        window = torch.cat([window[:, 1:], torch.cat([said[-1][..., 0], known], -1)], 1)
    torch.testing.assert_close(torch.cat(said, 1), at_once)


def test_a_forecast_fed_back_is_no_missing_value() -> None:
    sizes = Sizes(channels=2, beside=2, ahead=0, horizon=4)
    model, question = made("recursive", sizes), asked(sizes)
    question["inputs"].values[..., 2:] = 1.0
    said = model(question["inputs"], 4)
    window = torch.cat([question["inputs"].values[:, 1:], torch.cat([said[:, :1, :, 0], torch.ones(3, 1, 2)], -1)], 1)
    torch.testing.assert_close(model(Padded(window, question["inputs"].lengths), 3), said[:, 1:])
