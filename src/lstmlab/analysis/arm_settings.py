"""What a study compared: its arms, what they change and what is held equal."""

from collections.abc import Sequence

from lstmlab.analysis.architecture import listed
from lstmlab.analysis.contest import Contest
from lstmlab.report import Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.arms import Plan
from lstmlab.training.experiment import BUDGET
from lstmlab.training.study import Study, json_word


def section(study: Study, contests: Sequence[Contest]) -> Section:
    """The arms, and what was the same for all."""
    plan = study.plan
    lines = [_held(plan, contests[0].first.recipe.get("split_seed")), _paired(plan)]
    if plan.rates:
        rates = listed([f"{rate:g}" for rate in plan.rates])
        lines.append(
            f"Each arm was given the learning rate, of {rates}, that was best on the validation part with a seed of "
            f"its own ({plan.search_seed}); the test part was not scored in that search."
        )
    if plan.match_parameters:
        lines.append(
            "Sizes were matched: hidden_size was changed until an arm had the first arm's parameters within 2 %."
        )
    claim = size(plan)
    claim += f", on {listed([excerpt(contest.base, 40) for contest in contests])}." if plan.several else "."
    return Section("What was compared", claim, "\n\n".join(filter(None, lines)), _arms_table(study, contests))


def counted(number: int, what: str) -> str:
    """So many of them: "1 run", "3 runs"."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def size(plan: Plan) -> str:
    """How many arms and seeds."""
    count = len(plan.arms) // max(len({arm.base for arm in plan.arms}), 1)
    return f"{counted(count, 'arm')} with {counted(len(plan.seeds), 'seed')} each"


def _held(plan: Plan, split: int | None) -> str:
    """What the arms have in common, by the settings that none of them changes."""
    if any(arm.runs for arm in plan.arms):
        return (
            "These runs were trained before and are compared as they are: on the same test examples, with whatever "
            "else their recipes say. Settings in which they differ, seeds and splits apart, are in the table."
        )
    drawn = f" (drawn once, split_seed {split})" if split is not None else ""
    kinds = {
        f"training and validation parts{drawn}": ("data.",),
        "budget of training": BUDGET,
        "with each seed the order of the batches": ("data.", "training.batch_size"),
    }
    changed = {path for arm in plan.arms for path in arm.changes}
    held = [words for words, paths in kinds.items() if not any(path.startswith(paths) for path in changed)]
    return (
        f"Held equal: {listed(['the test examples', *held])}; all settings that the arms do not change are the "
        "recipe's. Initial weights and dropout follow the seed."
    )


def _paired(plan: Plan) -> str:
    if len(plan.seeds) < 2:
        return "One seed: nothing here says how much of a difference is luck, so no significance is claimed."
    return (
        f"Seeds: {listed([str(seed) for seed in plan.seeds])}. Arms are compared seed by seed (paired), so that what a "
        "seed does to all arms alike cancels out."
    )


def _arms_table(study: Study, contests: Sequence[Contest]) -> list[Table]:
    """Each arm's settings, learning rate and marks; nothing where its name says it all."""
    plan = study.plan
    rows: list[list[Value]] = []
    for arm in plan.arms:
        known = next((one for c in contests for one in c.contenders if one.arm == arm), None)
        changes = ", ".join(f"{path.split('.')[-1]}={json_word(value)}" for path, value in arm.changes.items())
        marks = [f"no effect: {path.split('.')[-1]} ({told})" for path, told in arm.marks.items()]
        if arm.twin:
            marks.append(f"the same as {arm.twin}: not trained again")
        if arm.asked_size is not None:
            marks.append(f"hidden_size was {arm.asked_size}")
        rate = study.rate(arm)
        base = [excerpt(arm.base, 40)] if plan.several else []
        cells: list[Value] = [*base, excerpt(arm.name, 60), excerpt(changes, 120)]
        cells += [None if rate is None else f"{rate:g}"] if plan.rates else []
        rows.append([*cells, known.parameters if known else None, excerpt("; ".join(marks), 200)])
    heads = [*(["Base"] if plan.several else []), "Arm", "Settings", *(["Learning rate"] if plan.rates else [])]
    table = Table("The arms.", [*heads, "Parameters", "Marks"], rows)
    if any(row[-1] for row in rows):
        return [table]
    if not plan.rates and all(arm.factors for arm in plan.arms):
        return []  # their names say it all
    return [Table("The arms.", [*heads, "Parameters"], [row[:-1] for row in rows])]
