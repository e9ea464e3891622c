"""The built-in recipes as files: found, listed and read without loading anything heavy."""

from importlib import resources

from lstmlab.recipe import Tree, read_yaml

ENDING = ".yaml"


def recipe_names() -> list[str]:
    """The names of the built-in recipes, in alphabetical order."""
    files = (resources.files("lstmlab") / "recipes").iterdir()
    return sorted(file.name.removesuffix(ENDING) for file in files if file.name.endswith(ENDING))


def read_recipe(name: str) -> Tree:
    """A built-in recipe as written."""
    file = resources.files("lstmlab") / "recipes" / f"{name}{ENDING}"
    return read_yaml(file.read_text(encoding="utf-8"), file.name)
