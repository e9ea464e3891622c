"""What Python users call: train, open_run. The command line calls the same."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lstmlab import notebook as notebooks
from lstmlab import request
from lstmlab.analysis import ANALYSES
from lstmlab.analysis.alignments import heatmap
from lstmlab.analysis.cases import ANY, Ask
from lstmlab.analysis.document import document, observations, report_wishes
from lstmlab.checking import check_data as check_data
from lstmlab.data.frames import as_file, kept_frame
from lstmlab.data.load import Watch
from lstmlab.data.text import UNKNOWN
from lstmlab.decoding import SearchSettings, StreamSettings
from lstmlab.disk import save
from lstmlab.errors import InputError, unknown
from lstmlab.handin import HANDIN, Handed, Size, hand_in
from lstmlab.report import Section, render, write
from lstmlab.tasks.task import Recipe
from lstmlab.training import experiment, questions
from lstmlab.training.backtest import Origin, backtest
from lstmlab.training.continuation import Continuation, carry_on
from lstmlab.training.conversation import Conversation
from lstmlab.training.experiment import Monitor
from lstmlab.training.inference import Predictor
from lstmlab.training.loop import epoch_line
from lstmlab.training.run import Run, all_runs, find_run, refuse_existing

RUNS = Path("runs")


class Result:
    """A run, with what one does with it: look at its scores, ask it, have it written up."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._predictor: Predictor | None = None

    def __repr__(self) -> str:
        test = self.run.metrics.get("test", {}) if self.run.finished else {}
        told = ", ".join(f"{name} {value:.4g}" for name, value in test.items() if value is not None)
        return f"<{self.run.title}: {told or 'unfinished'}>"

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

    def predict(
        self, inputs: Sequence[Any], *, look: bool = False, first: int = 0, **search: Any
    ) -> list[dict[str, Any]]:
        """What the model says of each input: {"prediction": …} and, for labels, their probabilities.

        For runs that write their answers: settings of the search (`beam_size=10`, `n_best=3`, `method="sample"`),
        `look` to be told where attention looked, and `first`, the first input's place among all that are asked.
        """
        found = self.predictor.searching(search) if search else None
        return self.predictor.predict(inputs, found, look=look, first=first)

    @property
    def writes(self) -> bool:
        """Whether its answers are texts it writes."""
        return self.run.recipe["task"] in questions.PAIRS

    @property
    def speaks(self) -> bool:
        """Whether it is a language model, which writes on from what is given."""
        return self.run.recipe["task"] == "language-model"

    def stream(self, prime: str = "", **draw: Any) -> Iterator[str]:
        """What a language model writes after `prime`, as it comes: `for piece in run.stream("ROMEO:", length=500)`.

        Settings of the draw: `length` (tokens), `temperature`, `top_k`, `top_p`, `seed`.
        """
        found = self.predictor.searching(draw) if draw else self.predictor.search
        self.predictor.speaking()
        assert isinstance(found, StreamSettings)
        return self.predictor.stream(prime, found)

    def unseen(self, text: str) -> list[str]:
        """The tokens of a text that a language model has never seen, each once."""
        encoder = self.predictor.speaking().encoder
        pieces = zip(encoder.pieces(text), encoder.encode([text]).ids.tolist(), strict=True)
        return list(dict.fromkeys(piece for piece, token in pieces if token == UNKNOWN))

    def likeliest(self, text: str, count: int = 10) -> list[tuple[str, float]]:
        """The words a language model takes to be likeliest after a text, with their probabilities."""
        return self.predictor.next_words(text, _whole("count", count, "words"))

    @property
    def forecasts(self) -> bool:
        """Whether it forecasts series."""
        return self.run.recipe["task"] == "forecasting"

    def forecast(
        self, data: object = None, horizon: int | None = None, *, encoding: str | None = None
    ) -> list[Continuation]:
        """What comes after the end of every series in a file or frame with the run's columns, or of its own data."""
        steps = None if horizon is None else _whole("horizon", horizon, "steps")
        with as_file(data) as file:
            return carry_on(self.predictor, file, steps, encoding)

    def search(self, changes: Mapping[str, Any]) -> SearchSettings | StreamSettings | None:
        """How answers are searched for with these changes; None where nothing is searched. Refuses idle changes."""
        return self.predictor.searching(changes) if changes else self.predictor.search

    def refuse_blind(self) -> None:
        """Refuse to draw attention where there is none."""
        if not self.writes:
            raise InputError(f"{self.run.title} has no attention to draw: it is of {self.run.recipe['task']}")
        if self.run.recipe["model"]["context"] != "attention":
            context = self.run.recipe["model"]["context"]
            raise InputError(f"{self.run.title} has no attention to draw: it was trained with model.context={context}")

    def chat(self, **search: Any) -> Conversation:
        """A conversation with a run of dialogue: `.say(text)` gives its reply, `.reset()` forgets what was said.

        Replies are drawn (`temperature`, `top_p`, `top_k`, `seed`); `method="greedy"` and `beam_size=5` search instead.
        """
        return Conversation.of(self.run, self.predictor, search)

    def evaluate(
        self,
        data: object = None,
        say: Callable[[str], None] = lambda line: None,
        *,
        encoding: str | None = None,
    ) -> tuple[dict[str, float], int]:
        """Scores on a labelled file or data frame, or on the run's own test part; and how many examples that were."""
        task = self.predictor.task
        if data is None:
            own = task.load(task.recipe, Watch(say))
            self.run.refuse_changed(own.source)
            if own.test is None:
                raise InputError(f"{self.run.title} has no test part: give a labelled file with --input")
            return self.predictor.score(own.test, "the test part"), len(own.test)
        with as_file(data) as file:
            assert file is not None
            part, steps = questions.labelled(self.run, file, encoding)
            for step in steps:
                say(step)
            return self.predictor.score(part, str(file)), len(part)

    def backtest(self, origins: int = 10, *, refit: bool = False, watch: Watch = Watch()) -> list[Origin]:
        """Errors of a forecaster at several times of its test part; with `refit` a model is trained before each."""
        count = _whole("origins", origins, "times")
        return backtest(self.predictor, count, refit=refit, allow=self.run.refuse_changed, watch=watch)

    def read_inputs(self, file: Path, encoding: str | None = None) -> list[Any]:
        """The inputs in a file: one a line, or the column the run was trained on."""
        return questions.read_inputs(self.run, file, encoding)

    def parse_lines(self, text: str, where: str, first: int = 1) -> list[Any]:
        """An input a line; the first one is line number `first`."""
        return questions.parse_lines(self.run, text, where, first)

    def parse_typed(self, texts: Sequence[str]) -> list[Any]:
        """What somebody typed behind a command: an input each, or a pair of texts as two of them."""
        return questions.parse_typed(self.run, texts)

    def parse_input(self, text: str, where: str) -> Any:
        """What somebody typed, as this task's input."""
        return questions.parse_input(self.run, text, where)

    def alignment(self, given: str, path: Path, *, first: int = 0, **search: Any) -> None:
        """Draw where the answer to `given` looked into `path` (.svg or .png); the rest is as in `predict`."""
        self.refuse_blind()
        (answer,) = self.predict([given], look=True, first=first, **search)
        with TemporaryDirectory() as folder:
            drawn = render(heatmap(answer["attention"], name="attention", title=self.run.title), folder)
            save(path, drawn[path.suffix.lower().removeprefix(".")].read_bytes())

    def has(self, analysis: str) -> bool:
        """Whether an analysis applies to this run's task."""
        return ANALYSES[analysis].applies(self.run)

    def explain(self, what: str, *, example: str = "", texts: Sequence[str] = (), at: int | None = None) -> Section:
        """One analysis: a claim with its evidence, tables and figures.

        Analyses of a single example (gates, contributions) take the id of one of the test part, or a text of one's own
        (for pairs two), and a place in it, counted from 1.
        """
        if what not in ANALYSES:
            raise unknown("analysis", what, ANALYSES)
        asked = Ask(example, tuple(texts), at)
        chosen = ANALYSES[what]
        if asked != ANY and chosen.asked is None:
            those = ", ".join(name for name, one in ANALYSES.items() if one.asked)
            raise InputError(f"{what} is of the whole test part; an example is for: {those}")
        if not self.has(what) and not self.run.finished:
            raise InputError(f"{self.run.title} is unfinished: lstmlab resume {shlex.quote(str(self.folder))}")
        if not self.has(what):
            reason = chosen.why_not(self.run)
            told = f"{self.run.title} has no {what} to show: {reason}" if reason else ""
            others = ", ".join(name for name in ANALYSES if self.has(name))
            raise InputError(f"{told or f'{what} does not apply to ' + self.run.recipe['task']}; these do: {others}")
        return chosen.section(self.run) if chosen.asked is None else chosen.asked(self.run, asked)

    def claims(self) -> list[str]:
        """What the run shows, a sentence each."""
        return observations(self.run)

    def report(self, **wishes: Any) -> dict[str, Path]:
        """Write report.html, report.pdf, report.md and the figures; returns the paths by kind.

        As the recipe has it, or as wished: `outline` (standard, bootcamp, lab-record, seq2seq), `prompts=True` to leave
        evidence and questions, `title`, `author`, `course`.
        """
        return write(document(self.run, report_wishes(wishes)), self.run.folder)

    def handin(
        self, output: str | Path | None = None, *, notebook: Size = "auto", watch: Watch = Watch(), **wishes: Any
    ) -> Handed:
        """Gather README.md, notebook, report and figures in one folder, ready to push; `wishes` as in `report`.

        The folder is `output`, or handin/NAME-TIME. `notebook` is run in "full", "small", not at all ("bare"), or left
        out ("none"). Raises InputError where the folder exists.
        """
        folder = HANDIN / f"{self.folder.absolute().parent.name}-{self.folder.absolute().name}"
        return hand_in(self.run, Path(output or folder), report_wishes(wishes), watch, notebook=notebook)

    def notebook(
        self, path: str | Path | None = None, *, small: bool = False, execute: bool = True, watch: Watch = Watch()
    ) -> Path:
        """Write the run as a notebook of plain PyTorch (RUN/notebook.ipynb), its cells executed; returns the path."""
        recipe = experiment.assemble(self.run.recipe, {}, str(self.folder / "recipe.yaml"))
        place = self.folder / "notebook.ipynb" if path is None else Path(path)
        return notebooks.write(recipe, place, run=self.run, quick=small, executed=execute, watch=watch)

    def next_words(self) -> str:
        """What one would type next behind the program's name, exactly."""
        where = shlex.quote(str(self.folder))
        if self.run.recipe["task"] == "classification" and not questions.measured(self.run):
            return f'predict {where} "A text of your own."'
        if self.run.recipe["task"] == "pairs":
            return f'predict {where} "A man is playing a guitar" "Someone plays an instrument"'
        if self.speaks:
            return f"predict {where} --prime {shlex.quote(_opening(self.run))} --length 500"
        if self.run.recipe["task"] == "tagging":
            return f'predict {where} "Marie lives in Lyon ."'
        if self.run.recipe["task"] == "translation":
            asked = (str(row["input"]) for row in self.run.predictions)
            plain = (text for text in asked if text.isprintable() and "'" not in text and len(text) <= 60)
            return f"predict {where} {shlex.quote(next(plain, 'A text of your own.'))}"
        if self.run.recipe["task"] == "dialogue":
            return f"chat {where}"
        return "train imdb" if self.run.recipe["name"] == "sine" else f"explain {where}"


