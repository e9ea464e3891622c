"""What came out on one base: the arms' scores beside their cost, the verdict of each pair, curves and lengths."""

from collections.abc import Sequence

from lstmlab.analysis import ablation, arm_figures, probes
from lstmlab.analysis.architecture import listed
from lstmlab.analysis.arm_lengths import Lengths
from lstmlab.analysis.contenders import Contender
from lstmlab.analysis.contest import Contest
from lstmlab.analysis.duels import Duel, digits, interval, p_cell, points, shown_mean
from lstmlab.metrics import SCORES, format_score
from lstmlab.metrics.significance import SURE, equal_means, p_word
from lstmlab.report import Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.arms import slug

MOST_TOLD = 6
"""Verdicts that are told one by one."""


def sentences(contest: Contest) -> list[str]:
    """The best, the verdicts, and the smallest that is as good, a sentence each."""
    return [_ranking(contest), *_duel_words(contest), ablation.smallest_words(contest)]


def sections(contest: Contest) -> list[Section]:
    """Scores and verdicts, effects of the settings, curves, lengths, the probe."""
    several = contest.study.plan.several
    suffix = f"-{slug(contest.base)}" if several else ""
    where = f" on {excerpt(contest.base, 40)}" if several else ""
    drawn = [arm_figures.scores(contest, f"scores{suffix}")]
    # Said once: it is the same for all bases.
    how = f"\n\n{_how(contest)}" if contest.base == contest.study.plan.arms[0].base else ""
    results = Section(
        f"Results{where}",
        _ranking(contest),
        "\n- ".join(["Verdicts:", *_duel_words(contest)]) + f"\n\n{ablation.smallest_words(contest)}{how}",
        [_scores_table(contest), *_duels_table(contest)],
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
    """The best arm, beside the baseline."""
    best = contest.ranked[0]
    told = (
        f"Best on the test part is {excerpt(best.name, 60)}: {contest.kind.title} {shown_mean(contest.kind, best.mean)}"
    )
    told += " %" if contest.kind.unit == "%" else ""
    if contest.baseline.rival:
        told += f"; the best baseline ({excerpt(contest.baseline.rival, 40)}) has "
        told += format_score(contest.kind.name, contest.baseline.rival_value)
    return f"{told}."


def _duel_words(contest: Contest) -> list[str]:
    """The verdict of each pair; of many those that are proven, and a word on the others."""
    found = contest.duels
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


def _how(contest: Contest) -> str:
    """How the tests were made."""
    if not contest.repeated:
        return (
            "With one seed there is no interval and no test: the same settings with another seed may change the order."
        )
    told = "Intervals are Student's over an arm's seeds at 95 %. "
    seeds = [one.seeds for one in contest.duels if one.seeds > 1]
    if not seeds:
        return f"{told}No two arms have several seeds in common, so that no pair can be tested."
    told += "Pairs are tested over the seeds that both have (paired t-test) "
    if any(one.examples == one.examples for one in contest.duels):
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


def _duels_table(contest: Contest) -> list[Table]:
    if not contest.repeated:
        return []
    examples = any(one.examples == one.examples for one in contest.duels)
    rows: list[list[Value]] = []
    for one in contest.duels:
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
    p = equal_means([one.mean for one in bins], [one.half / 1.96 for one in bins])
    none = "" if p < SURE else ", a difference within the noise"
    return f"{excerpt(best.name, 60)}: {shown}{none} ({p_word(p)} over all lengths and the test examples)."
