"""What is wrong with the data of a file, a named set or a recipe."""

from collections.abc import Mapping, Sized
from typing import Any

from lstmlab import request
from lstmlab.data.check import Finding, check
from lstmlab.data.corpus import Corpus
from lstmlab.data.datasets import named, synthetic
from lstmlab.data.load import DataSettings, Watch, read
from lstmlab.data.prose import ProseData
from lstmlab.data.prose_check import check_prose
from lstmlab.data.series_check import check_series
from lstmlab.data.series_settings import SeriesSettings
from lstmlab.data.tag_check import check_tagged
from lstmlab.data.tagging import TaggingData
from lstmlab.errors import InputError
from lstmlab.tasks import TASKS


def check_data(word: str, changes: Mapping[str, Any], watch: Watch) -> tuple[dict[str, Sized], tuple[Finding, ...]]:
    """The parts of a file, named set or recipe (of series: the series), and what is wrong with them."""
    data, recipe = _named_data(word), None
    if data is not None and changes:
        key = next(iter(changes))
        raise InputError(f"{key} would have no effect: a named set is checked as it is; settings belong to a recipe")
    if data is None:
        recipe = request.assemble(word, changes)
        data = getattr(recipe, "data", None)
    seed = 0 if recipe is None else recipe.parts_seed
    if isinstance(data, SeriesSettings):
        panel, findings = check_series(data)
        return {"series": panel.lines}, findings
    if isinstance(data, TaggingData):
        tagged_parts, findings = check_tagged(data, seed, watch)
        return {**tagged_parts}, findings
    if isinstance(data, ProseData):
        prose_parts, findings = check_prose(data, watch)
        return {**prose_parts}, findings
    found = read(data, seed, watch)[0] if recipe is None else TASKS[recipe.task].load(recipe, watch).parts
    parts = {name: part for name, part in found.items() if isinstance(part, Corpus)}
    return {**parts}, check(parts)


def _named_data(word: str) -> Any:
    """How a named set is read as it is; None for what is none."""
    known = named.NAMED.get(word)
    if known is None:
        return DataSettings(name=word) if word in synthetic.SYNTHETIC else None
    if known.series is not None:
        return SeriesSettings(name=word)
    kinds: dict[str, Any] = {"tagging": TaggingData, "language-model": ProseData}
    return kinds.get(known.task, DataSettings)(name=word)
