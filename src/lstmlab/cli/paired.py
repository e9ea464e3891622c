"""Pairs of texts: what `predict` shows and writes of them."""

from collections.abc import Mapping
from typing import Any

LONGEST = 70
"""Characters of what was asked that are shown behind an answer."""


def paired(given: Any, answer: Mapping[str, Any]) -> bool:
    """Whether two texts were asked about (a tagger's words come in lists as well)."""
    return isinstance(given, list) and "certainty" not in answer and all(isinstance(side, str) for side in given)


def pair_text(given: list[str]) -> str:
    """Both texts on a line, cut where they are long."""
    sides = [" ".join(side.split()) for side in given]
    most = max(LONGEST - min(map(len, sides)), LONGEST // 2) - 2
    return " → ".join(side if len(side) <= most else side[: most - 1] + "…" for side in sides)
