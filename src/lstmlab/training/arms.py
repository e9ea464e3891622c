"""What a study compares: its settings as somebody asks for them, and the arms these stand for.

An arm is a recipe with changes. A setting that has no effect in an arm does not refuse it: the arm is marked, and where
nothing that has an effect tells two arms apart, the later one is the earlier one's twin and is not trained again.
"""

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, model_validator

from lstmlab import recipe as recipes
from lstmlab.errors import InputError
from lstmlab.recipe import Settings, Tree
from lstmlab.tasks.task import About, Recipe
from lstmlab.training.experiment import settle

RATE = "training.optimizer.learning_rate"
MOST_SEEDS = 1000
OWN = ("seed", "split_seed", "name", "summary", "group", "task")
"""Settings that the study itself decides."""


class Base(Settings):
    """A recipe that a study starts from."""

    recipe: str
    """A built-in recipe, a task or a file."""
    changes: dict[str, Any] = {}
    """Settings changed in all its arms."""


class Claim(Settings):
    """What somebody else found: that one arm is better than another on a base."""

    base: str
    """The recipe it is about."""
    better: str
    """The arm said to be better."""
    than: str
    """The arm said to be worse."""
    longer: bool = False
    """Said of long texts: that the better arm's lead grows with length."""
    source: str = ""
    """Where it is claimed, with numbers."""


class StudySettings(Settings):
    """What is compared with what, how often, and what is held equal."""

    bases: tuple[Base, ...] = ()
    """The recipes that all arms are tried on."""
    over: dict[str, list[Any]] = {}
    """Settings and their values: every combination is an arm."""
    arms: dict[str, dict[str, Any]] = {}
    """Arms by name, each with its settings; they stand beside the combinations of `over`."""
    seeds: int | tuple[int, ...] = 3
    """How many seeds, or which: each arm is trained with each of them."""
    rates: tuple[float, ...] = ()
    """Learning rates tried for each arm on a seed of its own; the best on validation is taken."""
    match_parameters: bool = False
    """Change each arm's hidden_size until it has as many parameters as the first arm, within 2 %."""
    probe: str | None = None
    """A labelled file (or contrast-sentences) that every classifier of the study is scored on as well."""
    claims: tuple[Claim, ...] = ()
    """What others found, to be confirmed or not."""

    @model_validator(mode="after")
    def _sound(self) -> "StudySettings":
        if isinstance(self.seeds, int) and not 1 <= self.seeds <= MOST_SEEDS:
            raise ValueError(f"seeds is {self.seeds}: a study needs at least one (better three), {MOST_SEEDS} at most")
        if isinstance(self.seeds, tuple):
            if not self.seeds or min(self.seeds) < 0:
                raise ValueError(f"seeds are whole numbers of 0 or more, got {list(self.seeds)}")
            twice = sorted({seed for seed in self.seeds if self.seeds.count(seed) > 1})
            if twice:
                raise ValueError(f"the seed {twice[0]} stands twice: the same run again would tell nothing new")
        if any(rate <= 0 for rate in self.rates) or len(set(self.rates)) < len(self.rates):
            raise ValueError(f"rates are different numbers above zero, got {list(self.rates)}")
        if len(self.rates) == 1:
            raise ValueError("one rate leaves nothing to choose: give learning_rate, or several rates")
        return self


class StudyRecipe(Settings):
    """A study as it is asked for."""

    name: str = ""
    """Names the study's folder."""
    summary: str = ""
    """One sentence: what this study asks."""
    group: str = "studies"
    """Under which heading `lstmlab recipes` lists it."""
    about: About = About()
    study: StudySettings


class Arm(Settings):
    """One of the things compared, resolved."""

    name: str
    """As people call it."""
    base: str
    """The recipe it is a change of."""
    changes: dict[str, Any] = {}
    """Dotted path → value."""
    factors: dict[str, Any] = {}
    """The crossed settings, as typed → this arm's value."""
    marks: dict[str, str] = {}
    """Its settings that have no effect → why."""
    twin: str | None = None
    """The earlier arm that it is the same as, in all that has an effect."""
    asked_size: int | None = None
    """The hidden_size it had before its parameters were matched."""
    runs: dict[str, str] = {}
    """Seed → folder, of runs that were trained elsewhere."""


