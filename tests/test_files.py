"""Tables are read exactly, and every broken file is refused with file, place and remedy."""

import contextlib
import csv
import datetime as dt
import gzip
import json
import os
import random
import re
from pathlib import Path

import polars as pl
import pytest

from lstmlab.data.datasets.files import corpus, from_frame, kept, read_table, text_of, to_table
from lstmlab.errors import InputError

ROWS = [('It\'s a "great" film,\nreally; good\t', "pos"), ("Weak.", "neg"), ("Größe 映画 😀", "pos")]


def put(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refused(path: Path, *words: str, encoding: str = "utf-8") -> str:
    with pytest.raises(InputError) as caught:
        read_table(path, encoding=encoding)
    message = str(caught.value)
    assert path.name in message
    for word in words:
        assert word in message, message
    return message


def as_csv(path: Path, delimiter: str = ",") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([("review", "stars"), *ROWS])
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_keeps_quotes_newlines_and_delimiters(tmp_path: Path, delimiter: str) -> None:
    assert read_table(as_csv(tmp_path / "a.csv", delimiter)).rows() == ROWS


def test_every_format_gives_the_same_table(tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS, schema=["review", "stars"], orient="row")
    lines = "\n".join(json.dumps(row) for row in frame.to_dicts())
    frame.write_parquet(tmp_path / "a.parquet")
    paths = [
        as_csv(tmp_path / "a.csv"),
        put(tmp_path / "a.jsonl", lines),
        put(tmp_path / "a.ndjson", lines + "\n\n"),
        put(tmp_path / "a.json-lines", lines),
        tmp_path / "a.parquet",
    ]
    for path in paths:
        zipped = tmp_path / f"{path.name}.GZ"
        zipped.write_bytes(gzip.compress(path.read_bytes()))
        assert read_table(path).equals(frame), path
        assert read_table(zipped).equals(frame), zipped


def test_a_quote_in_tsv_is_an_ordinary_character(tmp_path: Path) -> None:
    path = put(tmp_path / "a.tsv", 'text\tlabel\r\nsay "hi\tpos\r\n"5" disk\tneg\r\n\r\na\x85b\u2028c\tpos')
    assert read_table(path).rows() == [('say "hi', "pos"), ('"5" disk', "neg"), ("a\x85b\u2028c", "pos")]


def test_byte_order_marks_blank_rows_and_spaces_in_the_header(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", '\ufeff"text", label ,\r\ngood,pos,\r\n,,\r\n\r\nbad,neg,x\r\n')
    frame = read_table(path)
    assert frame.columns == ["text", "label", "column_3"]
    assert frame["label"].to_list() == ["pos", "neg"]
    wide = put(tmp_path / "b.csv", "text,label\ncafé,pos\n".encode("utf-16"))
    assert read_table(wide, encoding="utf-16").rows() == [("café", "pos")]


def test_a_million_characters_are_one_text(tmp_path: Path) -> None:
    limit = csv.field_size_limit()
    path = put(tmp_path / "a.csv", "text,label\n" + "x" * 1_000_000 + ",pos\n")
    assert len(read_table(path)["text"][0]) == 1_000_000
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["empty", "0 bytes"]),
        ("\n \n", ["blank lines"]),
        ("review,stars\n", ["no rows", "review, stars"]),
        ("a,b,a\n1,2,3\n", ['"a"', "twice"]),
        ("a,b\nx,1\ny\nz,2\n", ["line 3", "1 fields", "expected 2 (a, b)", "commas"]),
        ('a,b\n"x\ny",1\nsay, what,2\n', ["line 4", "3 fields", "in quotes"]),
        ('a,b\nx,1\n"y,2\nz,3\n', ["line 3", "never closed"]),
        ('a,b\nx,1\n"y\n "so" he said",2\n', ["line 3", "trouble on line 4", '""']),
        (b"a,b\nx,1\n\x00\x01,2\n", ["zero byte", "byte 8"]),
        (b"\x89PNG\r\n\x1a\n\x00", ["PNG"]),
        (b"PK\x03\x04abc", ["zip", "xlsx"]),
        (b"\x80\x04\x95\x10", ["pickle"]),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), ["gzip", ".gz"]),
        ("a,b\nx,1\n".encode("utf-16-le"), ["data.encoding=utf-16-le"]),
        ("a,b\nx,1\n".encode("utf-16"), ["data.encoding=utf-16"]),
    ],
)
def test_broken_csv_is_refused_with_its_place(tmp_path: Path, content: str | bytes, words: list[str]) -> None:
    refused(put(tmp_path / "reviews.csv", content), *words)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"a": 1', ["line 2", "not JSON"]),
        ("[1, 2]", ["line 2", "got list"]),
        ("{}", ["line 2", "empty"]),
        ("[" * 100_000, ["line 2"]),
        ('{"a": ' + "9" * 5000 + "}", ["line 2"]),
        (r'{"a": "\ud800"}', ["line 2", r"\ud800", "half a character"]),
        (json.dumps({str(key): key for key in range(1001)}), ["line 2", "1000 different keys"]),
    ],
)
def test_broken_json_lines_are_refused_with_their_line(tmp_path: Path, line: str, words: list[str]) -> None:
    refused(put(tmp_path / "a.jsonl", f'{{"a": "x"}}\n{line}\n'), *words)


