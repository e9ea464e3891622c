"""The named sets of translations: Multi30k, and pairs of short sentences from Tatoeba.

Their parsed tables hold every language of a set, so that the direction is chosen when the pairs are asked for.
"""

import gzip
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import polars as pl

from lstmlab.data.datasets import phrases
from lstmlab.data.datasets.entry import Frames, NamedSet, frame, from_zip, lines
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files
from lstmlab.errors import InputError

MULTI30K_PARTS = {"train": "train", "valid": "val", "test": "test_2016_flickr"}
"""Part → how its files are called."""


def read_multi30k(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """One caption a line, line by line the same in train.en.gz, train.fr.gz and train.de.gz; raw, cased text."""
    frames = {}
    for part, name in MULTI30K_PARTS.items():
        sides = [_captions(paths[f"{name}.{language}.gz"]) for language in ("en", "fr", "de")]
        counts = [len(side) for side in sides]
        if len(set(counts)) > 1:
            raise InputError(f"{name}: {counts} lines in English, French and German: fetch the files again")
        ids = [f"{name}/{line}" for line in range(1, counts[0] + 1)]
        frames[part] = pl.DataFrame([ids, *sides], schema=["id", "inputs", "target", "de"])
    return frames, ("The test part is test_2016_flickr.", "The captions are as published: cased and not tokenised.")


def _captions(path: Path) -> list[str]:
    try:
        text = gzip.decompress(path.read_bytes()).decode("utf-8")
    except (gzip.BadGzipFile, EOFError, zlib.error, OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as the gzip file it should be ({error}); fetch it again") from error
    return text.removesuffix("\n").split("\n")


def read_tatoeba(paths: Mapping[str, Path], *, member: str) -> tuple[Frames, tuple[str, ...]]:
    """Lines "English TAB translation", of newer releases with a third column of attribution; from a zip or unpacked.

    A single part, `train`: the same English sentence has several translations, often on neighbouring lines.
    """
    (path,) = paths.values()
    content = path.read_bytes() if path.name == member else from_zip(path, [member])[member]
    rows, attributed = [], False
    for number, line in lines(content, "utf-8", member):
        fields = line.removesuffix("\r").split("\t")
        if len(fields) not in (2, 3) or not fields[0].strip() or not fields[1].strip():
            raise InputError(f'{member}, line {number}: expected "English TAB translation", found "{line[:60]}"')
        rows.append((str(number), fields[0], fields[1]))
        attributed |= len(fields) > 2
    if not rows:
        raise InputError(f"{member}: no pairs, nothing but blank lines; fetch it again")
    return {"train": frame(rows)}, ("The column of attribution was left out.",) if attributed else ()


# ---- The shelf ------------------------------------------------------------------------------------------------------

_MULTI30K = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"

MULTI30K = Files(
    "multi30k",
    (
        tuple(
            Remote(name, f"{_MULTI30K}/{name}", sha256=checksum, size=size)
            for name, checksum, size in (
                ("train.en.gz", "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f", 568_929),
                ("train.fr.gz", "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c", 604_242),
                ("train.de.gz", "726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6", 637_044),
                ("val.en.gz", "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28", 21_650),
                ("val.fr.gz", "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9", 23_001),
                ("val.de.gz", "f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a", 24_681),
                ("test_2016_flickr.en.gz", "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9", 21_077),
                ("test_2016_flickr.fr.gz", "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90", 22_310),
                ("test_2016_flickr.de.gz", "9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8", 22_890),
            )
        ),
    ),
    licence="unclear: none stated; captions of Flickr30k, in practice for non-commercial research",
)

_TATOEBA_LICENCE = "CC BY 2.0 FR (Tatoeba; attribution: manythings.org/anki and tatoeba.org)"

# The site adds sentences now and then, so its archives have no checksum to pin.
TATOEBA_FR = Files(
    "tatoeba-en-fr",
    ((Remote("fra-eng.zip", "https://www.manythings.org/anki/fra-eng.zip", browser=True),),),
    licence=_TATOEBA_LICENCE,
)
TATOEBA_HI = Files(
    "tatoeba-en-hi",
    (
        (Remote("hin-eng.zip", "https://www.manythings.org/anki/hin-eng.zip", browser=True),),
        (Remote("hin.txt", sha256="d67859600040fd07f9c61351d3e508e9e5bea928fc0a3bede75e1aaefda4f3c4", size=610_350),),
    ),
    licence=_TATOEBA_LICENCE,
)


def _tatoeba(summary: str, files: Files, language: str, member: str) -> NamedSet:
    return NamedSet(
        files.folder,
        summary,
        "translation",
        files,
        partial(read_tatoeba, member=member),
        "https://www.manythings.org/anki/",
        "Tatoeba Project, tab-delimited bilingual sentence pairs by manythings.org/anki",
        parts=("train",),
        languages=("en", language),
    )


TRANSLATIONS = {
    entry.name: entry
    for entry in (
        NamedSet(
            "phrases",
            "Some 2,500 short English phrases with their French, made from a small grammar of this project's own.",
            "translation",
            Files("phrases", ((),), licence="none needed: written for this project and part of it"),
            phrases.read,
            "",
            "lstmlab",
            parts=("train", "valid", "test"),
            languages=("en", "fr"),
        ),
        NamedSet(
            "multi30k",
            "31,014 captions of photographs in English, French and German, 1,000 of them for testing.",
            "translation",
            MULTI30K,
            read_multi30k,
            "https://github.com/multi30k/dataset",
            "Elliott et al. 2016, Multi30K: Multilingual English-German Image Descriptions (VL); "
            "French: Elliott et al. 2017, Findings of the Second Shared Task on Multimodal Machine Translation (WMT)",
            parts=("train", "valid", "test"),
            languages=("en", "fr", "de"),
        ),
        _tatoeba(
            "Some 140,000 or more short English sentences with French translations, several to a sentence.",
            TATOEBA_FR,
            "fr",
            "fra.txt",
        ),
        _tatoeba("Some 3,000 or more short English sentences with Hindi translations.", TATOEBA_HI, "hi", "hin.txt"),
    )
}
