"""Talking with a finished run of dialogue."""

import shlex
from collections.abc import Mapping
from typing import Any

from lstmlab.decoding import SearchSettings
from lstmlab.errors import InputError
from lstmlab.training.inference import Predictor, changed
from lstmlab.training.run import Run

TALK: dict[str, Any] = {"method": "sample", "temperature": 0.7, "top_p": 0.9}
"""How replies are drawn where the recipe searches with a beam: the likeliest reply is nearly always the same one (Li et
al. 2016), and unlikely tokens spoil the others."""


class Conversation:
    """What was said so far is read again for every reply: the last `turns` turns, as in training.

    Reply number n draws its random numbers from stream n, so that the same words get the same replies every time.
    """

    def __init__(self, predictor: Predictor, search: SearchSettings, turns: int) -> None:
        self.search = search
        self.turns = turns
        self.history: list[str] = []
        """Turns by turns: what was said, what was replied. The model reads the last of them."""
        self._predictor = predictor
        self._replies = 0

    @classmethod
    def of(cls, run: Run, predictor: Predictor, changes: Mapping[str, Any]) -> "Conversation":
        """A conversation with a run of dialogue; refuses others. `changes` are settings of the search."""
        task, where = run.recipe["task"], shlex.quote(str(run.folder))
        if task != "dialogue":
            raise InputError(f'{run.title} is of {task}, which holds no conversation: lstmlab predict {where} "…"')
        base = predictor.task.recipe.decoding
        own = {} if base.method == "sample" else TALK
        # Silence is no reply.
        search = base.model_copy(update={**own, "n_best": 1, "min_length": max(base.min_length, 1)})
        found = cls(predictor, changed(search, changes), run.recipe["data"]["turns"])
        # The first answer to so many words takes a second, for the kernel it loads: nobody has to wait for that.
        predictor.predict(["a word " * 20], found.search)
        return found

    def say(self, text: str) -> str:
        """The reply to a turn, on one line. Both are remembered."""
        said = " ".join(text.split())
        if not said:
            raise InputError("nothing was said: a turn is a text")
        heard = [*self.history, said][-self.turns :]
        (answer,) = self._predictor.predict(["\n".join(heard)], self.search, first=self._replies)
        reply = " ".join(answer["prediction"].split())
        self._replies += 1
        self.history += [said, reply]
        return reply

    def reset(self) -> None:
        """Forget what was said."""
        self.history.clear()
