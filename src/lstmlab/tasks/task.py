"""What a task is, and what tasks share."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor, nn

from lstmlab.cells import State
from lstmlab.data.corpus import Dataset, Index, Part
from lstmlab.data.datasets import named
from lstmlab.data.load import Watch
from lstmlab.data.parts import PartedData
from lstmlab.recipe import Settings
from lstmlab.types import Batch, Example, Loss

Scores = dict[str, float]


class About(Settings):
    """Who hands this in, and under which title."""

    title: str = ""
    """Title of the report; the recipe's own summary where empty."""
    author: str = ""
    """Name printed under the title."""
    course: str = ""
    """Course or occasion, printed beside the author."""


SEQ2SEQ = ("translation", "dialogue")
"""Tasks of an encoder and a decoder."""
Outline = Literal["standard", "bootcamp", "lab-record", "seq2seq"]


class ReportSettings(Settings):
    """How the report is ordered, and who draws its conclusions. `lstmlab report` can be asked for another order."""

    outline: Outline = "standard"
    """standard; bootcamp: an assignment report; lab-record: aim, objectives, description, pseudocode, output,
    observation, result; seq2seq (translation and dialogue): task by task."""
    prompts: bool = False
    """Leave evidence and questions, and let the student answer."""


PARTED = "the parts of this data are what they are, and no limit draws from them"


def parted(data: Any) -> bool:
    """Whether a `data` block leaves nothing to be drawn: training, validation and test part are all given."""
    if not isinstance(data, PartedData) or data.limit is not None:
        return False
    known = named.NAMED.get(str(data.name))
    return bool(data.valid and data.test) if known is None else len(known.parts) == 3


class Recipe(Settings):
    """What every recipe has; each task adds its data and model, training adds its own block."""

    name: str = ""
    """Names the run's folder."""
    summary: str = ""
    """One sentence: what this experiment is."""
    group: Literal["labs", "demos", "data sets", "studies", "own"] = "own"
    """Under which heading `lstmlab recipes` lists it."""
    task: str
    """What is to be learned: a name from the shelf of tasks."""
    seed: int = Field(default=0, ge=0, lt=2**63)
    """Seeds splits, initial weights, dropout and the order of batches."""
    split_seed: int | None = Field(default=None, ge=0, lt=2**63)
    """Seeds the parts of the data alone, so that runs that share it share them; null: as seed."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto takes a GPU where there is one."""
    about: About = About()
    report: ReportSettings = ReportSettings()

    @property
    def parts_seed(self) -> int:
        """What the parts of the data are drawn with."""
        return self.seed if self.split_seed is None else self.split_seed

    @property
    def unmeasured(self) -> str | None:
        """Why there is no validation part, where the settings leave none."""
        return None

    @model_validator(mode="after")
    def _measurable(self) -> "Recipe":
        training = getattr(self, "training", None)  # the block that training adds
        if training is not None and training.optimizer.schedule == "plateau" and self.unmeasured:
            raise ValueError(
                "training.optimizer.schedule=plateau follows the validation loss, and there is no validation part "
                f"({self.unmeasured}): take constant, linear or cosine"
            )
        return self

    @model_validator(mode="after")
    def _has_tasks(self) -> "Recipe":
        if self.report.outline == "seq2seq" and self.task not in SEQ2SEQ:
            raise ValueError(
                f"report.outline=seq2seq goes through encoder, decoder and search, and task is {self.task}: take "
                "standard, bootcamp or lab-record"
            )
        return self

    def idle(self) -> dict[str, str]:
        """What looks at the validation part, where there is none; the seed of parts that nobody draws."""
        told = f"it looks at the validation part, and there is none ({self.unmeasured})"
        reasons = dict.fromkeys(("training.best", "training.patience"), told) if self.unmeasured else {}
        return {**reasons, "split_seed": PARTED} if parted(getattr(self, "data", None)) else reasons


@runtime_checkable
class Encoded(Protocol):
    """One part of the data as numbers, ready to be cut into batches."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each example: what batches are bucketed by."""
        ...

    def __len__(self) -> int: ...


