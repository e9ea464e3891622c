"""What Python users call: train, open_run. The command line calls the same."""

import hashlib
import io
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmlab import recipe as settings
from lstmlab.analysis import ANALYSES
from lstmlab.analysis.document import document, observations
from lstmlab.catalogue import recipe_names
from lstmlab.data.check import Finding, check
from lstmlab.data.corpus import Corpus
from lstmlab.data.datasets import files, named, synthetic
from lstmlab.data.guess import Guess, guess
from lstmlab.data.load import DataSettings, Watch, read
from lstmlab.disk import save
from lstmlab.errors import InputError, nearest, unknown
from lstmlab.recipe import Tree
from lstmlab.report import Section, write
from lstmlab.tasks import TASKS
from lstmlab.tasks.task import Recipe
from lstmlab.training import experiment
from lstmlab.training.experiment import Monitor
from lstmlab.training.inference import Predictor
from lstmlab.training.loop import epoch_line
from lstmlab.training.run import Run, all_runs, find_run

RUNS = Path("runs")


class Result:
    """A run, with what one does with it: look at its scores, ask it, have it written up."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._predictor: Predictor | None = None

    def __repr__(self) -> str:
        test = self.run.metrics.get("test", {}) if self.run.finished else {}
        return f"<{self.run.title}: {', '.join(f'{name} {value:.4g}' for name, value in test.items()) or 'unfinished'}>"

    @property
    def folder(self) -> Path:
        """The run directory."""
        return self.run.folder

    @property
    def scores(self) -> dict[str, float]:
        """Scores on the test part, by name."""
        return self.run.metrics["test"]

    @property
    def baselines(self) -> dict[str, dict[str, float]]:
        """Scores of the baselines on the same test part."""
        return self.run.metrics["baseline"]

    @property
    def history(self) -> list[dict[str, Any]]:
        """A row per evaluation."""
        return self.run.history

    @property
    def predictor(self) -> Predictor:
        """Task and model, restored on first use."""
        if self._predictor is None:
            self._predictor = Predictor.of(self.run)
        return self._predictor

    def predict(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """What the model says of each input: {"prediction": …} and, for labels, their probabilities."""
        return self.predictor.predict(inputs)

    def evaluate(
        self, file: str | Path | None = None, say: Callable[[str], None] = lambda line: None
    ) -> tuple[dict[str, float], int]:
        """Scores on a labelled file, or on the run's own test part; and how many examples that were."""
        task = self.predictor.task
        if file is None:
            part = task.load(task.recipe, Watch(say)).test
            where = "the test part"
        else:
            part, where = self._labelled(Path(file)), str(file)
        if part is None:
            raise InputError(f"{self.run.title} has no test part: give a labelled file with --input")
        return self.predictor.score(part, where), len(part)

    def _labelled(self, file: Path) -> Corpus:
        """A labelled file of one's own: with the columns the run was trained on, or those it is guessed to have."""
        data = self.run.recipe["data"]
        if data.get("text") is not None:
            columns = {name: data[name] for name in ("text", "label")}
        else:
            columns = {key.split(".")[-1]: value for key, value in guess(file).settings.items()}
        return read(DataSettings.model_validate({**columns, "path": str(file)}), 0)[0]["train"]

    def read_inputs(self, file: Path) -> list[Any]:
        """The inputs in a file: a text a line, or the column the run was trained on."""
        if file.suffix in (".txt", ""):
            lines = files.decode(files.existing_file(file).read_bytes(), str(file)).splitlines()
            return [self.parse_input(line, f"{file}, line {i + 1}") for i, line in enumerate(lines)]
        frame = files.read_table(file)
        column = self.run.recipe["data"].get("text") or guess(file).settings.get("data.text")
        if column not in frame.columns:
            raise InputError(f'{file}: no column "{column}". Columns: {", ".join(frame.columns)}')
        return frame[column].fill_null("").to_list()

    def parse_input(self, text: str, where: str) -> Any:
        """What somebody typed, as this task's input: a text, or numbers separated by blanks or commas."""
        if self.run.recipe["task"] != "forecasting":
            return text
        try:
            return [float(word) for word in text.replace(",", " ").split()]
        except ValueError as error:
            raise InputError(f"{where}: expected numbers separated by blanks or commas, got {text[:60]!r}") from error

    def has(self, analysis: str) -> bool:
        """Whether an analysis applies to this run's task."""
        return ANALYSES[analysis].applies(self.run)

    def explain(self, what: str) -> Section:
        """One analysis: a claim with its evidence, tables and figures."""
        if what not in ANALYSES:
            raise unknown("analysis", what, ANALYSES)
        if not self.has(what):
            raise InputError(
                f"{what} does not apply to {self.run.recipe['task']}; these do: "
                + ", ".join(name for name in ANALYSES if self.has(name))
            )
        return ANALYSES[what].section(self.run)

    def claims(self) -> list[str]:
        """What the run shows, a sentence each."""
        return observations(self.run)

    def report(self) -> dict[str, Path]:
        """Write report.html, report.pdf, report.md and the figures; returns the paths by kind."""
        return write(document(self.run), self.run.folder)

    def next_command(self) -> str:
        """What one would type next, exactly."""
        where = shlex.quote(str(self.folder))
        if self.run.recipe["task"] == "classification":
            return f'lstmlab predict {where} "A text of your own."'
        return "lstmlab train imdb" if self.run.recipe["name"] == "sine" else f"lstmlab explain {where}"


