"""A study written up: what was compared and held equal, what came out and how sure that is, what it cost."""

import shlex
from collections.abc import Sequence

from lstmlab.analysis import ablation, arm_figures, claims, probes
from lstmlab.analysis.architecture import listed
from lstmlab.analysis.arm_lengths import Lengths
from lstmlab.analysis.closing import date_words, duration, notes
from lstmlab.analysis.contenders import Contender, Contest
from lstmlab.analysis.duels import SURE, Duel, digits, duels, interval, p_cell, p_word, points, shown_mean
from lstmlab.errors import InputError
from lstmlab.metrics import SCORES, format_score
from lstmlab.report import Document, Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.arms import Plan, slug
from lstmlab.training.experiment import BUDGET
from lstmlab.training.run import main_score
from lstmlab.training.study import Entry, Study, json_word

MOST_TOLD = 6
"""Verdicts that are told one by one."""


def document(study: Study) -> Document:
    """The whole report of a study. Its date is the study's, so the same study gives the same bytes."""
    plan, about = study.plan, study.plan.about
    title = about.title or plan.summary or f"{plan.name}: {_asked(plan)}"
    return Document(
        title=excerpt(title, 200).rstrip("."),
        author=about.author,
        course=about.course,
        subtitle=excerpt(plan.summary, 300) if about.title else "",
        date=date_words(study.environment["started"]),
        facts=_facts(study),
        sections=[*sections(study), *notes(study.folder), _reproduce(study)],
    )


def sections(study: Study) -> list[Section]:
    """What was compared, what came out on each base, what failed."""
    contests = _contests(study)
    found = [_compared(study, contests)]
    for contest in contests:
        found += _on_base(contest)
    return [*found, *claims.section(study, contests), *_failures(study)]


def verdicts(study: Study) -> list[str]:
    """What the study shows, a sentence each."""
    told, contests = [], _contests(study)
    for contest in contests:
        own = [_ranking(contest), *_duel_words(contest, duels(contest)), ablation.smallest_words(contest)]
        told += [f"{contest.base}: {sentence}" if study.plan.several else sentence for sentence in own]
    return told + claims.sentences(study, contests)


def run_line(entry: Entry, done: int, total: int) -> str:
    """A run that ended, on a line: `3/15  gru, seed 2  valid accuracy 78.12 %  test 77.40 %  0:41`."""
    head = f"{done:>{len(str(total))}}/{total}  {entry.name}"
    run = entry.run
    if run is None:
        return (
            f"{head}  {entry.failure['kind'] if entry.failure else 'open'}: {(entry.failure or {}).get('message', '')}"
        )
    score = main_score(run)
    told = [
        f"{part} {score} {format_score(score, run.metrics[part].get(score))}"
        for part in ("valid", "test")
        if run.metrics.get(part)
    ]
    minutes, seconds = divmod(round(run.metrics["total_seconds"]), 60)
    return "  ".join([head, *told, f"{minutes}:{seconds:02}"])


def _contests(study: Study) -> list[Contest]:
    bases = list(dict.fromkeys(arm.base for arm in study.plan.arms))
    found = []
    for base in bases:
        if any(study.runs(arm) for arm in study.of(base)):
            found.append(Contest.of(study, base))
    if not found:
        raise InputError(
            f"{study.folder}: no finished run yet; go on with: lstmlab compare {shlex.quote(str(study.folder))}"
        )
    return found


