"""What others found, held against a study: it holds here, it does not, or this study cannot tell."""

from collections.abc import Sequence

from lstmlab.analysis.arm_lengths import Lengths, growth
from lstmlab.analysis.contest import Contest
from lstmlab.analysis.duels import Duel, interval, points
from lstmlab.report import Section, Table, excerpt
from lstmlab.report.text import Value
from lstmlab.training.arms import Claim
from lstmlab.training.study import Study


def section(study: Study, contests: Sequence[Contest]) -> list[Section]:
    """A table of the claims with what this study says of each; nothing where a study has none."""
    if not study.plan.claims:
        return []
    judged = [(claim, *judge(claim, contests)) for claim in study.plan.claims]
    rows: list[list[Value]] = [
        [excerpt(f"{claim.base}: {_said(claim)}", 120), excerpt(claim.source, 120), word, excerpt(told, 300)]
        for claim, word, told in judged
    ]
    words = [word for _, word, _ in judged]
    claim = (
        f"Of {len(words)} published findings {words.count('holds')} hold here, {words.count('does not hold')} do not, "
    )
    claim += f"{words.count('cannot be told')} cannot be told from this study."
    note = "The data, sizes and budgets here are smaller than the paper's: a finding may hold there and not here."
    return [Section("Published findings", claim, "", [Table("Findings, and what this study says of them.",
                    ["Finding", "Source", "Here", "Numbers"], rows, note)])]  # fmt: skip


def sentences(study: Study, contests: Sequence[Contest]) -> list[str]:
    """The same, a sentence each."""
    found = []
    for claim in study.plan.claims:
        word, told = judge(claim, contests)
        found.append(f"“{claim.base}: {_said(claim)}” {word} here: {told}")
    return found


def _said(claim: Claim) -> str:
    lead = f"{claim.better} is better than {claim.than}"
    return f"{lead}, the more so the longer the text" if claim.longer else lead


def judge(claim: Claim, contests: Sequence[Contest]) -> tuple[str, str]:
    """("holds" | "does not hold" | "cannot be told", the numbers)."""
    contest = next((one for one in contests if one.base == claim.base), None)
    if contest is None:
        return "cannot be told", f"there is no finished run on {claim.base}."
    better, worse = contest.find(claim.better), contest.find(claim.than)
    if better is None or worse is None:
        lost = claim.better if better is None else claim.than
        return "cannot be told", f"there is no finished run of {lost}."
    if claim.longer:
        return _longer(contest, claim)
    duel = next((one for one in contest.duels if {one.better.name, one.worse.name} == {better.name, worse.name}), None)
    return _short(duel, better.name) if duel is not None else ("cannot be told", "the two were not compared.")


def _short(duel: Duel, better: str) -> tuple[str, str]:
    if duel.seeds < 2:
        return "cannot be told", duel.words
    right = duel.better.name == better
    if duel.proven:
        return "holds" if right else "does not hold", duel.words
    return "cannot be told", duel.words


def _longer(contest: Contest, claim: Claim) -> tuple[str, str]:
    better, worse = contest.find(claim.better), contest.find(claim.than)
    lengths = Lengths.of(contest)
    if lengths is None or better is None or worse is None:
        return "cannot be told", "there are too few texts, or too few lengths."
    found = growth(lengths, better, worse)
    if found is None:
        return "cannot be told", "with one seed no significance is claimed."
    examples, seeds = found
    numbers = (
        f"its lead at {lengths.bins[-1]} words, less that at {lengths.bins[0]}, is "
        f"{points(contest.kind, examples.mean)}: over test examples{interval(contest.kind, examples)}, over "
        f"{seeds.count} seeds{interval(contest.kind, seeds)}."
    )
    if examples.low > 0 and seeds.low > 0:
        return "holds", numbers
    return ("does not hold" if examples.high < 0 and seeds.high < 0 else "cannot be told"), numbers
