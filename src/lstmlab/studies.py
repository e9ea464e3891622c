"""What Python users call to compare: several settings with several seeds, or runs that are there already."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lstmlab import recipe as recipes
from lstmlab import request
from lstmlab.analysis.compare import Findings, run_line
from lstmlab.analysis.document import report_wishes, restyled
from lstmlab.analysis.measured import MeasureRecipe, measured, measured_document
from lstmlab.catalogue import read_study, study_names
from lstmlab.data.contents import existing_file
from lstmlab.data.corpus import Dataset, Part
from lstmlab.errors import InputError
from lstmlab.report import Section, write
from lstmlab.tasks import TASKS
from lstmlab.training import experiment
from lstmlab.training.arms import Arm, Base, Plan, StudyRecipe, StudySettings, make_plan
from lstmlab.training.comparing import Onlooker, carry_out, fitting, undone
from lstmlab.training.probe import CONTRAST, read_probe
from lstmlab.training.run import Run, command_line, find_run, refuse_existing, versions
from lstmlab.training.study import STUDIES, Study, StudyWriter, cores, find_study, started

RUNS = Path("runs")


class Measured:
    """A study that trained nothing: what was measured, written up."""

    def __init__(self, folder: Path, recipe: MeasureRecipe, sections: list[Section]) -> None:
        self.folder, self.recipe, self._sections = folder, recipe, sections

    @classmethod
    def open(cls, folder: Path, say: Callable[[str], None] = lambda line: None) -> "Measured":
        """Measured anew by what its folder says: the same numbers again."""
        path = folder / "study.yaml"
        recipe = recipes.validate(MeasureRecipe, recipes.read_file(path), str(path))
        return cls(folder, recipe, measured(recipe, say))

    def sections(self) -> list[Section]:
        """What was measured."""
        return self._sections

    def claims(self) -> list[str]:
        """What it shows, a sentence each."""
        return [section.claim for section in self._sections]

    def report(self, **wishes: Any) -> dict[str, Path]:
        """Write report.html, report.pdf, report.md and the figures; returns the paths by kind.

        Wishes: `title`, `author`, `course`, and `prompts=True` to leave evidence and questions.
        """
        told = Study(self.folder).environment
        made = measured_document(self.recipe, self._sections, told, self.folder)
        return write(restyled(made, report_wishes(wishes)), self.folder)


class StudyResult:
    """A study, with what one does with it: look at its table, read what it shows, have it written up."""

    def __init__(self, study: Study) -> None:
        self.study, self._findings = study, Findings(study)

    def __repr__(self) -> str:
        done = sum(entry.run is not None for entry in self.study.entries)
        return f"<study {self.study.title}: {done} of {len(self.study.entries)} runs>"

    @property
    def folder(self) -> Path:
        """The study directory."""
        return self.study.folder

    def sections(self) -> list[Section]:
        """What was compared and what came out."""
        return self._findings.sections()

    def claims(self) -> list[str]:
        """What the study shows, a sentence each."""
        return self._findings.verdicts()

    def report(self, **wishes: Any) -> dict[str, Path]:
        """Write report.html, report.pdf, report.md and the figures; returns the paths by kind.

        Wishes: `title`, `author`, `course`, and `prompts=True` to leave evidence and questions.
        """
        return write(restyled(self._findings.document(), report_wishes(wishes)), self.study.folder)


def compare(
    what: str | Path | Sequence[str | Path],
    *,
    output: str | Path | None = None,
    root: str | Path = STUDIES,
    workers: int | None = None,
    watch: Callable[[str], None] | None = None,
    **settings: Any,
) -> "StudyResult | Measured":
    """Compare arms of a recipe, or run a built-in study, or compare runs that are there (a list of their folders).

    `over={"cell": ["rnn", "gru"]}` crosses settings, `arms={"cnn": {"kind": "convolution"}}` names arms, `seeds=5` or
    `(1, 2)`; `rates`, `match_parameters` and `probe` as in `lstmlab recipes show architecture`. All other keywords
    change every arm. Raises InputError for everything a caller can mend.
    """
    place = None if output is None else Path(output)
    if not isinstance(what, str | Path):
        if settings:
            raise InputError(f"{next(iter(settings))} would have no effect: the runs to compare are finished")
        return compare_runs([find_run(str(word), RUNS) for word in what], root=Path(root), output=place)
    tree, where = find_tree(str(what))
    if tree is not None and measures(tree):
        return measure(tree, settings, where, root=Path(root), output=place, say=watch or (lambda line: None))
    asked = {name: settings.pop(name) for name in StudySettings.model_fields if name in settings}
    recipe, bases = request_study(str(what), asked, settings)
    onlooker = Onlooker() if watch is None else telling(watch)
    return run_study(recipe, bases, workers=workers, root=Path(root), output=place, watch=onlooker)


def request_study(
    word: str, asked: Mapping[str, Any], changes: Mapping[str, Any]
) -> tuple[StudyRecipe, dict[str, Any]]:
    """The study that a word means (a built-in one, a study file, or a recipe to vary), with what was asked for it; and
    its base recipes, `changes` made to all."""
    tree, where = find_tree(word)
    if tree is None:
        tree = {"study": {"bases": [{"recipe": word}]}}
    block = tree.get("study")
    if not isinstance(block, Mapping):
        raise InputError(f"{where}: study: expected settings of its own (key: value), got {block!r}")
    if "over" in asked and "arms" not in asked:
        block = {key: value for key, value in block.items() if key not in ("arms", "claims")}
    if "arms" in asked and "over" not in asked:
        block = {key: value for key, value in block.items() if key not in ("over", "claims")}
    given = {key: list(value) if isinstance(value, tuple) else value for key, value in asked.items()}
    recipe = recipes.validate(StudyRecipe, {**tree, "study": {**block, **given}}, where)
    if not recipe.study.bases:
        raise InputError(f"{where}: study.bases is needed: the recipes to compare on")
    bases: dict[str, Any] = {}
    for base in recipe.study.bases:
        settled = request.assemble(base.recipe, _both(base, changes))
        name = settled.name or settled.task
        if name in bases:
            raise InputError(f"{where}: the base {name} stands twice")
        bases[name] = settled
    return recipe.model_copy(update={"name": recipe.name or next(iter(bases))}), bases


def _both(base: Base, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A base's own changes and those somebody typed, which win. A typed budget takes the place of the base's."""
    if not base.changes:
        return dict(changes)
    tree, _ = request.find(base.recipe)
    paths = recipes.paths(experiment.recipe_class(str(tree.get("task"))))
    typed = {recipes.resolve(key, paths): value for key, value in changes.items()}
    own = {recipes.resolve(key, paths): value for key, value in base.changes.items()}
    if typed.keys() & set(experiment.BUDGET):
        own = {path: value for path, value in own.items() if path not in experiment.BUDGET}
    return own | typed