@runtime_checkable
class Task(Protocol):
    """Everything training and prediction need to know of what is being learned.

    A task is made by `prepare`, which fits vocabulary, labels or scaler on the training part and on nothing else, or by
    `restore` from what `saved` wrote. It is a value: nothing of it changes afterwards.
    """

    name: ClassVar[str]
    Recipe: ClassVar[type[Recipe]]
    main_scores: ClassVar[tuple[str, ...]]
    """The first of these that a run has is what a summary names first: names in `metrics.SCORES`."""
    recipe: Any
    """The settings it was made from."""

    @classmethod
    def load(cls, recipe: Any, watch: Watch) -> Dataset:
        """The parts of the data the recipe names."""
        ...

    @classmethod
    def prepare(cls, recipe: Any, data: Dataset, watch: Watch) -> "Task":
        """A task fitted on `data.train` alone."""
        ...

    @classmethod
    def restore(cls, recipe: Any, saved: Mapping[str, Any]) -> "Task":
        """The task that `saved()` was written from."""
        ...

    def saved(self) -> dict[str, Any]:
        """Plain JSON: everything prediction needs besides recipe and weights."""
        ...

    def encode(self, examples: Any, where: str) -> Encoded:
        """A part of the data (a Corpus or a list of Examples) as numbers. `where` names it in errors."""
        ...

    def collate(self, encoded: Any, index: Index) -> Batch:
        """The examples at `index` as one batch."""
        ...

    def build(self) -> nn.Module:
        """The model with fresh weights: Batch → outputs."""
        ...

    def outputs(self, model: nn.Module, batch: Batch, done: float = 1.0) -> Tensor:
        """What the model says of a batch: one row an example. In training `done` (0 to 1) of the budget is spent."""
        ...

    def loss(self, outputs: Tensor, batch: Batch) -> Loss:
        """What is minimised."""
        ...

    def tally(self, outputs: Tensor, batch: Batch) -> dict[str, tuple[float, int]]:
        """Scores of one training batch as (sum, count), for the line of the epoch."""
        ...

    def predict(
        self, model: nn.Module, encoded: Any, outputs: Float[np.ndarray, "N ..."], watch: Watch = Watch()
    ) -> list[Any]:
        """What is answered, as JSON, an example each: at least {"prediction": label, numbers or text}; None for what
        need not be written down, since there are too many.

        `outputs` are the model's for these very examples. Tasks that search for their answers ask the model again.
        """
        ...

    def glance(self, model: nn.Module, encoded: Any) -> list[dict[str, Any]]:
        """After an epoch: answers to some of the validation examples, each with "input" and "target", for scores that
        need them; those to show are marked "shown". Empty where outputs say everything.
        """
        ...

    def score(
        self, outputs: Float[np.ndarray, "N ..."], encoded: Any, answers: Sequence[Mapping[str, Any]] = ()
    ) -> Scores:
        """Scores of one evaluated part; of its answers ("prediction" beside "target") too where there are some."""
        ...

    def details(self, model: nn.Module, outputs: Float[np.ndarray, "N ..."], encoded: Any) -> dict[str, Any]:
        """What else the model and its outputs of the test part say, as JSON; empty where answers say it all."""
        ...

    def signatures(self, answers: Sequence[Mapping[str, Any]]) -> dict[str, str]:
        """Score → how exactly it was computed, where its field asks for that in writing."""
        ...

    def baseline(self, train: Part, test: Part, watch: Watch) -> dict[str, Scores]:
        """What the scores on the test part have to beat, computed on the same split."""
        ...

    def journey(self, example: Example) -> Sequence[tuple[str, str]]:
        """One example on its way from raw to tensor: (stage, what it looks like there)."""
        ...


@runtime_checkable
class Rivalled(Task, Protocol):
    """A task that can say what the best of its baselines answered to each test example."""

    def rival_answers(self, train: Part, test: Part, watch: Watch) -> Sequence[str]:
        """Answers in the order of the test part; the best baseline is the first with the best main score on it."""
        ...


@runtime_checkable
class Continuous(Task, Protocol):
    """A task of one long text: a batch goes on where the one before stopped, and so does the model's state."""

    def plan(self, encoded: Any, rows: int, seed: int) -> Any:
        """Which places of the text stand together in a batch, epoch after epoch; what `collate` takes then."""
        ...

    def follow(self, model: nn.Module, batch: Batch, state: State | None) -> tuple[Tensor, State]:
        """`outputs` of a batch read from a state (None: a beginning), and the state after it."""
        ...

    def read(self, model: nn.Module, encoded: Any) -> tuple[NDArray[np.float32], NDArray[np.float64], int]:
        """What `evaluate` gives, of the text read as one: outputs and losses of each example, and their count."""
        ...


def known_targets(examples: Sequence[Example], where: str) -> list[Any] | None:
    """The targets of examples that all have one; None where none has. Raises ValueError where only some have."""
    known = [example.target for example in examples if example.target is not None]
    if known and len(known) < len(examples):
        raise ValueError(f"{where}: some examples have a target and some have none")
    return known or None
