"""The built-in recipes and studies as files: found, listed and read without loading anything heavy."""

from importlib import resources

from lstmlab.recipe import Tree, read_yaml

ENDING = ".yaml"
STUDIES = "studies"


def recipe_names() -> list[str]:
    """The names of the built-in recipes, in alphabetical order."""
    return _names()


def study_names() -> list[str]:
    """The names of the built-in studies, in alphabetical order."""
    return _names(STUDIES)


def read_recipe(name: str) -> Tree:
    """A built-in recipe as written."""
    return _read(name)


def read_study(name: str) -> Tree:
    """A built-in study as written."""
    return _read(name, STUDIES)


def _names(*folder: str) -> list[str]:
    files = (resources.files("lstmlab") / "recipes").joinpath(*folder).iterdir()
    return sorted(file.name.removesuffix(ENDING) for file in files if file.name.endswith(ENDING))


def _read(name: str, *folder: str) -> Tree:
    file = (resources.files("lstmlab") / "recipes").joinpath(*folder, f"{name}{ENDING}")
    return read_yaml(file.read_text(encoding="utf-8"), file.name)
