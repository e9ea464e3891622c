"""A study written up: what was compared and held equal, what came out and how sure that is, what it cost."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from lstmlab.analysis import arm_scores, arm_settings, claims
from lstmlab.analysis.architecture import listed
from lstmlab.analysis.arm_settings import counted
from lstmlab.analysis.closing import date_words, duration, notes
from lstmlab.analysis.contest import Contest
from lstmlab.analysis.duels import shown_mean
from lstmlab.errors import InputError
from lstmlab.metrics import format_score
from lstmlab.report import Document, Section, excerpt
from lstmlab.report.text import Value
from lstmlab.training.arms import Plan
from lstmlab.training.run import main_score
from lstmlab.training.study import Entry, Study, how_to_go_on


@dataclass(frozen=True)
class Findings:
    """What a study shows, worked out once however often it is told. Raises InputError while no run has ended."""

    study: Study

    @cached_property
    def contests(self) -> list[Contest]:
        """The arms on each base that has a finished run."""
        study = self.study
        bases = dict.fromkeys(arm.base for arm in study.plan.arms)
        found = [Contest.of(study, base) for base in bases if any(study.runs(arm) for arm in study.of(base))]
        if not found:
            raise InputError(f"{study.folder}: no finished run yet; go on with: {how_to_go_on(study.folder)}")
        return found

    def document(self) -> Document:
        """The whole report. Its date is the study's, so the same study gives the same bytes."""
        study = self.study
        plan, about = study.plan, study.plan.about
        title = about.title or plan.summary or f"{plan.name}: {_asked(plan)}"
        return Document(
            title=excerpt(title, 200).rstrip("."),
            author=about.author,
            course=about.course,
            subtitle=excerpt(plan.summary, 300) if about.title else "",
            date=date_words(study.environment["started"]),
            facts=_facts(study, self.contests),
            sections=[*self.sections(), *notes(study.folder), _reproduce(study)],
        )

    def sections(self) -> list[Section]:
        """What was compared, what came out on each base, what failed."""
        found = [arm_settings.section(self.study, self.contests)]
        for contest in self.contests:
            found += arm_scores.sections(contest)
        return [*found, *claims.section(self.study, self.contests), *_failures(self.study)]

    def verdicts(self) -> list[str]:
        """What it shows, a sentence each."""
        told = []
        for contest in self.contests:
            base = f"{contest.base}: " if self.study.plan.several else ""
            told += [f"{base}{sentence}" for sentence in arm_scores.sentences(contest)]
        return told + claims.sentences(self.study, self.contests)


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


def _facts(study: Study, contests: Sequence[Contest]) -> list[tuple[str, Value]]:
    plan, told = study.plan, study.entries
    done = [entry.run for entry in told if entry.run is not None]
    searched = [entry.run for entry in study.trials if entry.run is not None]
    seconds = sum(run.metrics["total_seconds"] for run in (*done, *searched))
    facts: list[tuple[str, Value]] = [
        ("Data", listed(list(dict.fromkeys(excerpt(run.summary["data"]["name"], 40) for run in done)))),
        ("Runs", f"{len(done)} of {len(told)}: {arm_settings.size(plan)}"),
    ]
    if len({arm.base for arm in plan.arms}) == 1:
        contest = contests[0]
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


def _failures(study: Study) -> list[Section]:
    failed = [entry for entry in study.entries if entry.run is None]
    if not failed:
        return []
    told = [
        f"{excerpt(entry.name, 60)}: "
        + (excerpt(entry.failure["message"], 300) if entry.failure else "not trained yet")
        for entry in failed
    ]
    claim = f"{counted(len(failed), 'run')} of {len(study.entries)} did not end; the others are compared without them."
    return [Section("Runs that did not end", claim, "\n- ".join(["Which, and why:", *told]))]


def _reproduce(study: Study) -> Section:
    told = study.environment
    versions = listed([excerpt(f"{name} {version}", 60) for name, version in told.get("versions", {}).items()])
    by = excerpt(str(told.get("command", "")), 400)
    lines = ["```", excerpt(f"lstmlab compare {shlex.quote(str(study.folder / 'study.yaml'))}", 400), "```", ""]
    lines.append(f"First started by: {by}. {counted(study.plan.threads, 'thread')} a run; {versions}.")
    return Section(
        "How to reproduce",
        "One command carries this study out again; each run lies whole in its folder and has a row in results.csv.",
        "\n".join(lines),
    )