def test_ragged_tsv_damaged_parquet_and_damaged_gzip(tmp_path: Path) -> None:
    refused(put(tmp_path / "a.tsv", "a\tb\n1\t2\n3\t4\t5\n"), "line 3", "3 fields", "tabs")
    pl.DataFrame({"a": range(1000)}).write_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    refused(put(tmp_path / "cut.parquet", whole[:100]), "not a whole Parquet file")
    refused(put(tmp_path / "odd.parquet", whole[:4] + b"x" * 60 + whole[-8:]), "damaged Parquet file")
    refused(put(tmp_path / "cut.csv.gz", gzip.compress(b"a,b\n" + os.urandom(999))[:200]), "not a whole gzip file")
    refused(put(tmp_path / "not.csv.gz", b"a,b\n1,2\n"), "not a whole gzip file")


def test_the_encoding_that_fits_is_named_and_works(tmp_path: Path) -> None:
    path = put(tmp_path / "a.csv", "text,label\nfine,pos\nThe café – “good”,neg\n".encode("cp1252"))
    message = refused(path, "line 3", "0xE9", "café")
    assert re.search(r"byte 27\b", message)
    assert "data.encoding=cp1252" in message
    assert read_table(path, encoding="cp1252")["text"][1] == "The café – “good”"
    refused(put(tmp_path / "b.csv", "text\ncafé\n"), "data.encoding=utf-8", encoding="utf-16-le")
    with pytest.raises(InputError, match=r'no encoding "utf-9"\. Did you mean utf-8\?'):
        read_table(path, encoding="utf-9")
    for odd in ("hex", "undefined", "a\0b"):
        with pytest.raises(InputError):
            read_table(path, encoding=odd)


def test_names_that_are_no_table(tmp_path: Path) -> None:
    as_csv(tmp_path / "reviews.csv")
    refused(tmp_path / "review.csv", "no such file", "Did you mean", "reviews.csv")
    refused(tmp_path / "zzz.tsv", "no such file", "holds reviews.csv")
    refused(tmp_path / "nowhere" / "a.csv", "no such file", "nowhere")
    refused(tmp_path / ("x" * 300 + ".csv"), "name too long")
    refused(put(tmp_path / "a.xlsx", b"PK"), ".xlsx", "Save the sheet as CSV", ".parquet")
    refused(put(tmp_path / "a.pkl", b"\x80\x04"), "never opened")
    refused(put(tmp_path / "noending", b"x"), "no ending")
    (tmp_path / "folder.csv").mkdir()
    refused(tmp_path / "folder.csv", "expected a file, found a folder")
    os.mkfifo(tmp_path / "pipe.csv")
    refused(tmp_path / "pipe.csv", "device or a pipe")


