"""Files of tagged sentences: columns, CoNLL-U, JSON lines, and everything that is refused."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lstmlab.data import spans
from lstmlab.data.corpus import Source
from lstmlab.data.datasets import named
from lstmlab.data.datasets.tagged import column_rows, lists, read_tagged
from lstmlab.data.tagging import TaggingData, load_tagged, words_of
from lstmlab.errors import InputError

SHARED = os.environ.get("LSTMLAB_DATA", "")

UNIVERSAL = """# newdoc id = weblog
# sent_id = 1
# text = Vámonos al mar	now
1-2	Vámonos	_	_	_	_	_	_	_	_
1	Vamos	ir	VERB	VB	Mood=Imp	0	root	_	_
2	nos	nosotros	PRON	PR	_	1	obj	_	_
2.1	fuimos	ir	VERB	VB	_	_	_	0:root	_
3	New York	New York	PROPN	NP	_	1	obl	_	_

#sent_id = 2
1	#	#	SYM	SY	_	0	root	_	_

"""


def read(path: Path, text: str, **changed: object) -> list[tuple[list[str], list[str] | None]]:
    path.write_bytes(text.encode())
    table, _ = read_tagged(path, **changed)  # type: ignore[arg-type]
    return list(zip(table["inputs"].to_list(), table["target"].to_list(), strict=True))


TWO = [(["Marie", "lives", "."], ["B-PER", "O", "O"]), (["Lyon"], ["B-LOC"])]


@pytest.mark.parametrize(
    "text",
    [
        "Marie\tB-PER\nlives\tO\n.\tO\n\nLyon\tB-LOC\n",
        "Marie B-PER\nlives   O\n. O\n\n\n\nLyon B-LOC",
        "Marie\tB-PER\r\nlives\tO\r\n.\tO\r\n\r\nLyon\tB-LOC\r\n",
        "\ufeffMarie\tB-PER\nlives\tO\n.\tO\n \t \nLyon\tB-LOC\n",
        "-DOCSTART-\tO\n\n# a comment\nMarie\tB-PER\nlives\tO\n.\tO\n\n-DOCSTART- -X- O\n\n#\r\nLyon\tB-LOC\n\n",
        "Marie NNP I-NP B-PER\nlives VBZ I-VP O\n. . O O\n\nLyon NNP I-NP B-LOC\n",
    ],
)
def test_columns(tmp_path: Path, text: str) -> None:
    assert read(tmp_path / "a.conll", text) == TWO


def test_a_blank_within_a_word_is_part_of_it_where_tabs_part_columns(tmp_path: Path) -> None:
    assert read(tmp_path / "a.tsv", "New York\tB-LOC\n#\tO\n# 1\tO\n") == [
        (["New York", "#", "# 1"], ["B-LOC", "O", "O"])
    ]


def test_a_hash_in_the_middle_of_a_sentence_is_a_word(tmp_path: Path) -> None:
    assert read(tmp_path / "a.conll", "# said\nis O\n# O\n1 O\n") == [(["is", "#", "1"], ["O", "O", "O"])]


@pytest.mark.parametrize(
    ("first", "word"),
    [
        ("# O", True), ("# B-X", True), ("# said", False), ("# sent_id = 1", False), ("# a O", False), ("#", True),
        ("# O\r", True), ("#\r", False),
    ],
)  # fmt: skip
def test_a_hash_before_a_sentence_is_a_word_where_its_line_is_like_those_of_words(
    tmp_path: Path, first: str, word: bool
) -> None:
    text = f"{first}\na B-X\nb O\n\n{first}\nc O\n"
    if first == "#":
        with pytest.raises(InputError, match="line 2: 2 columns, expected 1"):
            read(tmp_path / "a.conll", text)
        return
    found = read(tmp_path / "a.conll", text)
    assert [words for words, _ in found] == ([["#", "a", "b"], ["#", "c"]] if word else [["a", "b"], ["c"]])


@pytest.mark.parametrize(
    ("words", "tags", "found"),
    [
        (None, None, (["1"], ["c"])), ("2", "1", (["a"], ["1"])), ("2", "3", (["a"], ["b"])),
        ("4", "4", (["c"], ["c"])), (None, "2", (["1"], ["a"])),
    ],
)  # fmt: skip
def test_columns_in_any_order(
    tmp_path: Path, words: str | None, tags: str | None, found: tuple[list[str], list[str]]
) -> None:
    assert read(tmp_path / "a.conll", "1 a b c\n", words=words, tags=tags) == [found]


def test_separators_of_a_single_tab_part_sentences(tmp_path: Path) -> None:
    """As in WNUT 2017."""
    assert [words for words, _ in read(tmp_path / "a.conll", "a\tO\nb\tO\n\t\nc\tO\n\t\n")] == [["a", "b"], ["c"]]


@pytest.mark.parametrize("name", ["a.conllu", "a.conllu.gz", "a.tsv"])
def test_universal_dependencies(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    text = UNIVERSAL if name != "a.tsv" else UNIVERSAL.replace("mar\tnow", "mar").replace("#sent_id", "# sent_id")
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    table, steps = read_tagged(path)
    assert table["inputs"].to_list() == [["Vamos", "nos", "New York"], ["#"]]
    assert table["target"].to_list() == [["VERB", "PRON", "PROPN"], ["SYM"]]
    assert table["id"].is_unique().all()
    assert len(steps) == 2
    assert [step.split()[0] for step in steps] == ["1", "1"]
    for tags, column in (("xpos", 5), ("5", 5), ("UPOS", 4)):
        assert read_tagged(path, tags=tags)[0]["target"].to_list()[1] == ["SY" if column == 5 else "SYM"]
    assert read_tagged(path, words="lemma")[0]["inputs"].to_list()[0] == ["ir", "nosotros", "New York"]


def test_an_empty_node_may_stand_first(tmp_path: Path) -> None:
    row = "\t".join(["{}", "a", "_", "X", *"______"]) + "\n"
    assert read(tmp_path / "a.tsv", row.format("0.1") + row.format("1")) == [(["a"], ["X"])]


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        {"id": 7, "tokens": ["Marie", "lives", "."], "ner_tags": ["B-PER", "O", "O"], "spare": 1},
        {"tokens": [], "ner_tags": []},
        {"tokens": ["Lyon"], "ner_tags": ["B-LOC"]},
    ]
    text = "\n".join(map(json.dumps, rows)) + "\n\n"
    assert read(tmp_path / "a.jsonl", text) == TWO
    assert read(tmp_path / "b.ndjson", text.replace("tokens", "x").replace("ner_tags", "y"), words="x", tags="y") == TWO
    numbers = read(tmp_path / "c.jsonl", '{"words": ["a", 3], "tags": [0, 1]}')
    assert numbers == [(["a", "3"], ["0", "1"])]
    assert read(tmp_path / "d.jsonl", '{"words": ["a"]}', tagged=False) == [(["a"], None)]


def test_columns_of_lists(tmp_path: Path) -> None:
    table = pl.DataFrame({"tokens": [one for one, _ in TWO], "tags": [one for _, one in TWO], "n": [1, 2]})
    table.write_parquet(tmp_path / "a.parquet")
    found, steps = read_tagged(tmp_path / "a.parquet")
    assert list(zip(found["inputs"].to_list(), found["target"].to_list(), strict=True)) == TWO
    assert steps == []
    pl.concat([table, table.with_columns(tags=pl.col("tags").list.head(1))]).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet, row 3: 3 words and 1 tags"):
        read_tagged(tmp_path / "b.parquet")
    with pytest.raises(InputError, match='row 1, "n": expected a list of words, got 1'):
        read_tagged(tmp_path / "a.parquet", words="tokens", tags="n")


def test_sentences_without_words_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"tokens": [], "tags": []}\n{"tokens": ["a"], "tags": ["O"]}\n', encoding="utf-8")
    table, steps = read_tagged(path)
    assert (len(table), steps) == (1, ["1 sentences without words were left out."])


def test_lists_of_any_kind() -> None:
    for values in ([["a"], ["b", "c"]], [("a",), ("b", "c")], [np.array(["a"]), np.array(["b", "c"])]):
        column = lists(pl.Series("x", values, dtype=pl.Object))
        assert column is not None
        assert column.to_list() == [["a"], ["b", "c"]]
    numbers = lists(pl.Series("x", [[1, 2], None]))
    assert numbers is not None
    assert numbers.to_list() == [["1", "2"], None]
    for other in ([{"a": 1}], [[1.5]], [["a", None]], [[["a"]]]):
        assert lists(pl.Series("x", other, dtype=pl.Object)) is None
    assert lists(pl.Series("x", ["a"])) is None


def test_words_without_tags(tmp_path: Path) -> None:
    assert read(tmp_path / "a.conll", "Marie\nlives\n\nhere\n", tagged=False) == [
        (["Marie", "lives"], None), (["here"], None)]  # fmt: skip
    assert read(tmp_path / "b.conll", "Marie\tB-PER\n", tagged=False) == [(["Marie"], None)]


def test_no_sentence(tmp_path: Path) -> None:
    assert column_rows("", "it") == column_rows("\n\t\n# only this\n", "it") == ([], [])


@pytest.mark.parametrize(
    ("name", "text", "changed", "told"),
    [
        ("a.conll", "a O\nb\nc O\n", {}, 'line 2: 1 columns, expected 2: "b"'),
        ("a.conll", "a\tO\n\n\nb\tX\tO\n", {}, "line 4: 3 columns, expected 2"),
        ("a.conll", "a\tO\nb O\n", {}, "line 2: 1 columns, expected 2"),
        ("a.conll", "a\tO\nb\t\n", {}, "line 2: column 2 is empty"),
        ("a.conll", "a\tO\n\tO\n", {}, "line 2: column 1 is empty"),
        ("a.conll", "Marie\nlives\n", {}, "one column, expected words and tags side by side"),
        ("a.conll", "a O\n", {"tags": "3"}, "no column 3: expected a number from 1 to 2"),
        ("a.conll", "a O\n", {"words": "0"}, "no column 0: expected a number from 1 to 2"),
        ("a.conll", "a O\n", {"words": "form"}, "no column form"),
        ("a.conllu", UNIVERSAL, {"tags": "pos"}, "no column pos: expected a number from 1 to 10, or id, form"),
        ("a.conllu", "Marie\tB-PER\n", {}, "line 1: 2 columns, expected 10"),
        ("a.conll", "\n\n", {}, "no sentences"),
        ("a.conll", "", {}, "the file is empty"),
        ("a.conll", "caf\xe9\tO\n", {}, "give data.encoding=cp1252"),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n{oops\n', {}, "line 2: not JSON"),
        ("a.jsonl", "[1]\n", {}, "line 1: expected an object with words and tags, got list"),
        ("a.jsonl", '{"tokens": ["a", "b"], "tags": ["O"]}\n', {}, "line 1: 2 words and 1 tags"),
        ("a.jsonl", '{"tokens": ["a"], "x": ["O"]}\n', {}, "no list of tags. Fields: tokens, x. Give data.label=FIELD"),
        ("a.jsonl", '{"x": ["a"], "tags": ["O"]}\n', {}, "no list of words. Fields: x, tags. Give data.text=FIELD"),
        ("a.jsonl", '{"tokens": ["a"], "tags": ["O"]}\n', {"tags": "tag"}, "Did you mean label=tags?"),
        ("a.jsonl", '{"tokens": "a b", "tags": ["O"]}\n', {"words": "tokens"}, "expected a list of words, got a b"),
        ("a.jsonl", '{"tokens": ["a", " "], "tags": ["O", "O"]}\n', {}, '"tokens": number 2 is empty'),
        ("a.jsonl", '{"tokens": [["a"]], "tags": ["O"]}\n', {}, "expected a list of words"),
        ("a.jsonl", '{"tokens": [], "tags": []}\n', {}, "no sentences"),
        ("a.csv", "word,tag\na,O\n", {}, "expected columns parted by tabs or blanks"),
        ("a.parquet", "PAR1", {}, "a damaged Parquet file"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, name: str, text: str, changed: dict[str, str], told: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("latin-1" if "\xe9" in text else "utf-8"))
    with pytest.raises(InputError) as error:
        read_tagged(path, **changed)  # type: ignore[arg-type]
    assert told in str(error.value)
    assert str(path) in str(error.value)


# ---- The parts of a data set ----------------------------------------------------------------------------------------


def corpus(path: Path, sentences: list[str]) -> str:
    """Sentences "a/O b/B-X" as columns."""
    blocks = ["".join("\t".join(word.rsplit("/", 1)) + "\n" for word in one.split()) for one in sentences]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return str(path)


def test_parts_are_split_off_sentence_by_sentence(tmp_path: Path) -> None:
    path = corpus(tmp_path / "a.conll", [f"w{at}/B-X is/O" for at in range(40)])
    data = load_tagged(TaggingData(path=path, limit=20), 0)
    assert {name: len(part) for name, part in data.parts.items()} == {"train": 18, "valid": 2, "test": 4}
    first = {tuple(words) for part in data.parts.values() for words in part.inputs}
    assert len(first) == 24
    again = load_tagged(TaggingData(path=path, limit=20), 0)
    assert [part.inputs for part in again.parts.values()] == [part.inputs for part in data.parts.values()]
    other = load_tagged(TaggingData(path=path, limit=20), 1)
    assert other.train.inputs != data.train.inputs
    assert isinstance(data.source, Source)
    assert list(data.source.checksums) == ["train"]


def test_too_few_sentences_to_split(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 sentences are too few"):
        load_tagged(TaggingData(path=corpus(tmp_path / "a.conll", ["a/O"])), 0)


def test_tags_that_cannot_stand_are_refused_or_mended(tmp_path: Path) -> None:
    path = corpus(tmp_path / "a.conll", [*["a/B-X b/I-X c/O"] * 10, "Marie/O lives/I-X here/I-X"])
    with pytest.raises(InputError) as error:
        load_tagged(TaggingData(path=path), 0)
    assert 'train part, sentence 41: "lives" is tagged I-X after O, which cannot be in BIO' in str(error.value)
    assert "data.repair=true" in str(error.value)
    with pytest.raises(InputError, match=r'"a" is tagged B-X after the beginning of the sentence|cannot be in BIOES'):
        load_tagged(TaggingData(path=path, scheme="bioes"), 0)
    data = load_tagged(TaggingData(path=path, repair=True), 0)
    tags = {tuple(words): tags for part in data.parts.values() for words, tags in zip(part.inputs, part.targets,
                                                                                     strict=True)}  # fmt: skip
    assert tags["Marie", "lives", "here"] == ["O", "B-X", "I-X"]
    assert any("2 tags that could not stand" in step for step in data.source.steps)


def test_a_tag_that_marks_nothing_cannot_be_among_marked_ones(tmp_path: Path) -> None:
    path = corpus(tmp_path / "a.conll", [*["a/B-X b/O"] * 10, "a/B-X b/person"])
    assert spans.scheme_of(load_tagged(TaggingData(path=path), 0).train.targets) == "plain"
    with pytest.raises(InputError, match=r'"b" is tagged person after B-X'):
        load_tagged(TaggingData(path=path, scheme="bio"), 0)


@pytest.mark.parametrize(
    ("sentence", "wanted"), [("a/B-X b/L-X c/U-Y", "B-X E-X S-Y"), ("a/B-X b/I-X c/I-Y", "I-X I-X I-Y")]
)
def test_tags_are_written_one_way(tmp_path: Path, sentence: str, wanted: str) -> None:
    """BILOU as BIOES, and a B of IOB1 that parts nothing as I, so that equal taggings are equal texts."""
    scheme = "bioes" if "L" in sentence else "iob1"
    path = corpus(tmp_path / "a.conll", [sentence] * 10)
    data = load_tagged(TaggingData(path=path, scheme=scheme), 0)  # type: ignore[arg-type]
    assert data.train.targets[0] == wanted.split()


def test_settings_that_would_have_no_effect() -> None:
    assert {"text", "label"} <= TaggingData(name="wnut17").idle().keys()
    assert "label" not in TaggingData(name="ud-english-ewt").idle()
    assert not {"text", "label"} & TaggingData(path="a.conll").idle().keys()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "no data"), ({"name": "wnut"}, "wnut17"), ({"name": "imdb"}, "for classification, not for tagging"),
        ({"path": "nowhere.conll"}, "no such file"),
    ],
)  # fmt: skip
def test_what_is_no_tagged_data(changed: dict[str, str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        load_tagged(TaggingData(**changed), 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Marie lives in Lyon.", "Marie lives in Lyon ."), ("  ", ""), ("a_b", "a_b"), ("_", "_"),
        ("3.5 %!", "3 . 5 % !"), ("don't", "don't"),
    ],
)  # fmt: skip
def test_the_words_of_a_typed_sentence(text: str, words: str) -> None:
    assert words_of(text) == words.split()


# ---- The real files -------------------------------------------------------------------------------------------------

REAL = {
    "ud-english-ewt": ({"train": 12_544, "valid": 2001, "test": 2077}, 204_577, "plain", 17),
    "wnut17": ({"train": 3394, "valid": 1009, "test": 1287}, 62_730, "bio", 13),
    "bc5cdr-ner": ({"train": 4560, "valid": 4581, "test": 4797}, 118_170, "bio", 5),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_counts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not SHARED or not (Path(SHARED) / named.NAMED[name].files.folder).is_dir():
        pytest.skip(f"needs the files of {name}: set LSTMLAB_DATA to the folder of data sets")
    monkeypatch.setenv("LSTMLAB_DATA", SHARED)
    data = load_tagged(TaggingData(name=name), 0)
    sentences, words, scheme, tags = REAL[name]
    assert {part: len(corpus) for part, corpus in data.parts.items()} == sentences
    assert sum(map(len, data.train.inputs)) == words
    assert spans.scheme_of(data.train.targets) == scheme
    assert len({tag for tagged in data.train.targets for tag in tagged}) == tags
    for part in data.parts.values():
        assert all(len(one) == len(other) > 0 for one, other in zip(part.inputs, part.targets, strict=True))
        assert all(word.strip() for sentence in part.inputs for word in sentence)
