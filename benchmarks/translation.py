"""Training, decoding and quality of `multi30k-en-fr` beside JoeyNMT, same architecture, tokens, batches and epochs.

    python -m benchmarks.translation JOEY_PYTHON JOEY_SCRIPT FOLDER [EPOCHS]

JOEY_PYTHON is a Python with JoeyNMT 2.3, JOEY_SCRIPT writes the lower-cased data and trains (usage: SCRIPT FOLDER
EPOCHS; its settings stand beside it as .yaml), FOLDER holds multi30k (LSTMLAB_DATA is its parent). One after the other,
in a temporary folder. Speed of training is the median of JoeyNMT's own "Tokens per Sec" lines, end marks counted,
against our tokens over our training seconds; speed of decoding is sentences over "Generation took" against ours, beam
5, test_2016_flickr. BLEU is sacreBLEU's (13a) on lower-cased text tokenised by the script's rule, for both sides alike.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STEPS = 454
"""Batches of 64 in 29,000 sentences."""
LOGGED = 50
MARKS, ELISION = re.compile(r"([.,!?;:()\"])"), re.compile(r"(['’])")


def tokenised(text: str) -> str:
    """As the script writes it: lower case, marks apart, an apostrophe ends a word."""
    return " ".join(ELISION.sub(r"\1 ", MARKS.sub(r" \1 ", text.lower())).split())


def joey(python: str, script: str, folder: str, epochs: int, place: Path) -> dict[str, float]:
    """JoeyNMT's own figures, read from what it logs."""
    for file in (Path(script), Path(script).with_suffix(".yaml")):
        # It tests what it has validated: once, near the end, at a multiple of the steps between two lines of its log.
        last = epochs * STEPS // LOGGED * LOGGED
        text = re.sub(r"validation_freq: \d+", f"validation_freq: {last}", file.read_text(encoding="utf-8"))
        (place / file.name).write_text(text, encoding="utf-8")
    command = [python, Path(script).name, os.path.abspath(folder), str(epochs)]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    log = done.stdout + done.stderr
    if done.returncode:
        Path("joeynmt.log").write_text(log, encoding="utf-8")
        sys.exit(f"JoeyNMT ended with status {done.returncode}; what it said is in joeynmt.log:\n{log[-600:]}")
    speeds = [float(one) for one in re.findall(r"Tokens per Sec: +([\d.]+)", log)]
    seconds = float(re.findall(r"Generation took ([\d.]+)", log)[-1])
    hypotheses = next(path for path in (place / "joey_model").iterdir() if path.suffix == ".test")
    return {
        "tokens": statistics.median(speeds),
        "sentences": 1000 / seconds,
        "bleu": bleu(hypotheses.read_text(encoding="utf-8").splitlines(), place / "multi30k-lower"),
    }


def ours(epochs: int, place: Path) -> dict[str, float]:
    """Ours: training seconds as the run tells them, decoding timed on the trained model."""
    run = place / "run"
    command = [sys.executable, "-m", "lstmlab", "train", "multi30k-en-fr", f"epochs={epochs}", "--output", str(run)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    import lstmlab

    result = lstmlab.open_run(run)
    predictor = result.predictor
    task, model = predictor.task, predictor.model
    data = task.load(task.recipe, _quiet())
    train = task.encode(data.train, "train")
    tokens = int((train.target.lengths - 1).sum())
    test = task.encode([_bare(one) for one in data.test], "test")
    times = []
    for _ in range(5):
        start = time.perf_counter()
        answers = task.predict(model, test, None)
        times.append(time.perf_counter() - start)
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    said = [tokenised(one["prediction"]) for one in answers]
    return {
        "tokens": tokens * epochs / metrics["train_seconds"],
        "sentences": len(test) / statistics.median(times),
        "bleu": score(said, [tokenised(one.target) for one in data.test]),
    }


def bleu(said: list[str], folder: Path) -> float:
    """BLEU of the test part against the script's own files."""
    wanted = (folder / "test_2016_flickr.fr").read_text(encoding="utf-8").splitlines()
    return score(said, wanted)


def score(said: list[str], wanted: list[str]) -> float:
    """sacreBLEU's BLEU, 13a."""
    from lstmlab import metrics

    return metrics.corpus_scores(said, wanted, ter=False, samples=1).bleu


def _bare(example: object) -> object:
    from dataclasses import replace

    return replace(example, target=None)  # type: ignore[type-var]


def _quiet() -> object:
    from lstmlab.data.load import Watch

    return Watch()


def main() -> None:
    python, script, folder, *rest = sys.argv[1:]
    epochs = int(rest[0]) if rest else 12
    os.environ.setdefault("LSTMLAB_DATA", str(Path(folder).absolute().parent))
    print(f"load average before: {os.getloadavg()[0]:.2f}; {epochs} epochs each")
    with tempfile.TemporaryDirectory() as place:
        mine = ours(epochs, Path(place))
        print(f"lstmlab  {mine}", flush=True)
        other = joey(python, script, folder, epochs, Path(place))
    print(f"JoeyNMT  {other}; load average after: {os.getloadavg()[0]:.2f}")
    print(
        f"training {mine['tokens'] / other['tokens']:.2f} times, decoding "
        f"{mine['sentences'] / other['sentences']:.2f} times, BLEU {mine['bleu']:.1f} against {other['bleu']:.1f}"
    )


if __name__ == "__main__":
    main()