def _facts(study: Study) -> list[tuple[str, Value]]:
    plan, told = study.plan, study.entries
    done = [entry.run for entry in told if entry.run is not None]
    searched = [entry.run for entry in study.trials if entry.run is not None]
    seconds = sum(run.metrics["total_seconds"] for run in (*done, *searched))
    facts: list[tuple[str, Value]] = [
        ("Data", listed(list(dict.fromkeys(excerpt(run.summary["data"]["name"], 40) for run in done)))),
        ("Runs", f"{len(done)} of {len(told)}: {_arms(plan)}"),
    ]
    if len({arm.base for arm in plan.arms}) == 1:
        contest = _contests(study)[0]
        best = contest.ranked[0]
        facts.append(
            (f"Best {contest.kind.title}", f"{shown_mean(contest.kind, best.mean)} ({excerpt(best.name, 60)})")
        )
        if contest.baseline.rival:
            known = format_score(contest.kind.name, contest.baseline.rival_value)
            facts.append(("Best baseline", f"{known} ({excerpt(contest.baseline.rival, 40)})"))
    return [*facts, ("Trained in", f"{duration(seconds)} of run time"), ("Study", excerpt(study.title, 80))]


def _asked(plan: Plan) -> str:
    """What is varied, in a few words."""
    names = list(dict.fromkeys(key for arm in plan.arms for key in arm.factors))
    return f"effect of {listed([excerpt(name, 40) for name in names])}" if names else "arms compared"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


# ---- What was compared


def _compared(study: Study, contests: Sequence[Contest]) -> Section:
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
    claim = _arms(plan)
    claim += f", on {listed([excerpt(contest.base, 40) for contest in contests])}." if plan.several else "."
    return Section("What was compared", claim, "\n\n".join(filter(None, lines)), _arms_table(study, contests))


def _arms(plan: Plan) -> str:
    count = len(plan.arms) // max(len({arm.base for arm in plan.arms}), 1)
    return f"{_count(count, 'arm')} with {_count(len(plan.seeds), 'seed')} each"


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


# ---- What came out


def _on_base(contest: Contest) -> list[Section]:
    several = contest.study.plan.several
    suffix = f"-{slug(contest.base)}" if several else ""
    where = f" on {excerpt(contest.base, 40)}" if several else ""
    found = duels(contest)
    drawn = [arm_figures.scores(contest, f"scores{suffix}")]
    told = _duel_words(contest, found)
    # Said once: it is the same for all bases.
    how = f"\n\n{_how(contest, found)}" if contest.base == contest.study.plan.arms[0].base else ""
    results = Section(
        f"Results{where}",
        _ranking(contest),
        "\n- ".join(["Verdicts:", *told]) + f"\n\n{ablation.smallest_words(contest)}{how}",
        [_scores_table(contest), *_duels_table(contest, found)],
        drawn,
    )
    more = [_renamed(one, where) for one in ablation.section(contest)]
    curves = arm_figures.curves(contest, f"arm-curves{suffix}")
    if curves is not None:
        more.append(Section(f"Learning curves{where}", "", "", figures=[curves]))
    lengths = Lengths.of(contest)
    if lengths is not None:
        figure = arm_figures.lengths(contest, lengths, f"arm-lengths{suffix}")
        more.append(Section(f"By length{where}", _length_words(contest, lengths), "", figures=[figure]))
    return [results, *more, *(_renamed(one, where) for one in probes.section(contest))]


def _renamed(section: Section, where: str) -> Section:
    return Section(f"{section.title}{where}", section.claim, section.evidence, section.tables, section.figures)


def _ranking(contest: Contest) -> str:
    """Best and worst arm, beside the baseline."""
    best = contest.ranked[0]
    told = (
        f"Best on the test part is {excerpt(best.name, 60)}: {contest.kind.title} {shown_mean(contest.kind, best.mean)}"
    )
    told += " %" if contest.kind.unit == "%" else ""
    if contest.baseline.rival:
        told += f"; the best baseline ({excerpt(contest.baseline.rival, 40)}) has "
        told += format_score(contest.kind.name, contest.baseline.rival_value)
    return f"{told}."


