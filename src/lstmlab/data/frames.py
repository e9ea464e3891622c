"""A data frame as a file: what is read from files is learned from frames in the same way."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from lstmlab.data.datasets import files, tagged
from lstmlab.disk import save
from lstmlab.errors import InputError


def kept_frame(data: object, folder: Path) -> Path:
    """A frame written down under a name made of its content, so that its runs can be trained again."""
    table = files.to_table(data)
    columns = [_kept(table[name]) for name in table.columns]
    frame = pl.DataFrame([column for column in columns if column is not None])
    content = io.BytesIO()
    frame.write_parquet(content)
    path = folder / f"frame-{hashlib.sha256(content.getvalue()).hexdigest()[:16]}.parquet"
    if not path.exists():
        save(path, content.getvalue())
    return path


def _kept(column: pl.Series) -> pl.Series | None:
    """A column as it is written down: plain values, or lists of words; None for what nothing learns from."""
    plain = files.kept(column)
    return tagged.lists(column) if plain is None else plain


@contextmanager
def as_file(data: object) -> Iterator[Path | None]:
    """The file somebody names, or a data frame as one for as long as it is read, which errors call the data frame."""
    if data is None or isinstance(data, str | Path):
        yield None if data is None else Path(data)
        return
    with TemporaryDirectory() as folder:
        path = kept_frame(data, Path(folder))
        try:
            yield path
        except InputError as error:
            raise InputError(str(error).replace(str(path), "the data frame")) from error