def _opening(run: Run) -> str:
    """The first words of a line of the test part that can be typed."""
    lines = (" ".join(str(row["input"]).split()[:3])[:30] for row in run.predictions)
    return next((line for line in lines if line.isprintable() and line), "The")


def train(
    recipe: object,
    data: object = None,
    *,
    output: str | Path | None = None,
    root: str | Path = RUNS,
    watch: Callable[[str], None] | None = None,
    **changes: Any,
) -> Result:
    """Train a recipe, a task, a data file or a data frame; returns the finished run with its report written.

    A pandas or polars frame alone is guessed at as a file is; as `data` it is for the recipe or task named. `text=` and
    `label=`, `source=` and `target=`, or `time=` and `target=` name its columns. Settings are keywords by any
    unambiguous tail (`cell="gru"`), dotted ones as `**{"training.epochs": 5}`. `watch=print` shows every epoch. Raises
    InputError for everything a caller can mend.
    """
    if not isinstance(recipe, str | Path):
        if data is not None:
            raise InputError(f"expected a recipe, a task or a file before the data, got {type(recipe).__name__}")
        recipe = kept_frame(recipe, Path(root) / "frames")
    elif data is not None:
        changes = {**changes, "path": str(kept_frame(data, Path(root) / "frames"))}
    whole = request.assemble(str(recipe), changes)
    return run_recipe(whole, root=Path(root), output=None if output is None else Path(output), monitor=_telling(watch))


def run_recipe(
    recipe: Recipe, *, root: Path = RUNS, output: Path | None = None, monitor: Monitor = Monitor()
) -> Result:
    """Train a recipe and write its report. Raises InputError at once where `output` is there already."""
    refuse_existing(output)
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


def _whole(name: str, count: object, of: str) -> int:
    """How many of something a caller wants. Raises InputError for what is no number of them."""
    if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
        raise InputError(f"{name}: got {count!r}, expected a whole number of {of}, 1 or more")
    return int(count)


def find(word: str | None, root: Path = RUNS) -> Run:
    """The run a person means, finished or not."""
    return find_run(word, root)


def list_runs(root: Path = RUNS) -> list[Run]:
    """Every run, oldest first."""
    return all_runs(root)


def open_run(word: str | Path | None = None, *, root: str | Path = RUNS) -> Result:
    """A run: its folder, a recipe's name (its newest run) or nothing (the newest of all)."""
    return Result(find_run(None if word is None else str(word), Path(root)))
