"""What is wrong with written sentences, by rules that need no reader, counted over a whole test part.

Each rule asks of an output what its own reference does not show: a reference that repeats a word three times, or that
equals its source, makes the same no fault in an output.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from lstmlab.analysis.architecture import setting
from lstmlab.analysis.outputs import Outputs, plain
from lstmlab.baselines import PIECE
from lstmlab.data.text import REPLACEMENT, SPECIALS, UNKNOWN
from lstmlab.report import excerpt
from lstmlab.training.run import Run

TIMES = 3
"""So often in a row makes a run of words a loop, and so many sources make one answer to all of them."""
SHORT = 0.5
"""An output below this share of its reference's length was cut off."""
COPIED = 0.75
"""From this share of source words on, an output is a copy."""
FAR = 30.0
"""chrF below which an output says something else than its reference."""

LOOP, EARLY, UNKNOWN_MARK = "repeats itself in a loop", "cut off too early", "unknown-word marks"
FAR_OFF, ONE_WORD, SEVERAL = "says something else", "one word differs", "several words differ"
MILD = (FAR_OFF, ONE_WORD, SEVERAL)
"""What may as well be another good wording."""


@dataclass(frozen=True)
class Fault:
    """One kind of bad output, where it was found, and why it happens."""

    name: str
    rows: list[int]
    reason: str
    mild: bool = False
    """Whether it may be no fault at all but another good wording."""

    def words(self, outputs: Outputs) -> str:
        """Count, share, an example, the likely reason."""
        share = 100 * len(self.rows) / len(outputs.rows)
        return (
            f"{self.name[:1].upper()}{self.name[1:]}: {len(self.rows):,} ({share:.1f} %). {self._example(outputs)} "
            f"Likely because: {self.reason}."
        )

    def _example(self, outputs: Outputs) -> str:
        # The first whose texts can be read whole; where all are long, the first.
        at = next((at for at in self.rows if len(outputs.sources[at]) + len(outputs.said[at]) <= 110), self.rows[0])
        return f"{told(outputs.sources[at])} → {told(outputs.said[at])} (reference {told(outputs.wanted[at])})."


def told(text: str, limit: int = 70) -> str:
    """A text in quotes; turns are parted by slashes."""
    shown = excerpt(" / ".join(text.split("\n")), limit)
    return f"“{shown}”" if shown else "nothing"


@dataclass(frozen=True)
class Text:
    """One source with its output and its reference, as words and marks in small letters."""

    row: Mapping[str, Any]
    source: list[str]
    said: list[str]
    wanted: list[str]


Rule = Callable[[Text], bool]


def find(run: Run, outputs: Outputs) -> list[Fault]:
    """Every kind of fault looked for, those that do not occur too; most frequent first. A sentence may have several.

    Looked for once: the outputs hold what was found.
    """
    held = vars(outputs)
    if "_faults" not in held:
        held["_faults"] = _looked_for(run, outputs)
    return held["_faults"]


def _looked_for(run: Run, outputs: Outputs) -> list[Fault]:
    texts = [_text(outputs, row) for row in outputs.rows]
    translates = run.recipe["task"] == "translation"
    rules: dict[str, Rule] = {
        "empty output": _empty,
        LOOP: _loops,
        "stopped at the greatest length": _stopped,
        UNKNOWN_MARK: _unknown,
    }
    if translates:
        known = _target_words(run, texts)
        rules |= {
            EARLY: _short,
            "copies its source": _copies,
            "words left untranslated": lambda text: bool(untranslated(text, known)),
        }
    else:
        rules |= {"says again what was said before": _parrots}
    found = {name: [at for at, text in enumerate(texts) if rule(text)] for name, rule in rules.items()}
    found["one output for many sources"] = _same(outputs)
    if translates:
        found |= _wordings(outputs, texts, {at for rows in found.values() for at in rows})
    kinds = [Fault(name, rows, _reason(run, name), name in MILD) for name, rows in found.items()]
    return sorted(kinds, key=lambda kind: -len(kind.rows))


def _text(outputs: Outputs, row: Mapping[str, Any]) -> Text:
    return Text(row, *(outputs.words(str(row[name])) for name in ("input", "prediction", "target")))


def _is_word(piece: str) -> bool:
    return any(letter.isalnum() for letter in piece)


# ---- Rules


def _empty(text: Text) -> bool:
    return not text.said and bool(text.wanted) and bool(text.source)


def loop(words: Sequence[str], longest: int = 8) -> list[str]:
    """The first run of up to `longest` words that stands `TIMES` times in a row; marks alone ("...") do not count."""
    for size in range(1, longest + 1):
        for start in range(len(words) - TIMES * size + 1):
            gram = list(words[start : start + size])
            if gram * TIMES == list(words[start : start + TIMES * size]) and any(map(_is_word, gram)):
                return gram
    return []


def _loops(text: Text) -> bool:
    return bool(loop(text.said)) and not loop(text.wanted)


def _stopped(text: Text) -> bool:
    return text.row.get("finished") is False


def _unknown(text: Text) -> bool:
    said, wanted = str(text.row["prediction"]), str(text.row["target"])
    return any(mark in said and mark not in wanted for mark in (SPECIALS[UNKNOWN], REPLACEMENT))


def _short(text: Text) -> bool:
    return bool(text.said) and len(text.said) < SHORT * len(text.wanted) and not _stopped(text)


def _copies(text: Text) -> bool:
    if text.said == text.source:
        return text.wanted != text.source
    share, usual = _shared(text.said, text.source), _shared(text.wanted, text.source)
    return len(list(filter(_is_word, text.said))) >= TIMES and share >= COPIED and usual < COPIED - 0.25


