"""Shapes written in lstmlab's signatures, checked while tests run: every call of a function that names arrays.

jaxtyping's own plugin also binds the arguments of every function that names none, which took half of all time.
"""

import ast
import hashlib
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from inspect import get_annotations, isclass, isfunction
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray, jaxtyped

CACHED = f".shapes-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]}.pyc"
"""How byte code is called that was compiled with the checks: never what Python itself would take up."""


def install(package: str) -> None:
    """Have the signatures of a package checked that nobody has imported yet."""
    assert package not in sys.modules, f"{package} is imported already: its shapes would not be checked"
    sys.meta_path.insert(0, _Finder(package))


def checked(made: Any) -> Any:
    """A function or dataclass whose arguments and results are checked, itself where it names no array."""
    annotations = get_annotations(made) if isclass(made) or isfunction(made) else {}
    arrays = any(isclass(one) and issubclass(one, AbstractArray) for one in _parts([*annotations.values()]))
    return jaxtyped(made, typechecker=beartype) if arrays else made


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation and all it is made of."""
    for one in annotation if isinstance(annotation, list) else get_args(annotation):
        yield from _parts(one)
    yield annotation


class _Decorate(ast.NodeTransformer):
    """Puts `checked` next to every function, where its annotations still are, and around every finished class."""

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self.generic_visit(node)
        after = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body.insert(after, ast.parse("from shapes import checked as _checked").body[0])
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        node.decorator_list.append(ast.copy_location(ast.Name("_checked", ast.Load()), node))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self.generic_visit(node)
        node.decorator_list.insert(0, ast.copy_location(ast.Name("_checked", ast.Load()), node))
        return node


class _Loader(SourceFileLoader):
    def source_to_code(self, data: Any, path: Any, *, _optimize: int = -1) -> Any:
        tree = _Decorate().visit(ast.parse(data, path))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True, optimize=_optimize)

    def get_data(self, path: str) -> bytes:
        return super().get_data(_own(path))

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        super().set_data(_own(path), data, _mode=_mode)  # type: ignore[call-arg]


def _own(path: str) -> str:
    return path.removesuffix(".pyc") + CACHED if path.endswith(".pyc") else path


class _Finder(MetaPathFinder):
    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if f"{fullname}.".startswith(f"{self._package}."):
            spec = PathFinder.find_spec(fullname, path, target)
            if spec is not None and isinstance(spec.loader, SourceFileLoader):
                spec.loader = _Loader(spec.loader.name, spec.loader.path)
                return spec
        return None
