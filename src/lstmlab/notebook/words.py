"""Sentences about parts of a model that several families of notebooks have."""

from collections.abc import Mapping, Sequence
from typing import Any

from lstmlab.nn.classifier import ClassifierSettings
from lstmlab.nn.matcher import MatcherSettings

POOLINGS = {
    "max": "**max** over {steps} keeps the largest value of each unit: whether something was seen anywhere",
    "mean": "**mean** over {steps} keeps how much of it there is on the whole",
    "last": "the **last** output is what the network knows once it has read everything",
    "attention": "**attention** is a mean in which a learned query decides how much each of the {steps} counts",
}


def poolings(model: ClassifierSettings | MatcherSettings, what: str, steps: str = "steps") -> list[str]:
    """How the outputs of all steps become one vector for each `what`, and what is dropped in training: list items."""
    told = [POOLINGS[kind].format(steps=steps) for kind in model.pooling]
    if model.embedding.word_dropout:
        told.append(
            f"**word dropout**: in training {model.embedding.word_dropout:.0%} of the tokens lose their vector, so "
            "that the network cannot lean on a few words it knows by heart"
        )
    if model.dropout:
        told.append(
            f"**dropout**: in training {model.dropout:.0%} of the {what}'s features are set to zero at random, which "
            "keeps the network from relying on any single one"
        )
    return [f"{line};" for line in told[:-1]] + [f"{told[-1]}."]


def features_line(pooling: Sequence[str], bidirectional: bool) -> str:
    """How many numbers a pooled vector has, in units."""
    count = len(pooling) * (2 if bidirectional else 1)
    return f"{count} H" if count > 1 else "H"


def drops(settings: Mapping[str, Any]) -> bool:
    """Whether any dropout is on in a model's settings."""
    return any(
        drops(value) if isinstance(value, Mapping) else "drop" in name and bool(value)
        for name, value in settings.items()
    )