class Plan(Settings):
    """A study resolved: what `study.yaml` holds."""

    name: str
    summary: str = ""
    about: About = About()
    bases: dict[str, dict[str, Any]] = {}
    """Name → the whole recipe."""
    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    rates: tuple[float, ...] = ()
    search_seed: int = 0
    """The seed that learning rates are tried with."""
    match_parameters: bool = False
    threads: int = Field(default=1, ge=1)
    """Threads of each run."""
    probe: str | None = None
    claims: tuple[Claim, ...] = ()

    @model_validator(mode="after")
    def _sound(self) -> "Plan":
        places: set[tuple[str, str]] = set()
        for name, tree in self.bases.items():
            if "task" not in tree or not isinstance(tree.get("seed"), int):
                raise ValueError(f"the base {name} is no whole recipe: it has no task or no seed")
        for arm in self.arms:
            if arm.base not in self.bases:
                raise ValueError(f'the arm "{arm.name}" is on {arm.base}, and the bases are {", ".join(self.bases)}')
            place = slug(arm.base).lower(), slug(arm.name).lower()
            if place in places and not arm.runs:
                raise ValueError(f'two arms on {arm.base} are called "{arm.name}" or have its folder')
            places.add(place)
        return self

    @property
    def several(self) -> bool:
        """Whether there is more than one base."""
        return len(self.bases) > 1


def parse_over(words: Sequence[str]) -> dict[str, list[Any]]:
    """`cell=rnn,lstm` words as settings with their values. Raises InputError for what is no such word."""
    found: dict[str, list[Any]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        values = recipes.scalar(f"[{text}]")
        if not equals or not key or not isinstance(values, list) or not values:
            raise InputError(f"--over {word}: expected a setting and its values, such as --over cell=rnn,lstm,gru")
        if key in found:
            both = ",".join(part.partition("=")[2] for part in words if part.startswith(f"{key}="))
            raise InputError(f"--over {key} was given twice; give all values at once: --over {key}={both}")
        found[key] = values
    return found


def parse_arms(words: Sequence[str]) -> dict[str, Tree]:
    """`cnn: kind=convolution width=3` words as arms by name."""
    found: dict[str, Tree] = {}
    for word in words:
        name, colon, text = word.partition(":")
        if not colon or not name.strip() or "=" in name:
            raise InputError(
                f'--arm "{word}": expected a name and settings, such as --arm "gru: cell=gru num_layers=2"'
            )
        if name.strip() in found:
            raise InputError(f'--arm "{name.strip()}" was given twice')
        found[name.strip()] = recipes.parse_overrides(text.split())
    return found


def parse_seeds(text: str) -> int | tuple[int, ...]:
    """`5` means five seeds, `1,2,3` these three."""
    found = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() for word in found):
        raise InputError(f"--seeds {text}: expected how many (--seeds 5) or which (--seeds 1,2,3)")
    return int(found[0]) if len(found) == 1 else tuple(map(int, found))


def parse_rates(text: str) -> tuple[float, ...]:
    """`0.001,0.003` as numbers."""
    found = [recipes.scalar(word) for word in text.split(",")]
    if not all(isinstance(rate, int | float) and not isinstance(rate, bool) for rate in found):
        raise InputError(f"--rates {text}: expected numbers such as --rates 0.001,0.003,0.01")
    return tuple(map(float, found))


def make_plan(asked: StudyRecipe, bases: Mapping[str, Recipe], threads: int = 1) -> Plan:
    """The arms that a study stands for, each checked whole. `bases` are its recipes by name, with their changes.

    Raises InputError for settings that exist nowhere, contradict each other or have no effect in any arm, and where
    there is nothing to compare.
    """
    study = asked.study
    trees = {name: recipes.dump(recipe.located()) for name, recipe in bases.items()}
    arms = [arm for name in trees for arm in _arms(study, name, bases[name], trees[name])]
    for name in trees:
        own = [arm for arm in arms if arm.base == name]
        if len(own) < 2:
            raise InputError("nothing to compare: give --over SETTING=VALUE,VALUE or several --arm")
        _refuse_idle(own)
        _refuse_names(own)
    seeds = _seeds(study.seeds, next(iter(bases.values())).seed)
    return Plan(
        name=asked.name,
        summary=asked.summary,
        about=asked.about,
        bases=trees,
        arms=tuple(arms),
        seeds=seeds,
        rates=study.rates,
        search_seed=max(seeds) + 1,
        match_parameters=study.match_parameters,
        threads=threads,
        probe=study.probe,
        claims=study.claims,
    )


