"""The named sets of running text: plays, and articles of an encyclopedia."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from lstmlab.data.contents import decode, read_text
from lstmlab.data.datasets.entry import Frames, NamedSet, from_zip
from lstmlab.data.download import Remote
from lstmlab.data.fetch import Files

WIKITEXT_PARTS = {"train": "wiki.train.tokens", "valid": "wiki.valid.tokens", "test": "wiki.test.tokens"}


def read_plays(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """One text, which is parted by length."""
    (path,) = paths.values()
    return {"train": _table(path.name, read_text(path))}, ()


def read_wikitext(paths: Mapping[str, Path]) -> tuple[Frames, tuple[str, ...]]:
    """A text for each part, by itself or in the archive they come in."""
    archive = paths.get("wikitext-2-v1.zip")
    if archive is None:
        return {part: _table(paths[name].name, read_text(paths[name])) for part, name in WIKITEXT_PARTS.items()}, ()
    found = from_zip(archive, [f"wikitext-2/{name}" for name in WIKITEXT_PARTS.values()])
    texts = dict(zip(WIKITEXT_PARTS, found.values(), strict=True))
    return {part: _table(WIKITEXT_PARTS[part], decode(raw, str(archive))) for part, raw in texts.items()}, ()


def _table(name: str, text: str) -> pl.DataFrame:
    schema = {"id": pl.String, "inputs": pl.String, "target": pl.String}
    return pl.DataFrame([(name, text, None)], schema=schema, orient="row")


# ---- The shelf ------------------------------------------------------------------------------------------------------

_SHAKESPEARE = Remote(
    "input.txt",
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    size=1_115_394,
)
_WIKITEXT = Remote(
    "wikitext-2-v1.zip",
    "https://wikitext.smerity.com/wikitext-2-v1.zip",
    md5="542ccefacc6c27f945fb54453812b3cd",
)
_WIKITEXT_FILES = tuple(
    Remote(name, sha256=sha, size=size)
    for name, sha, size in (
        ("wiki.train.tokens", "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f", 10_797_148),
        ("wiki.valid.tokens", "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8", 1_121_681),
        ("wiki.test.tokens", "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0", 1_256_449),
    )
)

PROSE = {
    entry.name: entry
    for entry in (
        NamedSet(
            "tinyshakespeare",
            "A million characters of Shakespeare's plays.",
            "language-model",
            Files("tinyshakespeare", ((_SHAKESPEARE,),), licence="public domain"),
            read_plays,
            "https://github.com/karpathy/char-rnn",
            "Karpathy 2015, The Unreasonable Effectiveness of Recurrent Neural Networks",
            parts=("train",),
        ),
        NamedSet(
            "wikitext-2",
            "Two million words of good articles of Wikipedia; rare words are <unk>.",
            "language-model",
            Files("wikitext-2", ((_WIKITEXT,), _WIKITEXT_FILES), licence="CC BY-SA 3.0"),
            read_wikitext,
            "https://wikitext.smerity.com",
            "Merity et al. 2017, Pointer Sentinel Mixture Models (ICLR)",
            parts=("train", "valid", "test"),
        ),
    )
}