def show_study(name: str) -> str:
    """A built-in study as YAML with every setting in it."""
    tree = {"name": name, **read_study(name)}
    kind: type[MeasureRecipe] | type[StudyRecipe] = MeasureRecipe if measures(tree) else StudyRecipe
    return recipes.write_yaml(recipes.dump(recipes.validate(kind, tree, f"study {name}")))


def measures(tree: Mapping[str, Any] | None) -> bool:
    """Whether a study trains nothing."""
    return tree is not None and "measure" in tree


def measure(
    tree: Mapping[str, Any],
    changes: Mapping[str, Any],
    where: str,
    *,
    root: Path = STUDIES,
    output: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Measured:
    """Measure, write the study's folder and its report."""
    merged, _ = recipes.override(tree, changes, recipes.paths(MeasureRecipe))
    recipe = recipes.validate(MeasureRecipe, merged, where)
    refuse_existing(output)
    sections = measured(recipe, say)
    told = {"started": started(), "command": command_line(), "versions": versions()}
    folder = StudyWriter.create(root, recipe.name, recipe, told, output).folder
    result = Measured(folder, recipe, sections)
    result.report()
    return result


def find_tree(word: str) -> tuple[dict[str, Any] | None, str]:
    """The tree of a study and where it stands; None where the word means no study."""
    if word in study_names():
        return {"name": word, **read_study(word)}, f"study {word}"
    path = Path(word)
    if path.suffix in (".yaml", ".yml"):
        tree = recipes.read_file(existing_file(path))
        if tree.keys() & {"study", "measure", "arms"}:
            return {"name": request.run_name(path), **tree}, str(path)
    return None, f"study of {word}"


def run_study(
    recipe: StudyRecipe,
    bases: Mapping[str, Any],
    *,
    workers: int | None = None,
    root: Path = STUDIES,
    output: Path | None = None,
    watch: Onlooker = Onlooker(),
) -> StudyResult:
    """Plan a study, write its folder, carry it out and write it up."""
    plan = _probed(make_plan(recipe, bases))
    watch.say("Reading the data")
    data = {name: TASKS[base.task].load(base, watch) for name, base in bases.items()}
    if plan.rates:
        for name, found in data.items():
            if found.valid is None:
                raise InputError(f"--rates chooses by the validation part, and {name} has none")
    _refuse_strange(plan, data)
    for arm in plan.arms:
        _refuse_other_test(plan, arm, data, watch)
    if plan.match_parameters:
        from lstmlab.training.matching import matched

        watch.say("Matching the numbers of parameters")
        plan = matched(plan, data, watch)
    return start(plan, workers=workers, root=root, output=output, watch=watch)


def _probed(plan: Plan) -> Plan:
    """The plan with its probe found and sound. Raises InputError where nobody is asked it."""
    if plan.probe is None:
        return plan
    if all(tree["task"] != "classification" for tree in plan.bases.values()):
        raise InputError("probe would have no effect: it is for classifiers of texts, and none is compared")
    read_probe(plan.probe)
    return plan if plan.probe == CONTRAST else plan.model_copy(update={"probe": str(Path(plan.probe).absolute())})


def _refuse_strange(plan: Plan, data: Mapping[str, Dataset]) -> None:
    """Refuse a probe with labels that none of the recipes has: nobody could be asked it."""
    if plan.probe is None:
        return
    wanted = {row["label"] for row in read_probe(plan.probe)}
    for name, tree in plan.bases.items():
        if tree["task"] == "classification" and wanted <= {str(one.target) for one in data[name].train}:
            return
    told = ", ".join(sorted(wanted)[:5])
    raise InputError(f"{plan.probe}: its labels ({told}) are not those of {' or '.join(plan.bases)}")


def _refuse_other_test(plan: Plan, arm: Arm, data: Mapping[str, Dataset], watch: Onlooker) -> None:
    """Refuse an arm whose settings of the data change what it is tested on, before anything is trained for it."""
    changed = [path for path in arm.changes if path.startswith("data.")]
    if not changed or arm.twin is not None:
        return
    recipe, _ = experiment.settle(plan.bases[arm.base], arm.changes, arm.name)
    own, base = (_asked(one.test) for one in (TASKS[recipe.task].load(recipe, watch), data[arm.base]))
    if own != base:
        raise InputError(
            f"{', '.join(changed)} cannot be compared: {arm.name} would be tested on other examples ({len(own):,}) "
            f"than {arm.base} is ({len(base):,})"
        )


def _asked(part: Part | None) -> list[tuple[str, str]]:
    return [(one.id, str(one.target)) for one in part or ()]


def start(
    plan: Plan,
    *,
    workers: int | None = None,
    root: Path = STUDIES,
    output: Path | None = None,
    watch: Onlooker = Onlooker(),
) -> StudyResult:
    """Write the folder of a planned study, carry it out and write it up."""
    jobs = sum(arm.twin is None for arm in plan.arms) * len(plan.seeds)
    size, threads = fitting(jobs, workers, _device(plan))
    plan = plan.model_copy(update={"threads": threads})
    told = {"started": started(), "command": command_line(), "versions": versions(), "workers": size}
    folder = StudyWriter.create(root, plan.name, plan, told, output).folder
    watch.say(f"Study directory: {folder}")
    return go_on_with(Study(folder), workers=size, watch=watch)


def read_tree(path: Path) -> dict[str, Any]:
    """A file of settings as it stands."""
    return recipes.read_file(existing_file(path))


def read_plan(path: Path) -> Plan:
    """The plan of a study that was carried out, to be carried out again."""
    plan = recipes.validate(Plan, read_tree(path), str(path))
    if any(arm.runs for arm in plan.arms):
        raise InputError(f"{path} compares runs that were there already: there is nothing to train again")
    return plan


def go_on_with(study: Study, *, workers: int | None = None, watch: Onlooker = Onlooker()) -> StudyResult:
    """Train what is left of a study and write it up."""
    left = sum(undone(study, entry) for entry in (*study.trials, *study.entries))
    if left:
        # As many as there are cores for the threads the study began with: other threads would give other numbers.
        size = workers or min(fitting(left, None, _device(study.plan))[0], max(cores() // study.plan.threads, 1))
        study = carry_out(study, min(size, left), watch)
    watch.say("Writing the report")
    result = StudyResult(study.fresh())
    result.report()
    return result


def open_study(word: str | Path, *, root: str | Path = STUDIES) -> "StudyResult | Measured":
    """A study: its folder, or a name (its newest). One that trained nothing is measured anew."""
    found = find_study(str(word), Path(root))
    if measures(recipes.read_file(found.folder / "study.yaml")):
        return Measured.open(found.folder)
    return StudyResult(found)


def telling(watch: Callable[[str], None]) -> Onlooker:
    """Lines for a caller who wants to see them."""
    return Onlooker(say=watch, end=lambda entry, done, total: watch(run_line(entry, done, total)))


def compare_runs(runs: Sequence[Run], *, root: Path = STUDIES, output: Path | None = None) -> StudyResult:
    """Finished runs as a study: what differs between them names the arms, seeds apart."""
    from lstmlab.analysis.gather import gather

    plan = gather(runs)
    told = {"started": started(), "command": command_line(), "versions": versions(), "workers": 0}
    writer = StudyWriter.create(root, plan.name, plan, told, output)
    writer.results()
    result = StudyResult(Study(writer.folder))
    result.report()
    return result


def _device(plan: Plan) -> str:
    from lstmlab.training.machine import choose_device

    tree = next(iter(plan.bases.values()), {})
    return choose_device(str(tree.get("device", "auto"))).type