def _seeds(asked: int | tuple[int, ...], first: int) -> tuple[int, ...]:
    return tuple(range(first, first + asked)) if isinstance(asked, int) else asked


def _arms(study: StudySettings, base: str, recipe: Recipe, tree: Tree) -> list[Arm]:
    paths = recipes.paths(type(recipe))
    crossed = [(key, recipes.resolve(key, paths), values) for key, values in study.over.items()]
    found: list[tuple[str, Tree, Tree]] = []
    for values in itertools.product(*(values for _, _, values in crossed)):
        factors = {key: value for (key, _, _), value in zip(crossed, values, strict=True)}
        changes = {path: value for (_, path, _), value in zip(crossed, values, strict=True)}
        if factors:
            found.append((arm_name(factors), changes, factors))
    for name, settings in study.arms.items():
        found.append((name, {recipes.resolve(key, paths): value for key, value in settings.items()}, {}))
    arms: list[Arm] = []
    known: dict[str, str] = {}
    for name, changes, factors in found:
        _refuse_own(changes, study)
        settled, _ = settle(tree, changes, f"{base}, {name}")
        reasons = recipes.idle_paths(settled)
        idle = {path: told for path in changes if (told := _reason(path, reasons)) is not None}
        same = json.dumps(_effective(recipes.dump(settled), reasons), sort_keys=True)
        arms.append(Arm(name=name, base=base, changes=changes, factors=factors, marks=idle, twin=known.get(same)))
        known.setdefault(same, name)
    return arms


def arm_name(factors: Mapping[str, Any]) -> str:
    """Words stand for themselves, numbers and switches beside their setting: "lstm, hidden_size=64"."""
    alone = [isinstance(value, str) and list(factors.values()).count(value) == 1 for value in factors.values()]
    return ", ".join(
        str(value) if word else f"{key.split('.')[-1]}={json.dumps(value, ensure_ascii=False)}"
        for (key, value), word in zip(factors.items(), alone, strict=True)
    )


def slug(name: str) -> str:
    """A name as a folder's: without what a shell or a file system would act on."""
    return re.sub(r"[^\w=.+-]+", "-", name).strip("-.") or "arm"


def _reason(path: str, reasons: Mapping[str, str]) -> str | None:
    return next((told for key, told in reasons.items() if path == key or path.startswith(key + ".")), None)


def _effective(tree: Tree, reasons: Mapping[str, str]) -> Tree:
    """A recipe without what has no effect."""
    for path in reasons:
        *folders, leaf = path.split(".")
        place: Any = tree
        for folder in folders:
            place = place.get(folder) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.pop(leaf, None)
    return tree


def _refuse_own(changes: Mapping[str, Any], study: StudySettings) -> None:
    for path in changes:
        if path == "seed":
            raise InputError("seed is not compared but repeated: give --seeds 1,2,3")
        if path in OWN:
            raise InputError(f"{path} cannot be compared: it is the same for all arms")
        if study.rates and path == RATE:
            raise InputError(f"{RATE} is searched for (--rates), so it cannot be compared as well: leave one out")
        if study.match_parameters and path.endswith(".hidden_size"):
            raise InputError(f"{path} is what --match-parameters changes, so it cannot be compared: leave one out")


def _refuse_idle(arms: Sequence[Arm]) -> None:
    """Refuse a setting that changes nothing in any of the arms that set it."""
    for path in dict.fromkeys(path for arm in arms for path in arm.changes):
        told = [arm.marks.get(path) for arm in arms if path in arm.changes]
        if all(told):
            raise InputError(f"{path} would have no effect in any arm: {told[0]}")


def _refuse_names(arms: Sequence[Arm]) -> None:
    """Refuse two arms that are called the same."""
    names: dict[str, str] = {}
    for arm in arms:
        if slug(arm.name).lower() in names:
            raise InputError(f'the arms "{names[slug(arm.name).lower()]}" and "{arm.name}" have the same name')
        names[slug(arm.name).lower()] = arm.name