def train(
    recipe: str | Path,
    data: object = None,
    *,
    output: str | Path | None = None,
    root: str | Path = RUNS,
    watch: Callable[[str], None] | None = None,
    **changes: Any,
) -> Result:
    """Train a recipe, a task or a data file; returns the finished run with its report written.

    `data` may be a pandas or polars frame; `text=` and `label=` name its columns (guessed where not given). Settings are
    keywords by any unambiguous tail (`cell="gru"`), dotted ones as `**{"training.epochs": 5}`. `watch=print` shows
    every epoch. Raises InputError for everything a caller can mend.
    """
    word = str(recipe)
    if data is not None:
        changes = {**changes, "path": str(_kept_frame(data, Path(root)))}
    if data is None and is_data(word):
        whole = experiment.assemble(guessed_tree(Path(word), changes)[0], changes, word)
    else:
        whole = assemble(word, changes)
    return run_recipe(whole, root=Path(root), output=None if output is None else Path(output), monitor=_telling(watch))


def run_recipe(
    recipe: Recipe, *, root: Path = RUNS, output: Path | None = None, monitor: Monitor = Monitor()
) -> Result:
    """Train a recipe and write its report."""
    return _written(experiment.train(recipe, root=root, output=output, monitor=monitor), monitor)


def go_on(run: Run, *, monitor: Monitor = Monitor()) -> Result:
    """Go on with an unfinished run and write its report."""
    return _written(experiment.resume(run, monitor=monitor), monitor)


def _written(run: Run, monitor: Monitor) -> Result:
    monitor.say("Writing the report")
    result = Result(run)
    result.report()
    return result


def _telling(watch: Callable[[str], None] | None) -> Monitor:
    """Lines for a caller who wants to see them."""
    if watch is None:
        return Monitor()
    return Monitor(say=watch, row=lambda row, settings: watch(epoch_line(row, settings)))


def _kept_frame(data: object, root: Path) -> Path:
    """A frame written beside the runs under a name made of its content, so that its runs can be trained again."""
    frame = files.to_table(data)
    content = io.BytesIO()
    frame.write_parquet(content)
    path = root / "frames" / f"{hashlib.sha256(content.getvalue()).hexdigest()[:16]}.parquet"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, content.getvalue())
    return path


