"""Does a dialogue model use what was said? Its perplexity beside that of an unconditional LSTM of equal size.

    python -m benchmarks.unconditional [RECIPE] [key=value ...]

Both learn from the same replies with the same recipe; the unconditional one reads the same single word before every
reply, so that its source says nothing. Prints perplexity on the test part, distinct-2 of nucleus samples (the
recipe's search) beside the references' own, and the seconds of a reply in a conversation (median of 20).
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import lstmlab
from lstmlab import request
from lstmlab.data.load import Watch
from lstmlab.recipe import parse_overrides
from lstmlab.tasks import TASKS


def blind(recipe: str, changes: dict[str, object], folder: Path) -> dict[str, object]:
    """The recipe's own replies, each after the same word, as files; the settings that name them."""
    whole = request.assemble(recipe, changes)
    data = TASKS[whole.task].load(whole, Watch())
    paths = {}
    for part, corpus in data.parts.items():
        paths[part] = folder / f"{part}.jsonl"
        lines = (json.dumps({"turns": ["…", reply]}) for reply in corpus.targets)
        paths[part].write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {
        "data.path": str(paths["train"]),
        "data.valid": str(paths["valid"]),
        "data.test": str(paths["test"]),
        "data.turns": 1,
        "data.drop_repeated": False,
    }


def main() -> None:
    recipe, *typed = sys.argv[1:] or ["dailydialog"]
    changes = parse_overrides(typed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ours = lstmlab.train(recipe, output=folder / "ours", watch=print, **changes)
        chat = ours.chat()
        times = []
        for turn in range(20):
            start = time.perf_counter()
            chat.say(f"What do you think about number {turn}?")
            times.append(time.perf_counter() - start)
        own = blind(recipe, changes, folder)
        other = lstmlab.train(recipe, output=folder / "blind", watch=print, **{**changes, **own})
        references = ours.baselines["the references"]
        print(f"perplexity {ours.scores['perplexity']:.2f}, unconditional {other.scores['perplexity']:.2f}, ", end="")
        print(f"token frequencies {ours.baselines['token frequencies']['perplexity']:.1f}")
        print(f"distinct-2 {ours.scores['distinct_2']:.3f}, references {references['distinct_2']:.3f}")
        print(f"a reply takes {statistics.median(times):.3f} s")


if __name__ == "__main__":
    main()
