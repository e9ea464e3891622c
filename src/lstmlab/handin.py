"""A run gathered into one folder that is ready to push: README, notebook, report, figures, recipe and scores."""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from lstmlab import notebook as notebooks
from lstmlab.analysis.closing import duration, reproduce
from lstmlab.analysis.document import Wishes, document
from lstmlab.analysis.readme import readme
from lstmlab.data.load import Watch
from lstmlab.disk import save
from lstmlab.errors import InputError
from lstmlab.recipe import write_yaml
from lstmlab.report import Section, as_markdown, excerpt, write
from lstmlab.training import experiment
from lstmlab.training.run import Run

HANDIN = Path("handin")
LONG = 20.0
"""Seconds of training above which a notebook is run at a small size, where nobody asks for the full one: plain PyTorch
takes several times as long as the kernels here."""
NEEDED = ("torch", "numpy", "scikit-learn")
"""Packages whose versions a run writes down and its notebook imports."""

Size = Literal["auto", "full", "small", "bare", "none"]

IGNORED = "__pycache__/\n.ipynb_checkpoints/\nruns/\ndata/\n*.safetensors\n"


@dataclass(frozen=True)
class Handed:
    """A folder to hand in: its files, and what is not in it, with the reason."""

    folder: Path
    files: dict[str, str]
    left: dict[str, str]


def hand_in(
    run: Run, folder: Path, wishes: Wishes | None = None, watch: Watch = Watch(), *, notebook: Size = "auto"
) -> Handed:
    """Gather everything into `folder`, which appears whole or not at all. Raises InputError where it exists, and for an
    unfinished run.

    `notebook`: run in "full", at a "small" size, written without being run ("bare"), or "none"; "auto" takes the run's
    own notebook.ipynb where there is one, else runs it in full if training was short, and small if it was long.
    """
    if folder.exists() or folder.is_symlink():
        raise InputError(f"{folder} exists already: choose another folder with --output DIR")
    if not run.finished:
        where = shlex.quote(str(run.folder))
        raise InputError(f"{run.title} is unfinished, so there is nothing to hand in yet: lstmlab resume {where}")
    asked = replace((wishes or Wishes()).of(run), recipe="recipe.yaml")
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        aside.mkdir(parents=True)
        files, left = _filled(run, aside, asked, watch, notebook)
        aside.rename(folder)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise InputError(f"could not make {folder}: {error.strerror or error}") from error
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return Handed(folder, files, left)


def _filled(run: Run, folder: Path, asked: Wishes, watch: Watch, size: Size) -> tuple[dict[str, str], dict[str, str]]:
    """Everything in the folder, and what could not be put there."""
    clean = _cleaner(run)
    files = {
        "README.md": "this page",
        "report.pdf, report.html, report.md": "the report; the last one is for editing",
        "figures/": "every figure as SVG and PNG",
        "recipe.yaml": "all settings of the run: lstmlab trains it again from here",
        "metrics.json, history.jsonl": "scores, baselines, and a row for every epoch",
    }
    save(folder / "recipe.yaml", write_yaml(_recipe(run, asked, clean)).encode())
    for name in ("metrics.json", "history.jsonl"):
        shutil.copyfile(run.folder / name, folder / name)
    save(folder / ".gitignore", IGNORED.encode())
    left: dict[str, str] = {}
    how = "left out"
    try:
        how = _notebook(run, folder / "notebook.ipynb", asked, watch, size, clean)
        save(folder / "requirements.txt", _requirements(run).encode())
        files = {"README.md": files.pop("README.md"), "notebook.ipynb": how, **files}
        files["requirements.txt"] = "what the notebook needs, in the versions of the run"
    except InputError as error:
        left["notebook.ipynb"] = clean(str(error))
    watch.say("Writing the report")
    report = _mapped(document(run, asked), clean)
    write(report, folder)
    page = readme(run, report, files, _start(run, left, how))
    save(folder / "README.md", as_markdown(_mapped(page, clean)).encode())
    return files, left


