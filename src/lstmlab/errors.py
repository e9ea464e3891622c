"""The one error a person can mend, and the search for the name they meant."""

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """Something outside the program is wrong: a file, a setting, a name, a disk.

    Its message says what was got, where, what was expected and, where one is known, the corrected command.
    The command line prints it without a traceback and exits with status 2.
    """


class Damaged(InputError):
    """A file of a run that is there and does not hold what every run writes: broken off, edited, of another program."""


def nearest(got: str, names: Iterable[str], *, most: int = 1) -> list[str]:
    """The names most like `got`, best first: whole, as the beginning or end of a name, or with letters changed."""
    names = list(dict.fromkeys(names))
    lowered = got.lower()
    parts = [name for name in names if len(lowered) > 2 and (lowered in name.lower() or name.lower() in lowered)]
    close = difflib.get_close_matches(lowered, [name.lower() for name in names], n=most, cutoff=0.6)
    ranked = [name for match in close for name in names if name.lower() == match] + parts
    return list(dict.fromkeys(ranked))[:most]


def unknown(kind: str, got: str, names: Iterable[str], *, hint: str = "") -> InputError:
    """An error for a name that is on no shelf, with the nearest right one or else the whole list."""
    names = sorted(names)
    match = nearest(got, names)
    advice = f"Did you mean {match[0]}?" if match else f"Known: {', '.join(names)}."
    return InputError(f'no {kind} "{got}". {advice}{" " + hint if hint else ""}')