def _duel_words(contest: Contest, found: Sequence[Duel]) -> list[str]:
    """The verdict of each pair; of many those that are proven, and a word on the others."""
    if len(found) <= MOST_TOLD // 2:
        return [one.words for one in found]
    if not contest.repeated:
        return ["With one seed no significance is claimed: the order of the arms may be luck."]
    proven = [one for one in found if one.proven]
    told = [one.words for one in proven[:MOST_TOLD]]
    if len(proven) > MOST_TOLD:
        told.append(f"{len(proven) - MOST_TOLD} more differences are proven: see the table.")
    # Those that only one of the two tests proves, or that differ by the same with every seed.
    ahead = [one for one in found if not one.proven and not one.p >= SURE]
    told += [one.words for one in ahead[:MOST_TOLD]]
    open_pairs = [one for one in found if not one.proven and one not in ahead]
    return [*told, *_alike(open_pairs, len(proven) + len(ahead))]


def _alike(pairs: Sequence[Duel], others: int) -> list[str]:
    """The pairs that cannot be told apart, in one sentence."""
    if not pairs:
        return []
    if not others and len(pairs) > MOST_TOLD:
        return [f"None of the {len(pairs)} pairs tested can be told apart."]
    if len(pairs) > MOST_TOLD:
        return [f"{len(pairs)} other pairs cannot be told apart."]
    each = [
        f"{excerpt(one.better.name, 60)} and {excerpt(one.worse.name, 60)} ({points(one.kind, one.lead.mean)}"
        f"{interval(one.kind, one.lead)}, {p_word(one.p)})"
        for one in pairs
    ]
    corrected = " (p after Holm)" if any(one.p != one.raw for one in pairs) else ""
    return [f"These cannot be told apart{corrected}: {'; '.join(each)}."]


def _how(contest: Contest, found: Sequence[Duel]) -> str:
    """How the tests were made."""
    if not contest.repeated:
        return (
            "With one seed there is no interval and no test: the same settings with another seed may change the order."
        )
    told = "Intervals are Student's over an arm's seeds at 95 %. "
    seeds = [one.seeds for one in found if one.seeds > 1]
    if not seeds:
        return f"{told}No two arms have several seeds in common, so that no pair can be tested."
    told += "Pairs are tested over the seeds that both have (paired t-test) "
    if any(one.examples == one.examples for one in found):
        judged = {one.instead for arm in contest.contenders for one in arm.outcomes.values() if one and one.instead}
        by = f", judged by {listed(sorted(judged))}" if judged else ""
        told += f"and over test examples (10,000 random swaps of the two arms' answers, seeds added up{by}), "
    told += "p-values corrected for their number after Holm. A lead counts as proven where both stay below 0.05. "
    told += "The effect size is Hedges' g of the paired differences"
    if min(seeds) < 5:
        told += "; so few seeds show large effects only"
    return f"{told}."


def _scores_table(contest: Contest) -> Table:
    kind = contest.kind
    rows: list[list[Value]] = []
    shown = [name for name in ("macro_f1", "span_f1", "rmse", "chrf") if name != kind.name]
    shown = [name for name in shown if contest.first.metrics["test"].get(name) is not None][:1]
    for one in contest.contenders:
        others = [_mean_of(one, name) for name in shown]
        rows.append([
            excerpt(one.name, 60), shown_mean(kind, one.mean), *others, _valid_mean(contest, one), one.parameters,
            f"{one.seconds:.1f}", len(one.test),
        ])  # fmt: skip
    for twin in contest.twins:
        rows.append([f"{excerpt(twin.name, 60)} (as {twin.twin})", *[None] * (len(shown) + 5)])
    for one in contest.lost:
        rows.append([f"{excerpt(one.name, 60)} (no run ended)", *[None] * (len(shown) + 5)])
    if contest.baseline.rival:
        told = contest.first.metrics["baseline"].get(contest.baseline.rival, {})
        value = kind.scale * contest.baseline.rival_value
        extra = [format_score(name, told.get(name)).removesuffix(" %") for name in shown]
        rows.append([excerpt(contest.baseline.rival, 60), f"{value:.{digits(kind)}f}", *extra, *[None] * 4])
    heads = [f"{SCORES[name].heading}" for name in shown]
    note = "Means over seeds ± half the 95 % interval; seconds of training a run."
    beside = f"Validation{' (%)' if kind.unit == '%' else ''}"
    columns = ["Arm", kind.heading, *heads, beside, "Parameters", "Seconds", "Seeds"]
    return Table("Scores on the test part, beside the cost.", columns, rows, note)


