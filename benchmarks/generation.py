"""How fast a language model writes: characters a second of `lstmlab predict RUN --prime …`, one text at a time.

    python -m benchmarks.generation [hidden_size=512] [characters=5000]

Fresh weights: what is written is noise, and costs what sense costs. Four ways to draw, the median of five texts each.
"""

import statistics
import sys
import time

import numpy as np
import torch

from lstmlab.data.text import TextEncoder, TextSettings
from lstmlab.decoding import StreamSettings
from lstmlab.nn.encoder import EncoderSettings
from lstmlab.nn.language_model import LanguageModel, LanguageModelSettings
from lstmlab.tasks import speaking

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ !$&',-.3:;?\n"
WAYS = {
    "all tokens": StreamSettings(),
    "top-k 40": StreamSettings(top_k=40),
    "top-k 40, top-p 0.95": StreamSettings(top_k=40, top_p=0.95),
    "the likeliest": StreamSettings(temperature=0),
}


def main() -> None:
    """A line for each number of threads and way to draw."""
    asked = dict(word.split("=") for word in sys.argv[1:])
    hidden, characters = int(asked.get("hidden_size", 512)), int(asked.get("characters", 5000))
    encoder = TextEncoder.fit(TextSettings(level="character", lowercase=False), [LETTERS])
    settings = LanguageModelSettings(encoder=EncoderSettings(hidden_size=hidden, bidirectional=False))
    torch.manual_seed(0)
    model = LanguageModel(settings, torch.from_numpy(np.zeros(encoder.size, np.float32)))
    for threads in (1, 2):
        torch.set_num_threads(threads)
        for name, way in WAYS.items():
            told = [_speed(model, encoder, way.model_copy(update={"length": characters // 5})) for _ in range(6)][1:]
            print(f"H {hidden}, {threads} thread(s), {name}: {statistics.median(told):,.0f} characters/s")


def _speed(model: LanguageModel, encoder: TextEncoder, way: StreamSettings) -> float:
    start = time.perf_counter()
    text = "".join(speaking.spoken(model, encoder, "ROMEO:", way))
    return len(text) / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
