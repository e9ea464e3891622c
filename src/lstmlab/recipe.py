"""Settings: frozen, read strictly, overridden by the tail of a key, written out whole.

A settings class stands beside what it configures; a field's description says what it is and in which unit. The rules:
an unknown key is refused with the nearest right one, a wrong type with what was expected, and a key somebody typed
that has no effect on this run (see `Settings.idle`) with the reason.
"""

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.representer import SafeRepresenter

from lstmlab.errors import InputError, nearest

Tree = dict[str, Any]
S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """The base of every settings class."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )

    def idle(self) -> dict[str, str]:
        """Settings that have no effect given the others: field name (or dotted tail) → the reason, in words."""
        return {}

    def lent(self) -> frozenset[str]:
        """Settings (dotted tails) that have an effect elsewhere, where their own block says that they have none."""
        return frozenset()

    def located(self) -> "Settings":
        """The same with every file of one's own by its whole path: what is written into a run."""
        parts = {name: value.located() for name, value in self if isinstance(value, Settings)}
        return self.model_copy(update=parts)


def read_yaml(text: str, where: str) -> Tree:
    """One mapping of plain values from YAML 1.2 (1e-3 is a number, `no` is a word). Refuses duplicate keys and whatever
    is no such mapping.
    """
    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        raise InputError(
            f"{where}, line {mark.line + 1}: the key {_quoted(error.problem)} stands twice; keep one"
        ) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark
        raise InputError(f"{where}, line {mark.line + 1 if mark else '?'}: not YAML: {error.problem}") from error
    except ReaderError as error:
        raise InputError(f"{where}: not text: character {error.position} is {chr(error.character)!a}") from error
    except RecursionError as error:
        raise InputError(f"{where}: {_TOO_MUCH}") from error
    except (YAMLError, ValueError) as error:  # such as a date that is none
        raise InputError(f"{where}: not YAML: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict) or not all(isinstance(key, str) for key in tree):
        raise InputError(f"{where}: expected `key: value` lines, got {type(tree).__name__}")
    counter = iter(range(MOST_VALUES))
    return {key: _plain(value, f"{where}: {key}", counter, MOST_DEPTH) for key, value in tree.items()}


MOST_VALUES = 10_000
"""The most values in a recipe: aliases could otherwise unfold to any number of them."""
MOST_DEPTH = 20
"""How deep values may stand inside each other: an alias could otherwise hold itself."""

_TOO_MUCH = f"more than {MOST_VALUES} values or {MOST_DEPTH} levels: not a recipe"


def _plain(value: Any, where: str, counter: Iterator[int], depth: int) -> Any:
    """A value as JSON has it: dates are the text they were written as; sets, bytes and the like are refused."""
    if next(counter, None) is None or not depth:
        raise InputError(f"{where}: {_TOO_MUCH}")
    if isinstance(value, dict):
        odd = next((key for key in value if not isinstance(key, str)), None)
        if odd is not None:
            raise InputError(f"{where}: expected a word as key, got {odd!r}")
        return {key: _plain(inner, f"{where}.{key}", counter, depth - 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, where, counter, depth - 1) for inner in value]
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise InputError(f"{where}: expected text, a number, true, false, null or a list, got a {type(value).__name__}")


def read_file(path: Path) -> Tree:
    """A recipe file as a tree of plain values, not yet checked against any settings."""
    try:
        return read_yaml(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: a recipe is UTF-8 text; byte {error.start} is not") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


class _Representer(SafeRepresenter):
    """Quotes what is not printable: an unquoted line end of any script would be read back as a blank."""

    def represent_str(self, data: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if data.isprintable() else '"')


_Representer.add_representer(str, _Representer.represent_str)


def write_yaml(tree: Mapping[str, Any]) -> str:
    """YAML that `read_yaml` reads back to the same tree."""
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.width = 110
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.dump(dict(tree), out)
    return out.getvalue()


def scalar(text: str) -> Any:
    """What `key=TEXT` means: a YAML value where it is one on a single line, else the text itself."""
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError):
        return text
    return value if isinstance(value, (bool, int, float, str, list, type(None))) else text


def fields(settings: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a settings class: dotted path and pydantic's field."""
    for name, info in settings.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from fields(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", info


FOLLOWS: dict[str, Any] = {"follows": True}
"""Marks (as `json_schema_extra`) a setting beside a more important one of the same name, often as that one unless it is
written in full: the tail of its path means the other.
"""


def paths(settings: type[BaseModel]) -> dict[str, bool]:
    """The path of every setting, and whether it follows another."""
    return {path: info.json_schema_extra == FOLLOWS for path, info in fields(settings)}


def resolve(key: str, paths: Mapping[str, bool] | Sequence[str]) -> str:
    """The one path that `key` is a tail of. Exact paths win; ambiguous and unknown keys are refused."""
    if key in paths:
        return key
    follows = paths if isinstance(paths, Mapping) else {}
    every = [path for path in paths if path.endswith("." + key)]
    found = [path for path in every if not follows.get(path)] or every
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f'"{key}" could be any of {", ".join(found)}: write more of it')
    tails = {path.rsplit(".", 1)[-1]: path for path in reversed(list(paths))}
    match = nearest(key, paths) or [tails[name] for name in nearest(key.rsplit(".", 1)[-1], tails)]
    raise InputError(f'no setting "{key}".' + (f" Did you mean {match[0]}?" if match else ""))


def parse_overrides(words: Sequence[str]) -> Tree:
    """`key=value` words as a flat tree, values read as YAML scalars. Refuses words without `=` and repeated keys."""
    tree: Tree = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InputError(f'expected key=value, got "{word}"')
        if key in tree:
            raise InputError(f'"{key}" was given twice')
        tree[key] = scalar(value)
    return tree


def override(
    tree: Mapping[str, Any], changes: Mapping[str, Any], paths: Mapping[str, bool] | Sequence[str]
) -> tuple[Tree, list[str]]:
    """`tree` with each change set at the path its key is a tail of, and those paths in the order given."""
    merged = json.loads(json.dumps(tree))
    typed: list[str] = []
    for key, value in changes.items():
        path = resolve(key, paths)
        if path in typed:
            raise InputError(f"{path} was given twice, the second time as {key}")
        typed.append(path)
        *folders, leaf = path.split(".")
        place = merged
        for folder in folders:
            place = place.setdefault(folder, {})
            if not isinstance(place, dict):
                raise InputError(f"{folder}: expected settings of its own (key: value), got {json.dumps(place)}")
        place[leaf] = value
    return merged, typed


def validate(settings: type[S], tree: Mapping[str, Any], where: str) -> S:
    """`tree` as settings. Unknown keys, wrong types and contradictions become one message, first problem first."""
    try:
        # JSON's strictness is the wanted one: a list may become a tuple, a string never a number.
        return settings.model_validate_json(json.dumps(_completed(settings, tree)))
    except ValidationError as error:
        # A misspelt key is what is wrong, and the right one that is therefore missing only its consequence.
        problem = min(error.errors(include_url=False), key=lambda problem: problem["type"] == "missing")
        raise InputError(f"{where}: {_explain(settings, problem)}") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from error


def _completed(settings: type[BaseModel], tree: Mapping[str, Any]) -> Tree:
    """`tree` with what the defaults of its blocks set: a block given in part keeps its owner's default for the rest."""
    whole = dict(tree)
    for name, info in settings.model_fields.items():
        inner, given = info.annotation, whole.get(name)
        if isinstance(inner, type) and issubclass(inner, BaseModel) and isinstance(given, Mapping):
            own = info.default.model_dump(mode="json", exclude_unset=True) if isinstance(info.default, inner) else {}
            whole[name] = _completed(inner, _merged(own, given))
    return whole


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    """Both trees in one; where both have a value, the one above."""
    both = {
        name: _merged(below[name], above[name])
        for name in below.keys() & above.keys()
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping)
    }
    return {**below, **above, **both}


def dump(settings: Settings) -> Tree:
    """Every setting with every default written out, as plain values."""
    return settings.model_dump(mode="json")


def idle_paths(settings: Settings, prefix: str = "") -> dict[str, str]:
    """All settings of the tree that have no effect: dotted path → reason."""
    found = {f"{prefix}{name}": reason for name, reason in settings.idle().items()}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Settings):
            found.update(idle_paths(value, f"{prefix}{name}."))
    lent = {f"{prefix}{name}" for name in settings.lent()}
    return {path: reason for path, reason in found.items() if path not in lent}