def _start(run: Run, left: Mapping[str, str], how: str) -> Section:
    """How to run what is in the folder."""
    told = run.summary["data"]
    notebook = (
        f"There is no notebook: {left['notebook.ipynb']}."
        if left
        else f"The notebook stands alone ({how}): open notebook.ipynb in Colab or Jupyter and run all cells. It needs "
        "PyTorch, numpy, matplotlib and scikit-learn, and nothing of this project:"
    )
    code = "" if left else "\n\n```\npip install -r requirements.txt\njupyter notebook notebook.ipynb\n```"
    own = [Path(str(value)).name for name in ("path", "valid", "test") if (value := run.recipe["data"].get(name))]
    if own:
        data = f"The data are files of one's own: put {', '.join(own)} beside recipe.yaml."
    else:
        source = excerpt(str(told.get("address") or ""), 200)
        data = f"The data set {excerpt(told['name'], 60)} is fetched on first use{f' from {source}' if source else ''}."
        data = "The data are made by the program itself." if not source and not told.get("checksums") else data
    program = excerpt(f"lstmlab {run.environment.get('versions', {}).get('lstmlab', '')}", 40)
    again = f"{reproduce(run).claim} It needs {program}, from its source folder; training took "
    again += f"{duration(run.metrics['train_seconds'])} here:"
    evidence = (
        f"{notebook}{code}\n\n{data}\n\n{again}\n\n```\npip install PATH/TO/lstmlab\nlstmlab train recipe.yaml\n```"
    )
    return Section("How to run it", "", evidence, generated=False)


def _requirements(run: Run) -> str:
    """What the notebook imports, in the versions of the run; a build's own mark (+cpu) is no release."""
    versions = run.environment.get("versions", {})
    lines = [f"{name}=={str(versions[name]).partition('+')[0]}" if name in versions else name for name in NEEDED]
    python = run.environment.get("python")
    told = [f"# Python {python}"] if python else []
    return "\n".join([*told, *lines, f"matplotlib=={version('matplotlib')}", "jupyter"]) + "\n"


def _notebook(run: Run, path: Path, asked: Wishes, watch: Watch, size: Size, clean: Callable[[str], str]) -> str:
    """Put the notebook there and say how it was made. Raises InputError where there is none."""
    if size == "none":
        raise InputError("none was asked for")
    own = run.folder / "notebook.ipynb"
    if size == "auto" and own.is_file():
        save(path, clean(own.read_text(encoding="utf-8")).encode())
        return "the model written out in plain PyTorch and explained, with its outputs"
    small = size == "small" or (size == "auto" and run.metrics.get("train_seconds", 0) > LONG)
    about = {name: getattr(asked, name) or "" for name in ("title", "author", "course")}
    recipe = experiment.assemble({**run.recipe, "about": about}, {}, str(run.folder / "recipe.yaml"))
    notebooks.write(recipe, path, run=run, quick=small, executed=size != "bare", watch=watch)
    save(path, clean(path.read_text(encoding="utf-8")).encode())
    told = "the model written out in plain PyTorch and explained"
    if size == "bare":
        return f"{told}, not yet run"
    return f"{told}, run at a small size" if small else f"{told}, with its outputs"


def _recipe(run: Run, asked: Wishes, clean: Callable[[str], str]) -> dict[str, Any]:
    """The run's settings with the title and names of the hand-in, files by their names alone."""
    whole = {**run.recipe}
    whole["about"] = {name: getattr(asked, name) or "" for name in ("title", "author", "course")}
    if "report" in whole:
        whole["report"] = {"outline": asked.outline, "prompts": asked.prompts}
    return _mapped(whole, clean)


# ---- No path of this machine ----------------------------------------------------------------------------------------

_PATH = re.compile(r"""(?:(?<=[\s"'=(,:\[])|^)((?:[A-Za-z]:)?[/\\](?![/\\])[^\s"'<>|,;)\]]+)""")


def _cleaner(run: Run) -> Callable[[str], str]:
    """What cuts the paths that the run's files hold, and its own, down to their last names."""
    told = json.dumps([run.recipe, run.environment.get("command"), run.summary.get("data")], ensure_ascii=False)
    known = {match.rstrip("\\") for match in _PATH.findall(told) if len(re.findall(r"[/\\]", match)) > 1}
    known |= {str(place) for place in (run.folder.absolute(), run.folder.resolve(), Path.cwd())}
    names = sorted((path for path in known if len(path) > 1), key=len, reverse=True)
    home = str(Path.home())

    def clean(text: str) -> str:
        for path in names:
            text = text.replace(path, re.split(r"[/\\]", path.rstrip("/\\"))[-1])
        return text.replace(home + os.sep, "~" + os.sep) if len(home) > 1 else text

    return clean


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """The same with every text changed: of dataclasses, mappings and sequences."""
    if isinstance(value, str):
        return change(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _mapped(getattr(value, one.name), change) for one in fields(value)})
    if isinstance(value, Mapping):
        return {key: _mapped(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_mapped(inner, change) for inner in value)
    return value
