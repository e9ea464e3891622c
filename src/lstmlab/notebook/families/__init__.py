"""Which experiments have a notebook, and how each is written.

A family is a module: `TEMPLATE` names its template; `kind(recipe)` says in a few words what the notebook builds;
`small(recipe)` are settings for a quick look; `facts(recipe, quick, watch)` is what the template needs, and raises
InputError for settings it has no words for; `next_steps(recipe)` are sentences.
"""

from types import ModuleType

from lstmlab.notebook.families import classification, forecasting, language_model, pairs, signals, tagging, translation

FAMILIES: dict[str, ModuleType] = {
    "forecasting": forecasting,
    "classification": classification,
    "classification of measurements": signals,
    "translation": translation,
    "language-model": language_model,
    "tagging": tagging,
    "pairs": pairs,
}
"""Task → what writes its notebook. Of measurements a classifier has another one than of texts."""