def refuse_idle(settings: Settings, typed: Sequence[str]) -> None:
    """Refuse a key somebody typed that would do nothing."""
    reasons = idle_paths(settings)
    for path in typed:
        reason = next((reasons[key] for key in reasons if path == key or path.startswith(key + ".")), None)
        if reason is not None:
            raise InputError(f"{path} would have no effect: {reason}")


def _explain(settings: type[BaseModel], problem: Mapping[str, Any]) -> str:
    path = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = [name for name, _ in fields(settings)]
        folders = list(dict.fromkeys(name.rsplit(".", 1)[0] for name in known if "." in name))
        match = nearest(path, known + folders) or nearest(path.rsplit(".", 1)[-1], known)
        return f'no setting "{path}".' + (f" Did you mean {match[0]}?" if match else "")
    if problem["type"] == "value_error":
        return f"{path + ': ' if path else ''}{problem['ctx']['error']}"
    got = json.dumps(problem["input"], ensure_ascii=False)
    if problem["type"] == "missing":
        return f"{path} is needed"
    said = problem["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    said = {"an object": "settings of its own (key: value)", "array": "a list such as [a, b]"}.get(said, said)
    return f"{path}: expected {said}, got {got if len(got) < 60 else got[:57] + '...'}"


def _quoted(problem: str | None) -> str:
    return (problem or "").removeprefix("found duplicate key ").split(" with ")[0]


def describe(settings: Settings) -> str:
    """The settings as YAML with every default written out and every field's meaning beside it."""
    return "\n".join(_described(settings, "", idle_paths(settings), "")) + "\n"


def _described(settings: Settings, path: str, idle: Mapping[str, str], indent: str) -> Iterator[str]:
    for name, info in type(settings).model_fields.items():
        value = getattr(settings, name)
        told = (info.description or "").split("\n")[0]
        if isinstance(value, Settings):
            yield f"{indent}{name}:"
            yield from _described(value, f"{path}{name}.", idle, indent + "  ")
            continue
        line = f"{indent}{name}: {_inline(value)}"
        effect = " (no effect here)" if f"{path}{name}" in idle else ""
        yield f"{line:<44}# {told}{effect}" if told else line


def _inline(value: Any) -> str:
    """A value on one line, as YAML reads it back."""
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_inline(part) for part in value) + "]"
    if isinstance(value, str):
        if re.fullmatch(r"[\w./-][\w ./-]*(?<! )", value, re.ASCII) and scalar(value) == value:
            return value
        quoted = json.dumps(value, ensure_ascii=False)
        return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)
    return json.dumps(value)
