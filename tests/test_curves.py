"""The verdict on made-up histories, each with what a careful reader of its curves would say; and the figures."""

import math
from typing import Any

import numpy as np
import pytest

from fake_runs import classification_run
from histories import Rows, fall, noisy, rows
from lstmlab.analysis.curves import Known, section, verdict
from lstmlab.report import unlabelled

R1 = np.interp(
    np.arange(1, 51), [1, 2, 5, 10, 20, 30, 40, 50], np.log([0.52, 0.42, 0.18, 0.0386, 0.0055, 0.0008, 0.00032, 0.0003])
)
R2_TRAIN = np.concatenate([[0.47, 0.28, 0.20, 0.14, 0.10, 0.07, 0.05], 0.04 * np.exp(-0.083 * np.arange(93))])
R2_VALID = np.concatenate([[0.36, 0.315, 0.312, 0.34, 0.38, 0.42, 0.46], np.linspace(0.5, 1.2024, 93)])
R3_TRAIN = [0.678, 0.61, 0.52, 0.42, 0.33, 0.26, 0.20, 0.15, 0.105, 0.0697]
R3_VALID = [0.66, 0.60, 0.53, 0.47, 0.43, 0.41, 0.405, 0.42, 0.45, 0.49]

CASES: dict[str, tuple[Rows, dict[str, float], str]] = {
    # The reference systems
    "R1 sine-classic": (rows(np.exp(R1)), {"blind_loss": 0.5}, "sound"),
    "R1 with its wobbles": (rows(noisy(np.exp(R1), 0.05)), {"blind_loss": 0.5}, "sound"),
    "R2 imdb-classic": (rows(R2_TRAIN, R2_VALID), {}, "overfitting"),
    "R2 with noise": (rows(noisy(R2_TRAIN, 0.2), noisy(R2_VALID, 0.05, 1)), {}, "overfitting"),
    "R2 after 10 epochs": (rows(R2_TRAIN[:10], R2_VALID[:10]), {}, "overfitting"),
    "R3 text-classifier": (rows(R3_TRAIN, R3_VALID), {}, "overfitting"),
    "R3 stopped at its best": (rows(R3_TRAIN[:7], R3_VALID[:7]), {}, "sound"),
    "R3 stopped halfway": (rows(R3_TRAIN[:4], R3_VALID[:4]), {}, "still improving"),
    # Overfitting
    "overfits at once": (rows([0.5, 0.2, 0.1, 0.05, 0.02], [0.40, 0.45, 0.52, 0.60, 0.70]), {}, "overfitting"),
    "overfits in five epochs": (rows([0.6, 0.4, 0.25, 0.15, 0.08], [0.45, 0.35, 0.33, 0.36, 0.41]), {}, "overfitting"),
    "overfits slowly with noise": (
        rows(fall(0.7, 0.05, 0.1, 40), noisy(fall(0.7, 0.3, 0.4, 40) + 0.006 * np.arange(40), 0.02)),
        {},
        "overfitting",
    ),
    "stopped early, three epochs of rise": (
        rows([0.6, 0.4, 0.3, 0.22, 0.15, 0.1], [0.5, 0.42, 0.40, 0.43, 0.47, 0.52]),
        {},
        "overfitting",
    ),
    "training loss at nothing": (
        rows([0.5, 1e-3, 1e-5, 1e-5, 1.1e-5, 1e-5], [0.5, 0.30, 0.34, 0.38, 0.42, 0.46]),
        {},
        "overfitting",
    ),
    "overfits while its accuracy still rises": (
        rows(R3_TRAIN, R3_VALID, accuracy=np.linspace(0.56, 0.98, 10), valid_accuracy=np.linspace(0.6, 0.84, 10)),
        {"baseline": 0.5},
        "overfitting",
    ),
    "overfits with small late spikes in training": (
        rows([*R2_TRAIN[:50], 0.03, *R2_TRAIN[51:80], 0.04, *R2_TRAIN[81:]], R2_VALID),
        {},
        "overfitting",
    ),
    "overfits late in a long run": (
        rows(fall(1.0, 0.05, 0.05, 80), np.concatenate([fall(1.0, 0.5, 0.08, 50), np.linspace(0.52, 0.75, 30)])),
        {},
        "overfitting",
    ),
    "six classes": (
        rows(
            fall(1.7, 0.01, 0.5, 15),
            [1.6, 1.2, 0.9, 0.7, 0.6, 0.55, 0.53, 0.54, 0.56, 0.58, 0.6, 0.62, 0.64, 0.66, 0.68],
        ),
        {},
        "overfitting",
    ),
    # No false accusation
    "half a per cent of rise at the end": (
        rows(fall(0.7, 0.2, 0.3, 12), [*fall(0.69, 0.30, 0.6, 10), 0.3030, 0.3035]),
        {},
        "sound",
    ),
    "two per cent of rise": (
        rows(fall(0.7, 0.15, 0.5, 8), [0.5, 0.4, 0.35, 0.33, 0.325, 0.326, 0.329, 0.331]),
        {},
        "sound",
    ),
    "plateau with noise": (rows(fall(0.7, 0.2, 0.3, 60), noisy(fall(0.7, 0.35, 0.5, 60), 0.02)), {}, "sound"),
    "plateau with much noise": (rows(fall(0.7, 0.2, 0.3, 60), noisy(fall(0.7, 0.35, 0.5, 60), 0.06, 3)), {}, "sound"),
    "short noisy plateau": (rows(fall(0.7, 0.3, 1, 6), [0.45, 0.40, 0.385, 0.392, 0.387, 0.394]), {}, "sound"),
    "training falls on, validation flat": (rows(fall(0.7, 0.02, 0.2, 30), fall(0.7, 0.4, 0.5, 30)), {}, "sound"),
    "one bad epoch on validation": (
        rows(fall(0.7, 0.2, 0.5, 12), [0.6, 0.5, 0.42, 0.38, 0.36, 0.35, 0.44, 0.35, 0.345, 0.345, 0.344, 0.345]),
        {},
        "sound",
    ),
    "solved, then dust": (
        rows(fall(0.69, 1e-5, 1.2, 20), [*fall(0.69, 1e-5, 1.5, 15), 3e-5, 5e-5, 4e-5, 6e-5, 5e-5]),
        {},
        "sound",
    ),
    "solved in the first epoch": (
        rows([0.02, 0.003, 0.002, 0.002, 0.002], [0.002] * 5, accuracy=[0.99] + [1.0] * 4, valid_accuracy=[1.0] * 5),
        {"baseline": 0.5},
        "sound",
    ),
    "averaged weights and dropout: validation below training": (
        rows(
            [0.60, 0.45, 0.40, 0.37, 0.35, 0.34, 0.335, 0.33],
            [0.42, 0.34, 0.31, 0.30, 0.295, 0.292, 0.291, 0.290],
            accuracy=[0.67, 0.79, 0.82, 0.84, 0.85, 0.85, 0.86, 0.86],
            valid_accuracy=[0.83, 0.86] + [0.88] * 6,
        ),
        {"baseline": 0.5},
        "sound",
    ),
    "imdb, five epochs, rate falling to zero": (
        rows([0.52, 0.35, 0.30, 0.27, 0.25], [0.34, 0.29, 0.272, 0.266, 0.2645], rate=[2e-3, 1.5e-3, 1e-3, 5e-4, 0.0]),
        {},
        "sound",
    ),
    "early stopping on a plateau": (
        rows(fall(0.7, 0.2, 0.4, 9), [0.6, 0.5, 0.45, 0.43, 0.425, 0.42, 0.424, 0.43, 0.427]),
        {},
        "sound",
    ),
    "no validation, levelled off": (rows(fall(0.7, 0.1, 0.5, 30)), {}, "sound"),
    "accuracy well above the majority, imbalanced": (
        rows(fall(0.3, 0.1, 0.5, 12), fall(0.3, 0.12, 0.6, 12), accuracy=np.linspace(0.95, 0.975, 12)),
        {"baseline": 0.95},
        "sound",
    ),
    # Underfitting
    "constant": (rows([0.6931] * 10, [0.6932] * 10), {}, "underfitting"),
    "constant, accuracy of chance": (
        rows([0.6931] * 10, [0.6932] * 10, accuracy=[0.5] * 10, valid_accuracy=[0.5] * 10),
        {"baseline": 0.5},
        "stuck at chance",
    ),
    "parity that never opens": (
        rows(noisy([0.6935] * 20, 0.0005), noisy([0.694] * 20, 0.001, 1), accuracy=noisy([0.505] * 20, 0.01)),
        {"baseline": 0.5},
        "stuck at chance",
    ),
    "always the majority": (
        rows([0.21, 0.20, 0.199, 0.198, 0.199], [0.2] * 5, accuracy=[0.95] * 5, valid_accuracy=[0.95] * 5),
        {"baseline": 0.95},
        "stuck at chance",
    ),
    "forecaster that forecasts the mean": (rows(fall(0.52, 0.49, 1, 20)), {"blind_loss": 0.5}, "underfitting"),
    "learning rate far too small": (
        rows(np.linspace(0.6935, 0.6925, 10), np.linspace(0.693, 0.6925, 10)),
        {},
        "underfitting",
    ),
    "chance on training, rising validation noise": (
        rows([0.6935] * 8, [0.693, 0.694, 0.693, 0.695, 0.694, 0.696, 0.695, 0.696], accuracy=[0.51] * 8),
        {"baseline": 0.5},
        "stuck at chance",
    ),
    # Unstable
    "three spikes": (
        rows([0.7, 0.4, 0.3, 0.65, 0.3, 0.25, 0.6, 0.25, 0.2, 0.55, 0.2], fall(0.6, 0.35, 0.5, 11)),
        {},
        "unstable",
    ),
    "diverges": (rows([0.6, 0.4, 0.3, 0.35, 0.5, 0.7, 0.9], [0.5, 0.4, 0.35, 0.4, 0.55, 0.7, 0.95]), {}, "unstable"),
    "diverges without validation": (rows([0.6, 0.4, 0.3, 0.9, 1.5, 2.0]), {}, "unstable"),
    "blows up in the last epoch": (
        rows([0.6, 0.4, 0.3, 0.25, 0.2, 3.0], [0.5, 0.4, 0.35, 0.33, 0.32, 2.5]),
        {},
        "unstable",
    ),
    "falls back to chance": (
        rows(
            [0.69, 0.5, 0.3, 0.2, 0.6, 0.693, 0.693, 0.693],
            [0.6, 0.45, 0.35, 0.3, 0.6, 0.69, 0.693, 0.693],
            accuracy=[0.5, 0.75, 0.87, 0.92, 0.6, 0.5, 0.5, 0.5],
        ),
        {"baseline": 0.5},
        "unstable",
    ),
    "a learning rate too large": (
        rows([0.9, 0.6, 1.1, 0.5, 1.3, 0.7, 1.2, 0.6], [0.8, 1.2, 0.6, 1.1, 0.7, 1.3, 0.6, 1.0]),
        {},
        "unstable",
    ),
    "validation loss leaps up and down": (
        rows(fall(0.7, 0.3, 0.3, 12), [0.6, 0.5, 1.2, 0.45, 0.42, 1.4, 0.42, 0.9, 0.41, 0.40, 1.1, 0.40]),
        {},
        "unstable",
    ),
    "validation loss not a number": (rows(fall(0.7, 0.3, 0.3, 6), [0.6, 0.5, None, 0.45, 0.44, 0.44]), {}, "unstable"),
    # Still improving
    "falling steadily": (rows(np.linspace(1.0, 0.4, 12), np.linspace(1.0, 0.5, 12)), {}, "still improving"),
    "falling steadily with noise": (
        rows(np.linspace(1.0, 0.4, 24), noisy(np.linspace(1.0, 0.5, 24), 0.01)),
        {},
        "still improving",
    ),
    "five epochs, falling": (
        rows([0.69, 0.62, 0.52, 0.44, 0.37], [0.68, 0.60, 0.51, 0.44, 0.39]),
        {},
        "still improving",
    ),
    "three epochs, falling": (rows([0.69, 0.5, 0.4], [0.6, 0.48, 0.40]), {}, "still improving"),
    "opens late": (
        rows(
            [*[0.693] * 14, 0.68, 0.6, 0.45, 0.3],
            [*[0.693] * 14, 0.67, 0.58, 0.42, 0.28],
            accuracy=[*[0.5] * 14, 0.55, 0.68, 0.79, 0.88],
        ),
        {"baseline": 0.5},
        "still improving",
    ),
    "no validation, falling": (rows(np.linspace(1.0, 0.5, 20)), {}, "still improving"),
    "dropout and averaging, falling": (
        rows([0.69, 0.65, 0.6, 0.55, 0.5, 0.46], [0.66, 0.58, 0.5, 0.44, 0.39, 0.35]),
        {},
        "still improving",
    ),
    # Too short
    "nothing": ([], {}, "too short to tell"),
    "one epoch": (rows([0.5], [0.4]), {}, "too short to tell"),
    "two epochs": (rows([0.5, 0.4], [0.4, 0.45]), {}, "too short to tell"),
    "two epochs without validation": (rows([0.5, 0.4]), {}, "too short to tell"),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(name: str) -> None:
    history, known, kind = CASES[name]
    found = verdict(history, Known(**known))
    assert found.kind == kind, f"{found.kind}: {found.sentence}"
    assert found.sentence.endswith(".")
    assert "None" not in found.sentence + found.evidence
    assert "nan" not in found.sentence.lower()


def test_the_named_epoch_is_that_of_least_validation_loss() -> None:
    for name, (history, known, kind) in CASES.items():
        if kind == "overfitting":
            losses = [row["valid"]["loss"] for row in history]
            best = history[int(np.argmin(losses))]["epoch"]
            assert f"since epoch {best}:" in verdict(history, Known(**known)).sentence, name


def test_the_sentence_of_imdb_classic() -> None:
    train, valid = R2_TRAIN.copy(), R2_VALID.copy()
    train[-1] = 1.9e-5
    sentence = verdict(rows(train, valid)).sentence
    assert sentence == (
        "Overfitting since epoch 3: validation loss 0.3120 at its least, 1.2024 at the end, "
        "while training loss fell from 0.2000 to 1.90e-05."
    )


def test_epochs_are_named_by_the_rows_not_by_their_place() -> None:
    assert "since epoch 7:" in verdict(rows(R3_TRAIN, R3_VALID)).sentence
    assert "since epoch 17:" in verdict(rows(R3_TRAIN, R3_VALID, first=11)).sentence


def test_the_unit_of_the_loss_does_not_matter() -> None:
    for name, (history, known, kind) in CASES.items():
        scaled = [
            {
                **row,
                **{
                    part: {k: v and (v * 1000 if k == "loss" else v) for k, v in row[part].items()}
                    for part in ("train", "valid")
                    if part in row
                },
            }
            for row in history
        ]
        if "blind_loss" in known:
            known = {**known, "blind_loss": 1000 * known["blind_loss"]}
        assert verdict(scaled, Known(**known)).kind == kind, name


@pytest.mark.parametrize("seed", range(30))
def test_a_noisy_plateau_is_never_overfitting(seed: int) -> None:
    count = 10 + 2 * seed
    valid = noisy(fall(0.7, 0.35, 0.6, count), 0.002 * (1 + seed % 10), seed)
    assert verdict(rows(fall(0.7, 0.05, 0.2, count), valid)).kind != "overfitting"


def test_no_validation_part_is_said() -> None:
    assert "no validation part" in verdict(rows(fall(0.7, 0.1, 0.5, 30))).evidence


@pytest.mark.parametrize(
    "history",
    [
        rows(R2_TRAIN, R2_VALID, accuracy=np.linspace(0.7, 1, 100), valid_accuracy=np.linspace(0.8, 0.86, 100)),
        rows(np.exp(R1)),
        rows([0.5], [0.4]),
        rows([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
        [],
        rows([0.5, 0.4, 0.3], [None, 0.5, None]),
        rows([math.pi] * 4, rate=[0.0] * 4),
    ],
)
def test_figures_have_their_labels(tmp_path: Any, history: Rows) -> None:
    found = section(classification_run(tmp_path / "runs/made/up", history=history))
    assert [problem for figure in found.figures for problem in unlabelled(figure)] == []
    assert bool(found.figures) == bool(history)


def test_the_section_says_how_training_scores_were_measured(tmp_path: Any) -> None:
    assert "while training, with dropout on" in section(classification_run(tmp_path / "r", dropout=0.5)).evidence
    assert "with dropout on" not in section(classification_run(tmp_path / "s", dropout=0.0)).evidence