def _valid_mean(contest: Contest, one: Contender) -> Value:
    scores = one.valid.values()
    if not scores:
        return None
    return f"{contest.kind.scale * sum(scores) / len(scores):.{digits(contest.kind)}f}"


def _mean_of(one: Contender, name: str) -> Value:
    found = [run.metrics["test"].get(name) for run in one.runs.values()]
    known = [float(value) for value in found if value is not None]
    return format_score(name, sum(known) / len(known)).removesuffix(" %") if known else None


def _duels_table(contest: Contest, found: Sequence[Duel]) -> list[Table]:
    if not contest.repeated:
        return []
    examples = any(one.examples == one.examples for one in found)
    rows: list[list[Value]] = []
    for one in found:
        size = one.effect
        effect = None if size.size != size.size else f"{size.size:.2f}"
        if effect is not None and size.low == size.low:
            effect += f" [{size.low:.2f}, {size.high:.2f}]"
        lead = points(contest.kind, one.lead.mean).removesuffix(" points") + interval(contest.kind, one.lead)
        rows.append([excerpt(one.better.name, 50), excerpt(one.worse.name, 50), lead, p_cell(one.raw), p_cell(one.p),
                     *([p_cell(one.examples)] if examples else []), effect])  # fmt: skip
    heads = ["Better", "Than", "By", "p (seeds)", "p after Holm", *(["p (examples), Holm"] if examples else []),
             "Hedges' g"]  # fmt: skip
    unit = "percentage points" if contest.kind.unit == "%" else contest.kind.title
    return [Table("Arms in pairs.", heads, rows, f"By: mean paired difference in {unit} with its 95 % interval.")]


def _length_words(contest: Contest, lengths: Lengths) -> str:
    """Where the best arm gains or loses with length."""
    best = contest.ranked[0]
    bins = lengths.by_arm[best.name]
    first, last = bins[0], bins[-1]
    shown = f"{100 * first.mean:.1f} % at {lengths.bins[0]} words, {100 * last.mean:.1f} % at {lengths.bins[-1]}"
    apart = last.low > first.high or last.high < first.low
    return f"{excerpt(best.name, 60)}: {shown}" + ("." if apart else "; the intervals overlap.")


# ---- What failed, and how to get the same again


def _failures(study: Study) -> list[Section]:
    failed = [entry for entry in study.entries if entry.run is None]
    if not failed:
        return []
    told = [
        f"{excerpt(entry.name, 60)}: "
        + (excerpt(entry.failure["message"], 300) if entry.failure else "not trained yet")
        for entry in failed
    ]
    claim = f"{_count(len(failed), 'run')} of {len(study.entries)} did not end; the others are compared without them."
    return [Section("Runs that did not end", claim, "\n- ".join(["Which, and why:", *told]))]


def _reproduce(study: Study) -> Section:
    told = study.environment
    versions = listed([excerpt(f"{name} {version}", 60) for name, version in told.get("versions", {}).items()])
    by = excerpt(str(told.get("command", "")), 400)
    lines = ["```", excerpt(f"lstmlab compare {shlex.quote(str(study.folder / 'study.yaml'))}", 400), "```", ""]
    lines.append(f"First started by: {by}. {_count(study.plan.threads, 'thread')} a run; {versions}.")
    return Section(
        "How to reproduce",
        "One command carries this study out again; each run lies whole in its folder and has a row in results.csv.",
        "\n".join(lines),
    )
