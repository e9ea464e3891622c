"""The settings that all data of one's own or of a named set has: where it is, and how it is parted."""

from pathlib import Path
from typing import TypeVar

from pydantic import Field, model_validator

from lstmlab.data.datasets import named
from lstmlab.errors import InputError
from lstmlab.recipe import Settings

P = TypeVar("P", bound="PartedData")


class PartedData(Settings):
    """What to learn from, and how it is parted into training, validation and test part."""

    name: str | None = None
    """A named data set: `lstmlab data list` shows them."""
    path: str | None = None
    """One's own file or folder."""
    valid: str | None = None
    """A file with the validation part; without one, `valid_fraction` of the training part is split off."""
    test: str | None = None
    """A file with the test part; without one, `test_fraction` of `path` is split off."""
    encoding: str = "utf-8"
    """How one's own files are encoded."""
    limit: int | None = Field(default=None, gt=0)
    """Use only this many training examples (before validation is split off)."""
    valid_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Share of the training part split off for validation where the data has no such part (0 to 1)."""
    test_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Share of the whole split off for testing where the data has no such part (0 to 1)."""

    @model_validator(mode="after")
    def _one_source(self: P) -> P:
        if self.name is not None and self.path is not None:
            raise ValueError("data.name and data.path name two sources: give one")
        return self

    def files(self) -> dict[str, Path]:
        """One's own file or folder of each part that has one. Raises InputError where there is no data at all."""
        if self.path is None:
            raise InputError("no data: give data.name=NAME (see `lstmlab data list`) or data.path=FILE")
        given = {"train": self.path, "valid": self.valid, "test": self.test}
        return {part: Path(file) for part, file in given.items() if file is not None}

    def located(self: P) -> P:
        """The same with whole paths, so that what was trained here can be trained, scored and resumed from anywhere."""
        return self.model_copy(update=self.whole("path", "valid", "test"))

    def whole(self, *names: str) -> dict[str, str]:
        """Those of these settings that name a file, by its whole path."""
        return {name: str(Path(file).absolute()) for name in names if (file := getattr(self, name))}

    def idle(self) -> dict[str, str]:
        """What a named set, or a part of one's own, leaves without effect."""
        reasons: dict[str, str] = {}
        if self.name is not None:
            own = f"it belongs to one's own files (data.path), and data.name is {self.name}"
            reasons |= dict.fromkeys(("valid", "test", "encoding"), own)
        if self.name in named.NAMED:
            official = f"{self.name} has such a part of its own"
            reasons |= {f"{part}_fraction": official for part in named.NAMED[self.name].parts if part != "train"}
        if (self.path or "").endswith(".parquet") and self.valid is None and self.test is None:
            # Files of the other parts may be tables of another kind.
            reasons["encoding"] = "Parquet files have none to choose"
        if self.test is not None:
            reasons["test_fraction"] = f"the test part is {self.test}"
        if self.valid is not None:
            reasons["valid_fraction"] = f"the validation part is {self.valid}"
        return reasons