def is_data(word: str) -> bool:
    """Whether a word given to train means a data file or folder rather than a recipe or task."""
    path = Path(word)
    if word in recipe_names() or word in TASKS or path.suffix in (".yaml", ".yml"):
        return False
    return (
        path.exists() or len(path.parts) > 1 or path.suffix.lower() in (*files.FORMATS, ".gz", ".tgz", ".zip", ".txt")
    )


def find_recipe(word: str) -> tuple[Tree, str]:
    """The recipe a person means: a built-in name, a task, a .yaml file. Returns it and where it stands."""
    builtin = recipe_names()
    if word in builtin:
        return {"name": word, **builtin[word]}, f"recipe {word}"
    if word in TASKS:
        return {"task": word, "name": word, "training": {"epochs": 10}}, f"task {word}"
    path = Path(word)
    if path.suffix in (".yaml", ".yml"):
        return {"name": path.stem, **settings.read_file(path)}, str(path)
    match = nearest(word, [*builtin, *TASKS])
    known = f"recipes: {', '.join(builtin)}; tasks: {', '.join(TASKS)}; or a file of your own"
    raise InputError(
        f'no recipe, task or file "{word}". ' + (f"Did you mean {match[0]}?" if match else f"Known {known}.")
    )


def guessed_tree(path: Path, changes: Mapping[str, Any]) -> tuple[Tree, Guess]:
    """A recipe for a data file of one's own, and the guess it stands on. Typed columns and encoding are kept to."""
    typed = {key.split(".")[-1]: value for key, value in changes.items()}
    found = guess(path, encoding=str(typed.get("encoding", "utf-8")))
    if found.task not in TASKS or found.task == "forecasting":
        raise InputError(
            f"{path} looks like data for {found.task} ({'; '.join(found.reasons)}), which this version "
            "cannot train from a file yet; for text with a label, name the columns: "
            f"lstmlab train classification path={shlex.quote(str(path))} text=COLUMN label=COLUMN"
        )
    tree: Tree = {"task": found.task, "name": path.name.split(".")[0], "training": {"epochs": 10}}
    for key, value in found.settings.items():
        block, leaf = key.split(".")
        tree.setdefault(block, {})[leaf] = value
    return tree, found


def assemble(word: str, changes: Mapping[str, Any]) -> Recipe:
    """The recipe a word and changes stand for, checked whole; columns of one's own file guessed where not given."""
    tree, where = find_recipe(word)
    recipe = experiment.assemble(tree, changes, where)
    data = settings.dump(recipe)["data"]
    path = data.get("path")
    if path is None or (data.get("text") and data.get("label")):
        return recipe
    columns = {
        key: value
        for key, value in guess(Path(path), encoding=data["encoding"]).settings.items()
        if key in ("data.text", "data.label") and data[key.split(".")[1]] is None
    }
    return experiment.assemble(tree, {**columns, **changes}, where)


def find(word: str | None, root: Path = RUNS) -> Run:
    """The run a person means, finished or not."""
    return find_run(word, root)


def list_runs(root: Path = RUNS) -> list[Run]:
    """Every run, oldest first."""
    return all_runs(root)


def open_run(word: str | Path | None = None, *, root: str | Path = RUNS) -> Result:
    """A run: its folder, a recipe's name (its newest run) or nothing (the newest of all)."""
    return Result(find_run(None if word is None else str(word), Path(root)))


def check_data(word: str, changes: Mapping[str, Any], watch: Watch) -> tuple[dict[str, Corpus], tuple[Finding, ...]]:
    """The parts of a file, named set or recipe, and what is wrong with them."""
    if word in named.NAMED or word in synthetic.SYNTHETIC:
        parts = read(DataSettings(name=word), 0, watch)[0]
    else:
        recipe = (
            experiment.assemble(guessed_tree(Path(word), changes)[0], changes, word)
            if is_data(word)
            else assemble(word, changes)
        )
        parts = TASKS[recipe.task].load(recipe, watch).parts
    return parts, check(parts)
