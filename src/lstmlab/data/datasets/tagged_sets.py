"""The named sets of tagged sentences: parts of speech of English web text, names in posts and in medical articles."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl

from lstmlab.data.datasets.entry import Frames, NamedSet
from lstmlab.data.datasets.files import read_text
from lstmlab.data.datasets.tagged import SCHEMA, column_rows
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files

PARTS = ("train", "valid", "test")


def read_columns(paths: Mapping[str, Path], *, files: tuple[str, ...]) -> tuple[Frames, tuple[str, ...]]:
    """Two columns, word and tag, in a file for each part."""
    frames = {part: _table(paths[name]) for part, name in zip(PARTS, files, strict=True)}
    return frames, ()


def read_ewt(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """CoNLL-U with universal and with Penn Treebank parts of speech."""
    frames, steps = {}, []
    for part, name in zip(PARTS, ("train", "dev", "test"), strict=True):
        path = paths[f"en_ewt-ud-{name}.conllu"]
        text = read_text(path)
        rows, told = column_rows(text, path.name)
        other, _ = column_rows(text, path.name, tags="xpos")
        table = pl.DataFrame(rows, schema=SCHEMA, orient="row").rename({"target": "upos"})
        penn = pl.Series("xpos", [row[2] for row in other], dtype=pl.List(pl.String))
        frames[part] = table.with_columns(penn, target=pl.lit(None, pl.String))
        steps += [f"{part}: {line}" for line in told]
    return frames, tuple(steps)


def _table(path: Path) -> pl.DataFrame:
    rows, _ = column_rows(read_text(path), path.name)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


# ---- The shelf ------------------------------------------------------------------------------------------------------

EWT_PINS = {
    "en_ewt-ud-train.conllu": ("3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b", 14_203_025),
    "en_ewt-ud-dev.conllu": ("531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6", 1_805_545),
    "en_ewt-ud-test.conllu": ("e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd", 1_804_515),
}
WNUT_PINS = {
    "wnut17train.conll": ("731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5", 493_781),
    "emerging.dev.conll": ("e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8", 114_749),
    "emerging.test.annotated": ("2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0", 192_425),
}
BC5CDR_PINS = {
    "train.tsv": ("b731361c0ed73afd04cc5fdad39afcdfd8f325d6e46c282339185a91d1af4c14", 1_039_940),
    "devel.tsv": ("b909de65c4f7e3c23bb09ad52d654cdc92e96db941abe1a5dcf6f6010c03cff5", 1_031_781),
    "test.tsv": ("e41a2843a5fff0cd8d1a88cb147968d61ae29336ca70cddc3d7fb8ff21dfa1e8", 1_080_717),
}
_EWT = "https://raw.githubusercontent.com/UniversalDependencies/UD_English-EWT/r2.16"
_WNUT = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master"
_BC5CDR = "https://raw.githubusercontent.com/cambridgeltl/MTL-Bioinformatics-2016/master/data/BC5CDR-IOB"


def _files(folder: str, base: str, licence: str, pinned: dict[str, tuple[str, int]]) -> Files:
    remotes = tuple(Remote(name, f"{base}/{name}", sha256=sha, size=size) for name, (sha, size) in pinned.items())
    return Files(folder, (remotes,), licence=licence)


TAGGED = {
    entry.name: entry
    for entry in (
        NamedSet(
            "ud-english-ewt",
            "16,622 sentences of English web text with their parts of speech.",
            "tagging",
            _files("ud-english-ewt", _EWT, "CC BY-SA 4.0", EWT_PINS),
            read_ewt,
            "https://universaldependencies.org/treebanks/en_ewt/",
            "Silveira et al. 2014, A Gold Standard Dependency Corpus for English (LREC)",
            parts=PARTS,
            tags=("upos", "xpos"),
        ),
        NamedSet(
            "wnut17",
            "5,690 posts with rare and emerging names of six kinds.",
            "tagging",
            _files("wnut17", _WNUT, "CC BY 4.0 (the posts are by users of social media)", WNUT_PINS),
            partial(read_columns, files=tuple(WNUT_PINS)),
            "https://noisy-text.github.io/2017/emerging-rare-entities.html",
            "Derczynski et al. 2017, Results of the WNUT2017 Shared Task on Novel and Emerging Entity Recognition",
            parts=PARTS,
        ),
        NamedSet(
            "bc5cdr-ner",
            "13,938 sentences of medical abstracts with names of chemicals and diseases.",
            "tagging",
            _files("bc5cdr-ner", _BC5CDR, "CC BY 4.0 for research", BC5CDR_PINS),
            partial(read_columns, files=tuple(BC5CDR_PINS)),
            "https://github.com/cambridgeltl/MTL-Bioinformatics-2016",
            "Li et al. 2016, BioCreative V CDR task corpus (Database); Crichton et al. 2017 for this division",
            parts=PARTS,
        ),
    )
}