def _shared(words: Sequence[str], source: Sequence[str]) -> float:
    """The share of words, marks left out, that stand in the source too."""
    known, real = set(source), [word for word in words if _is_word(word)]
    return sum(word in known for word in real) / len(real) if real else 0.0


def _parrots(text: Text) -> bool:
    turns = {plain(turn) for turn in str(text.row["input"]).split("\n")}
    return plain(str(text.row["prediction"])) in turns - {"", plain(str(text.row["target"]))}


def untranslated(text: Text, known: set[str]) -> list[str]:
    """Words of the source that stand in the output, not in the reference, and are no words of the target's language.

    Numbers, and words with a capital in the source, which may be names, do not count.
    """
    written = re.findall(PIECE, str(text.row["input"]))
    small = {word for word in written if word == word.lower() and _is_word(word) and not re.search(r"\d", word)}
    return [word for word in text.said if word in small - set(text.wanted) - known]


def _target_words(run: Run, texts: Sequence[Text]) -> set[str]:
    """Words of the target's language: all of the references', and of the vocabulary where it is of words."""
    known = {word for text in texts for word in text.wanted}
    own = (run.saved_task.get("languages") or {}).get("target") or {}
    if setting(run, "text.level") == "word":
        known |= {str(word).lower() for word in own.get("vocabulary", ())}
    return known


def _same(outputs: Outputs) -> list[int]:
    """Outputs given to several different sources whose references differ, where they are not right."""
    given: dict[str, list[int]] = defaultdict(list)
    for at, said in enumerate(outputs.said):
        if said.strip():
            given[plain(said)].append(at)
    found = []
    for said, rows in given.items():
        sources = {plain(outputs.sources[at]) for at in rows}
        wanted = {plain(outputs.wanted[at]) for at in rows}
        if len(sources) >= TIMES and len(wanted) > 1:
            found += [at for at in rows if plain(outputs.wanted[at]) != said]
    return sorted(found)


def _wordings(outputs: Outputs, texts: Sequence[Text], seen: set[int]) -> dict[str, list[int]]:
    """What differs from its reference without any other fault, by how far."""
    found: dict[str, list[int]] = {FAR_OFF: [], ONE_WORD: [], SEVERAL: []}
    for at, text in enumerate(texts):
        if at in seen or text.said == text.wanted:
            continue
        one = edits(text.said, text.wanted) == 1
        found[ONE_WORD if one else FAR_OFF if outputs.each[at] < FAR else SEVERAL].append(at)
    return found


def edits(said: Sequence[str], wanted: Sequence[str]) -> int:
    """Words to put in, take out or change until both are the same (Levenshtein)."""
    row = list(range(len(wanted) + 1))
    for count, word in enumerate(said, 1):
        before, row[0] = row[0], count
        for at, other in enumerate(wanted, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (word != other))
    return row[-1]


def confusions(outputs: Outputs) -> list[tuple[str, str, int]]:
    """(word of the reference, word in its place, times), most frequent first; of words that stand alone between words
    both have."""
    times: Counter[tuple[str, str]] = Counter()
    for said, wanted in zip(outputs.said, outputs.wanted, strict=True):
        left, right = outputs.words(wanted), outputs.words(said)
        for kind, start, stop, first, last in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            if kind == "replace" and stop - start == last - first == 1 and _is_word(left[start] + right[first]):
                times[left[start], right[first]] += 1
    return [(true, other, count) for (true, other), count in times.most_common()]


# ---- Reasons


def _reason(run: Run, name: str) -> str:
    """Why a fault happens, as far as the run's settings tell."""
    search = run.recipe.get("decoding", {})
    beam, attention = search.get("method") == "beam", setting(run, "model.context") == "attention"
    copying = attention and setting(run, "text.level") == "word" and setting(run, "text.copy_unknown")
    looked = "attention keeps no account of what it has translated already (no coverage)"
    blind = "a decoder without attention loses its place in the sentence"
    bound = ", or three times the source and twenty," if run.recipe["task"] == "translation" else ""
    penalty = f"beam search prefers short outputs, more so with a small length penalty (here {_number(search)})"
    return {
        "empty output": "the end mark was likelier than any first word, as in a model that has learned little",
        LOOP: f"{looked if attention else blind}, and the same state gives the same word again"
        + ("" if beam else "; greedy search cannot turn back"),
        "stopped at the greatest length": "the end mark never became likely, mostly because the output runs in a loop; "
        f"at {search.get('max_length', 100)} tokens{bound} it is cut",
        UNKNOWN_MARK: f"the word is not among the {setting(run, 'text.vocabulary_size') or 0:,} tokens the "
        "vocabulary has room for; subwords (text.level=subword) leave none unknown"
        + ("" if copying or not attention else ", and text.copy_unknown=true writes the source's word instead"),
        EARLY: penalty if beam else "the end mark came too early, as in a model trained too little",
        "copies its source": "pairs whose two sides are alike in the training data, or words the model has hardly seen",
        "words left untranslated": "an unknown word is written as the source word that attention looks at "
        "(text.copy_unknown)"
        if copying
        else "a rare word, spelled out piece by piece from the source because its translation was hardly seen",
        "one output for many sources": "it knows what is frequent better than what the source says, as after "
        "too little data or training" + ("" if attention else ", or with a context too narrow"),
        ONE_WORD: "words of like use have like vectors, and too few examples part them; or it is a synonym",
        SEVERAL: "wrong words or wrong forms of words; or another good translation",
        FAR_OFF: "fluent, perhaps, but not true to the source; only a reader can tell",
        "says again what was said before": "in conversations people take up each other's words, and the model has "
        "learned little beyond that",
    }[name]


def _number(search: Mapping[str, Any]) -> str:
    return f"{search.get('length_penalty', 0):g}"
