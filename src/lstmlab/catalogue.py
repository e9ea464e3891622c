"""The built-in recipes as files: found, listed and read without loading anything heavy."""

from importlib import resources

from lstmlab.recipe import Tree, read_yaml


def recipe_names() -> dict[str, Tree]:
    """The built-in recipes by name, as written, in alphabetical order."""
    folder = resources.files("lstmlab") / "recipes"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".yaml")), key=lambda file: file.name)
    return {file.name.removesuffix(".yaml"): read_yaml(file.read_text(encoding="utf-8"), file.name) for file in files}
