"""A study without runs: something measured on untrained cells, written up as other studies are."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from lstmlab.analysis.architecture import listed
from lstmlab.analysis.closing import date_words, notes
from lstmlab.recipe import Settings
from lstmlab.report import Document, Section, excerpt
from lstmlab.tasks.task import About


class MeasureSettings(Settings):
    """What is measured, and how often."""

    what: Literal["gradients"] = "gradients"
    """gradients: how far back they reach."""
    seeds: int = Field(default=3, ge=1)
    """Cells drawn for each measurement."""
    steps: int = Field(default=200, ge=2, le=2000)
    """Steps of the sequences."""
    size: float = Field(default=1.0, gt=0)
    """Standard deviation of the inputs."""


class MeasureRecipe(Settings):
    """A study that trains nothing."""

    name: str = ""
    """Names the study's folder."""
    summary: str = ""
    """One sentence: what this study asks."""
    group: str = "studies"
    """Under which heading `lstmlab recipes` lists it."""
    about: About = About()
    measure: MeasureSettings = MeasureSettings()


def measured(recipe: MeasureRecipe, say: Callable[[str], None]) -> list[Section]:
    """What is measured, told while it is."""
    from lstmlab.analysis.reach import gradient_study

    asked = recipe.measure
    return gradient_study(asked.seeds, asked.steps, size=asked.size, told=say)


def measured_document(
    recipe: MeasureRecipe, sections: list[Section], environment: Mapping[str, Any], folder: Path
) -> Document:
    """The report of a study that trains nothing."""
    versions = [excerpt(f"{name} {version}", 60) for name, version in environment.get("versions", {}).items()]
    command = excerpt(f"lstmlab compare {shlex.quote(str(folder / 'study.yaml'))}", 400)
    again = Section(
        "How to reproduce",
        "One command measures this again, to the same numbers on the same machine.",
        "\n".join(["```", command, "```", "", f"{listed(versions)}."]),
    )
    return Document(
        title=excerpt(recipe.about.title or recipe.summary, 200).rstrip("."),
        author=recipe.about.author,
        course=recipe.about.course,
        subtitle=excerpt(recipe.summary, 300) if recipe.about.title else "",
        date=date_words(str(environment["started"])),
        facts=[("Measured", f"{recipe.measure.steps} steps, {recipe.measure.seeds} seeds"), ("Study", recipe.name)],
        sections=[*sections, *notes(folder), again],
    )
