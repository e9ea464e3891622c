"""A cell of one's own from a Python file: `./mine.py:DAMPED` stands wherever a cell's name does.

Only files that somebody names are run, and the folder of a run is never looked into for one.
"""

import hashlib
import importlib.util
import sys
import traceback
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from lstmlab.cells.cell import Cell
from lstmlab.errors import InputError, nearest


def is_own(text: str) -> bool:
    """Whether a cell's name means a file rather than the shelf."""
    return text.endswith(".py") or any(mark in text for mark in ":/\\")


def absolute(text: str) -> str:
    """The same with the file's whole path, as it is kept in a run; a name on the shelf stays as it is."""
    if not is_own(text):
        return text
    path, name = _parted(text)
    return f"{path.absolute()}:{name}" if name else str(path.absolute())


def load(text: str) -> Cell:
    """The Cell that `FILE.py:NAME` names. The same file is run once for each content.

    Raises InputError where there is no such file or name, where the name is no Cell, and where the file fails.
    """
    path, name = _parted(text)
    if path.suffix != ".py":
        raise InputError(f'cell "{text}": expected a name on the shelf, or FILE.py:NAME for a cell of your own')
    module = _module(path, text)
    cells = [key for key, value in vars(module).items() if isinstance(value, Cell)]
    there = f"Cells in it: {', '.join(cells)}." if cells else "There is no Cell in it."
    if not name:
        example = f" Write for example {path}:{cells[0]}" if cells else ""
        raise InputError(f'cell "{text}": name the Cell in {path} after a colon. {there}{example}')
    found = vars(module).get(name)
    if found is None:
        match = nearest(name, cells)
        raise InputError(f'{path}: no cell "{name}". ' + (f"Did you mean {path}:{match[0]}?" if match else there))
    if not isinstance(found, Cell):
        raise InputError(f"{path}: {name} is a {type(found).__name__}, not a Cell. {there}")
    return found


def _parted(text: str) -> tuple[Path, str]:
    """File and name. A path without a name may have a colon of its own (C:\\mine.py)."""
    file, colon, name = text.rpartition(":")
    if not colon or text.endswith(".py"):
        file, name = text, ""
    return Path(file).expanduser(), name


def _module(path: Path, text: str) -> ModuleType:
    """The file as a module under a name of its own, made of its place and content."""
    try:
        content = path.read_bytes()
    except OSError as error:
        if not path.exists():
            raise InputError(_missing(path, text)) from error
        raise InputError(f"{path}: a cell's file cannot be read: {error.strerror}") from error
    key = hashlib.sha256(str(path.absolute()).encode("utf-8", "surrogateescape") + b"\0" + content).hexdigest()[:16]
    private = f"_lstmlab_own_{key}"
    if private in sys.modules:
        return sys.modules[private]
    loader = _Loader(private, str(path.absolute()), content)
    spec = ModuleSpec(private, loader, origin=loader.path)
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    # Registered first, as every import does: dataclasses and inspect look a module up by its name.
    sys.modules[private] = module
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[private]
        raise InputError(_failed(path, error)) from error
    except BaseException:
        del sys.modules[private]
        raise
    return module


class _Loader(SourceFileLoader):
    """Runs the very bytes the module is named by, and leaves no compiled copy beside a file of somebody's own."""

    def __init__(self, name: str, path: str, content: bytes) -> None:
        super().__init__(name, path)
        self.content = content

    def get_code(self, fullname: str) -> CodeType:
        """The compiled file."""
        return self.source_to_code(self.content, self.path)


def _missing(path: Path, text: str) -> str:
    told = f'cell "{text}": there is no file {path}'
    if path.is_absolute():
        elsewhere = f"cell: /its/folder/{path.name}:{_parted(text)[1]}"
        return f"{told}. Put it back, or change the setting cell to where it is now, such as {elsewhere}"
    return f"{told} in {Path.cwd()}"


def _failed(path: Path, error: BaseException) -> str:
    """Which line of the file failed, and why."""
    if isinstance(error, SyntaxError) and error.filename == str(path.absolute()):
        return f"{path}, line {error.lineno}: not Python: {error.msg}"
    frames = [one for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path.absolute())]
    where = f"{path}, line {frames[-1].lineno}" if frames else str(path)
    told = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
    alone = " (a cell's file stands alone: it can import what is installed, not the files beside it)"
    return f"{where}: {told}{alone if isinstance(error, ModuleNotFoundError) else ''}"
