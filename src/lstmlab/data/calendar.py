"""What the calendar says of a time, known for all of the future: hour, weekday, day of the year, on circles."""

import numpy as np
from jaxtyping import Float

from lstmlab.data.datasets.times import DAY, US, Step, Times

_CYCLES = {"hour": 24, "weekday": 7, "day of the year": 365.25, "month": 12}


def names(step: Step) -> tuple[str, ...]:
    """The features that make sense for a step: two for each cycle longer than it."""
    return tuple(f"{part} of {cycle}" for cycle in _cycles(step) for part in ("sine", "cosine"))


def features(times: Times, step: Step) -> Float[np.ndarray, "T F"]:
    """Sine and cosine of where each time stands in each cycle."""
    found = [np.zeros((len(times), 0))]
    for cycle in _cycles(step):
        angle = 2 * np.pi * _place(times, cycle) / _CYCLES[cycle]
        found.append(np.stack([np.sin(angle), np.cos(angle)], 1))
    return np.concatenate(found, 1)


def _cycles(step: Step) -> list[str]:
    if step.numbers or step.months >= 12:
        return []
    if step.months:
        return ["month"]
    if step.trading:
        return ["weekday", "day of the year"]
    cycles = ["hour"] if step.microseconds < DAY else []
    return cycles + (["weekday"] if step.microseconds < 7 * DAY else []) + ["day of the year"]


def _place(times: Times, cycle: str) -> np.ndarray:
    days = times.astype("M8[D]")
    if cycle == "hour":
        return (times - days).astype("m8[us]").astype(np.int64) / (3600 * US)
    if cycle == "weekday":
        return (days.astype(np.int64) + 3) % 7  # 1970 began on a Thursday
    if cycle == "month":
        return times.astype("M8[M]").astype(np.int64) % 12
    return (days - days.astype("M8[Y]").astype("M8[D]")).astype(np.int64)
