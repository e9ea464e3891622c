"""A report that asks: evidence stays, generated sentences become questions, and the student answers."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from lstmlab.analysis import curves
from lstmlab.analysis.architecture import model_words
from lstmlab.report import Figure, Section
from lstmlab.training.run import Run

FACTS = frozenset(
    ("data", "preprocessing", "model", "settings", "aim", "objectives", "pseudocode", "printed", "search", "fixed",
     "notes", "reproduce")
)  # fmt: skip
"""Sections that hold what was done and no conclusion: they stay as they are."""


def asked(key: str, section: Section, run: Run) -> Section:
    """A section with its conclusions taken out and questions in their place; one of facts as it is."""
    if key in FACTS:
        return replace(section, questions=(WHY_MODEL.format(model_words(run)),)) if key == "model" else section
    one = QUESTIONS.get(key, f"What does this section show ({_shown(section)})?")
    questions = COUNTED[key](run) if key in COUNTED else [one]
    figures = [_quiet(figure, run) if key == "curves" else figure for figure in section.figures]
    return replace(
        section, claim="", evidence=printed_parts(section.evidence), figures=figures, questions=tuple(questions)
    )


def questioned(section: Section) -> Section:
    """The same for a section of which nothing else is known: what rules concluded becomes a question."""
    if not (section.generated and section.claim) or not (section.tables or section.figures):
        return section
    question = f"What do you conclude here ({_shown(section)}), and how sure is it?"
    return replace(section, claim="", evidence=printed_parts(section.evidence), questions=(question,))


WHY_MODEL = "Why is this model ({}) a sensible choice for this problem, and what could it not learn?"


def _shown(section: Section) -> str:
    kinds = ["the table" if len(section.tables) == 1 else "the tables"] * bool(section.tables)
    kinds += ["the figure" if len(section.figures) == 1 else "the figures"] * bool(section.figures)
    return " and ".join(kinds) or section.title


def printed_parts(evidence: str) -> str:
    """What was printed or written by the model: evidence without a word of judgement."""
    return "\n\n".join(re.findall(r"^```\n.*?^```$", evidence, flags=re.DOTALL | re.MULTILINE))


def _quiet(figure: Figure, run: Run) -> Figure:
    """The curves without what they are said to show."""
    note = "The dashed line marks the epoch of least validation loss."
    return replace(figure, note=note if curves.judge(run).best_epoch is not None else "")


def _training(run: Run) -> list[str]:
    least = curves.judge(run).best_epoch
    if least is None:
        return [
            "What do the curves show: how fast does the loss fall, and has it stopped falling at the end?",
            "What can and what can not be said about overfitting without a validation part?",
        ]
    last = run.history[-1]["epoch"] if run.history else least
    after = f"after epoch {least}" if least < last else f"up to the last epoch, {last}"
    return [
        f"What do the curves show {after}? Compare training and validation, with numbers.",
        "Does the model overfit, underfit, or neither? Was training stable?",
    ]


def _scores(run: Run) -> list[str]:
    names = list(run.metrics.get("baseline", {}))
    beside = f" ({', '.join(names)})" if names else ""
    return [f"How good is the model beside its baselines{beside}? Is the difference larger than chance?"]


QUESTIONS = {
    "introduction": "What is the problem, and why would a recurrent model suit it?",
    "errors": "Which inputs does it get wrong, and what do the worst mistakes have in common?",
    "overlap": "Which pairs does it get wrong? What do shared words and negation have to do with it?",
    "mistakes": "Which tags does it confuse, and why? What about words it has never seen?",
    "text": "What has the model learned of the language (spelling, grammar, sense), and what has it not?",
    "translations": "What does a bad translation look like here, and what are the likely reasons?",
    "replies": "Are the replies fitting, and how varied are they beside those of people?",
    "attention": "Where does the decoder look as it writes? Does that follow the order of the words?",
    "feedback": "How far ahead does the forecast hold, and what goes wrong then?",
    "forecasts": "How does the error grow with the steps ahead? Is the forecast more than the last value?",
    "residuals": "What pattern is left in the errors, and what would remove it?",
    "gates": "Which gates open and close, at which steps, and why?",
    "assessment": "What does the model do well, and what badly? Give an example of each.",
    "observed": "What are your main observations, each with its number?",
    "effect": "What would you expect of another cell, size or direction, and how would you test it?",
    "improvements": "What would you change first, and what do you expect of it?",
}
"""One for each section whose question needs no numbers."""
COUNTED: Mapping[str, Callable[[Run], list[str]]] = {"curves": _training, "scores": _scores}
"""Those that have the run's numbers in them."""
