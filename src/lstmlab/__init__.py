"""lstmlab: the laboratory for recurrent sequence models.

import lstmlab
run = lstmlab.train("imdb", cell="gru", watch=print)
run.scores, run.predict(["What a film!"])
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmlab.api import Result, open_run, train
    from lstmlab.catalogue import recipe_names
    from lstmlab.errors import InputError
    from lstmlab.studies import StudyResult, compare, open_study
    from lstmlab.types import Batch, Example, Padded

_HOME = {
    "train": "lstmlab.api",
    "open_run": "lstmlab.api",
    "Result": "lstmlab.api",
    "compare": "lstmlab.studies",
    "open_study": "lstmlab.studies",
    "StudyResult": "lstmlab.studies",
    "recipe_names": "lstmlab.catalogue",
    "InputError": "lstmlab.errors",
    "Example": "lstmlab.types",
    "Padded": "lstmlab.types",
    "Batch": "lstmlab.types",
}

__all__ = [
    "Batch", "Example", "InputError", "Padded", "Result", "StudyResult", "compare", "open_run", "open_study",
    "recipe_names", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Public names are imported when first asked for: `import lstmlab` itself loads nothing."""
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'lstmlab' has no attribute {name!r}")
