"""Runs a notebook's cells in a Python of its own and tells what each printed, showed and drew.

Not imported: `execution` starts this file. It uses what a notebook may use and nothing of lstmlab, which it also hides
from the cells, so that what ran here runs where lstmlab was never heard of. Cells come in as JSON, a list of sources;
each thing told goes out as a line of JSON.
"""

import ast
import base64
import io
import json
import linecache
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

HIDDEN = "lstmlab"
DPI = 80

Tell = Callable[..., None]


class Hider:
    """An import hook that knows of no lstmlab."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Refuses lstmlab; of everything else, others know."""
        if name.split(".")[0] == HIDDEN:
            raise ModuleNotFoundError(f"a notebook imports no {HIDDEN}: it is self-contained", name=name)


class Told(io.TextIOBase):
    """A stream whose text is told as it comes."""

    def __init__(self, tell: Tell, stream: str) -> None:
        self._tell, self._stream = tell, stream

    def write(self, text: str) -> int:
        """Tell it."""
        if text:
            self._tell(kind="stream", name=self._stream, text=text)
        return len(text)


def main() -> int:
    """Run the cells that stand on standard input."""
    sources = json.loads(sys.stdin.buffer.read())
    # Standard output is for what is told: whatever a library prints there by itself must not get between.
    with open(1, "w", encoding="utf-8", closefd=False, newline="\n") as out:

        def tell(**what: Any) -> None:
            out.write(json.dumps(what) + "\n")
            out.flush()

        return _run_all(sources, tell)


def _run_all(sources: list[str], tell: Tell) -> int:
    sys.meta_path.insert(0, Hider())
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.show = lambda *args, **keywords: None  # as in a notebook, figures show themselves when their cell ends
    space: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    for number, source in enumerate(sources, 1):
        tell(kind="begin", cell=number)
        with redirect_stdout(Told(tell, "stdout")), redirect_stderr(Told(tell, "stderr")):
            try:
                _run(source, number, space, tell)
            except BaseException as error:  # whatever stopped the cell is told, and ends the run
                shown = "".join(traceback.format_exception(error))
                tell(kind="error", cell=number, name=type(error).__name__, text=str(error), trace=shown)
                return 1
        _draw(pyplot, tell)
    tell(kind="end")
    return 0


def _run(source: str, number: int, space: dict[str, Any], tell: Tell) -> None:
    """One cell; the value of its last expression is shown, as in a notebook, unless a semicolon ends it."""
    name = f"<cell {number}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    tree = ast.parse(source, name)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), space)
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), name, "eval"), space)
        if value is not None and not source.rstrip().endswith(";"):
            tell(kind="result", text=repr(value))


def _draw(pyplot: Any, tell: Tell) -> None:
    for number in pyplot.get_fignums():
        figure, content = pyplot.figure(number), io.BytesIO()
        # Without the version of matplotlib, so that equal drawings have equal bytes.
        figure.savefig(content, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
        tell(kind="figure", png=base64.b64encode(content.getvalue()).decode())
    pyplot.close("all")


if __name__ == "__main__":
    sys.exit(main())