def test_corpus_takes_the_columns_and_its_own_ids() -> None:
    frame = pl.DataFrame({"id": ["a", "b"], "review": [" x ", "y"], "stars": [" 1", "2 "], "more": [1, 2]})
    made, steps = corpus(frame, text="review", label="stars", where="r.csv")
    assert made.frame.to_dict(as_series=False) == {"id": ["a", "b"], "inputs": [" x ", "y"], "target": ["1", "2"]}
    assert steps == ()
    made, steps = corpus(frame.with_columns(id=pl.lit("a")), text="review", label="stars", where="r.csv")
    assert made.frame["id"].to_list() == ["1", "2"]
    assert "rows are numbered" in steps[0]
    made, _ = corpus(frame, text="review", label=None, where="r.csv")
    assert made.targets == [None, None]


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([1, 0, None], ["1", "0"]),
        ([1.0, 2.0, None], ["1", "2"]),
        ([1.5, 2.0, None], ["1.5", "2.0"]),
        ([True, False, None], ["true", "false"]),
        ([1.0, 2.0, float("nan")], ["1", "2"]),
    ],
)
def test_numbers_become_their_plain_text(values: list[object], labels: list[str]) -> None:
    frame = pl.DataFrame({"text": ["a", "b", " "], "label": values}, strict=False)
    made, steps = corpus(frame, text="text", label="label", where="r.csv")
    assert made.targets == labels
    assert steps == ('dropped 1 row of r.csv with a blank "text"',)


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        ("review", "stars", 'reviews.csv: no column "stars". Columns: review, rating. Did you mean label=rating?'),
        ("review", "Rating", 'no column "Rating". Columns: review, rating. Did you mean label=rating?'),
        ("text", "rating", 'no column "text". Columns: review, rating. Did you mean text=review?'),
        ("review", "review", 'both "review"'),
    ],
)
def test_a_wrong_column_is_answered_with_the_right_one(text: str, label: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        corpus(pl.DataFrame({"review": ["a"], "rating": ["1"]}), text=text, label=label, where="reviews.csv")


def test_missing_labels_one_class_and_blank_texts_are_refused() -> None:
    frame = pl.DataFrame({"t": ["a", "b", "c", ""], "l": ["x", " ", None, None], "same": "x", "list": [[1]] * 4})
    for columns, message in [
        ({"label": "l"}, r'r, row 2 and 1 more: no label in column "l"'),
        ({"label": "same"}, r'same label \("x" in column "same"\)'),
        ({"label": "list"}, r'"list" holds List'),
        ({"text": "list", "label": "l"}, "expected text"),
    ]:
        with pytest.raises(InputError, match=message):
            corpus(frame, where="r", **({"text": "t"} | columns))
    assert len(corpus(frame, text="t", label="same", where="r", least_classes=1)[0]) == 3
    with pytest.raises(InputError, match="every text"):
        corpus(pl.DataFrame({"t": ["", None], "l": ["a", "b"]}), text="t", label="l", where="r")


def test_json_values_that_are_not_text_are_no_text(tmp_path: Path) -> None:
    lines = ['{"t": ["a"], "l": 1}', '{"t": {"b": 2}, "l": 2.0, "n": null}', '{"t": "c", "l": true}']
    path = put(tmp_path / "a.jsonl", "\n".join(lines))
    frame = read_table(path)
    assert frame["l"].to_list() == ["1", "2.0", "true"]
    with pytest.raises(InputError, match="holds Object, expected text"):
        corpus(frame, text="t", label="l", where="a.jsonl")


def test_pandas_frames_need_no_pyarrow() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "text": ["a", "b", None, "d"],
            "label": pd.Series([1, None, 2, 2]),
            7: [[1]] * 4,
            "kind": pd.Categorical(["x", "y", "x", "y"]),
            "day": pd.to_datetime(["2020-01-01"] * 4),
        }
    )
    assert to_table(frame).columns == ["text", "label", "7", "kind", "day"]
    assert to_table(frame)["kind"].to_list() == ["x", "y", "x", "y"]
    with pytest.raises(InputError, match="row 2: no label"):
        from_frame(frame, text="text", label="label")
    made, steps = from_frame(frame[frame.label.notna()], text="text", label="label")
    assert made.targets == ["1", "2"]
    assert made.frame["id"].to_list() == ["1", "3"]
    assert len(steps) == 1
    with pytest.raises(InputError, match="twice"):
        to_table(pd.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(InputError, match="no rows"):
        to_table(frame[:0])


def test_polars_frames_and_other_things() -> None:
    lazy = pl.LazyFrame({"text": ["a", "b"], "label": [0, 1]})
    assert from_frame(lazy, text="text", label="label")[0].targets == ["0", "1"]
    with pytest.raises(InputError, match="got list"):
        from_frame([1], text="text", label="label")


def test_random_damage_never_gives_anything_but_an_input_error(tmp_path: Path) -> None:
    chance = random.Random(0)
    pl.DataFrame(ROWS, schema=["a", "b"], orient="row").write_parquet(tmp_path / "base.parquet")
    bases = {
        ".csv": as_csv(tmp_path / "base.csv").read_bytes(),
        ".tsv": b"a\tb\n1\t2\n",
        ".jsonl": b'{"a": [1, "\\u00e9"]}\n',
        ".parquet": (tmp_path / "base.parquet").read_bytes(),
        ".csv.gz": gzip.compress(b"a,b\n1,2\n" * 50, mtime=0),
    }
    for ending, base in bases.items():
        for _ in range(40 if ending == ".parquet" else 150):
            raw = bytearray(base)
            for _ in range(chance.randint(1, 4)):
                raw[chance.randrange(len(raw))] = chance.choice([chance.randrange(256), *b'",\n\\'])
            cut = chance.choice([len(raw), chance.randrange(len(raw))])
            with contextlib.suppress(InputError):
                assert len(read_table(put(tmp_path / f"damaged{ending}", bytes(raw[:cut])))) > 0


def test_a_pandas_index_of_times_is_a_column() -> None:
    pd = pytest.importorskip("pandas")
    days = pd.date_range("2024-01-30", periods=3, freq="D")
    frame = to_table(pd.DataFrame({"y": [1.0, 2.0, 3.0]}, index=days))
    assert frame.columns == ["time", "y"]
    named = to_table(pd.Series([1.0, 2.0, 3.0], index=days.rename("ds"), name="sales"))
    assert named.columns == ["ds", "sales"]
    assert named["ds"].cast(pl.String).str.slice(0, 10).to_list() == ["2024-01-30", "2024-01-31", "2024-02-01"]
    assert to_table(pd.Series([1, 2])).columns == ["value"]
    months = to_table(pd.DataFrame({"y": [1.0, 2.0]}, index=pd.period_range("2024-01", periods=2, freq="M")))
    assert months["time"].cast(pl.String).to_list() == ["2024-01", "2024-02"]


def test_a_column_of_spans_is_no_text_and_no_obstacle() -> None:
    frame = pl.DataFrame({"text": ["a", "b"], "label": [0, 1], "took": [dt.timedelta(1), dt.timedelta(2)]})
    assert text_of(frame["took"]) is None
    assert kept(frame["took"]) is None
    with pytest.raises(InputError, match='"took" holds Duration'):
        from_frame(frame, text="text", label="took")


def test_times_of_pandas_are_times() -> None:
    pd = pytest.importorskip("pandas")
    for zone in (None, "UTC", "America/New_York"):
        days = pd.DataFrame({"day": pd.date_range("2024-03-09", periods=3, tz=zone), "y": [1, 2, 3]})
        found = to_table(days)["day"]
        assert found.dtype == pl.Datetime("us", zone)
        assert found.to_list()[0].isoformat().startswith("2024-03-09T00:00:00")
    gaps = pd.DataFrame({"day": [pd.Timestamp("2024-03-09"), pd.NaT, pd.Timestamp("2024-03-11")]})
    assert to_table(gaps)["day"].null_count() == 1
