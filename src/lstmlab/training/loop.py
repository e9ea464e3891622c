"""The training loop, readable from first batch to last.

    while budget left:
        for batch of this epoch, from where we stand:
            loss → gradient → (every `accumulate` batches) clip → step → average
            look: not a number? time for a checkpoint? somebody wants to stop?
        evaluate on validation → a row of history → best so far? → stop early?

Everything that changes while training is in `Moment`, the model, the optimiser, the average and torch's random state;
`snapshot` takes all of them, `restore` puts them back, and training goes on to the last bit as if it had never stopped.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from lstmlab.cells import State
from lstmlab.data.batches import Batches
from lstmlab.metrics import SCORES, format_score
from lstmlab.recipe import Settings
from lstmlab.tasks import TASKS
from lstmlab.tasks.task import Continuous, Encoded, Task
from lstmlab.training import checkpoint
from lstmlab.training.best import Best
from lstmlab.training.evaluation import evaluate
from lstmlab.training.moment import Hooks, Moment, Tick
from lstmlab.training.nan_guard import Diverged, blame
from lstmlab.training.optimizer import (
    Average,
    OptimizerSettings,
    build,
    pack_optimizer,
    scheduled_rate,
    unpack_optimizer,
)
from lstmlab.types import Batch


class LoopSettings(Settings):
    """How long and in what portions a model learns. The budget is one of epochs, steps or minutes."""

    epochs: int | None = Field(default=None, gt=0)
    """Budget: passes over the training part."""
    steps: int | None = Field(default=None, gt=0)
    """Budget: optimiser steps."""
    minutes: float | None = Field(default=None, gt=0)
    """Budget: minutes of training, evaluations not counted."""
    batch_size: int = Field(default=64, gt=0)
    """Examples in a batch."""
    tokens: int | None = Field(default=None, gt=0)
    """Most padded steps in a batch (rows × longest row): long texts then come in smaller batches."""
    bucket: bool = True
    """Put texts of like length into one batch, so that little is padded."""
    accumulate: int = Field(default=1, gt=0)
    """Batches whose gradients are added up before one optimiser step."""
    best: Literal["loss", "score"] = "loss"
    """What makes an epoch the best one, whose weights are kept: validation loss, or the task's main score."""
    average_epochs: int = Field(default=1, ge=1)
    """Keep the mean weights of this many best epochs instead of the best one's (checkpoint averaging)."""
    patience: int | None = Field(default=None, gt=0)
    """Stop after this many evaluations without a better one; null uses up the budget."""
    optimizer: OptimizerSettings = OptimizerSettings()
    checkpoint_seconds: float = Field(default=30.0, ge=0)
    """Seconds between checkpoints to go on from (besides one after every evaluation)."""

    @model_validator(mode="after")
    def _one_budget(self) -> "LoopSettings":
        given = [name for name in ("epochs", "steps", "minutes") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"the budget is exactly one of epochs, steps and minutes; got {given or 'none'}")
        return self


@runtime_checkable
class Plan(Protocol):
    """Which examples, or which places of a text, stand together in a batch."""

    def epoch(self, number: int) -> Sequence[Any]:
        """The batches of an epoch: what `Task.collate` takes."""
        ...

    def size(self, batch: Any) -> int:
        """Steps in a batch, padding included."""
        ...


@dataclass
class Training:
    """A model on its way: all that changes, in one place."""

    model: nn.Module
    task: Task
    settings: LoopSettings
    train: Encoded
    valid: Encoded | None
    seed: int
    device: torch.device
    began: float = field(default_factory=time.monotonic)
    """When this session began, on the monotonic clock."""

    def __post_init__(self) -> None:
        self.moment = Moment()
        self.optimizer = build(self.settings.optimizer, self.model.parameters())
        decay = self.settings.optimizer.average
        self.average = Average(self.model, decay) if decay is not None else None
        self.best = Best(self.settings.average_epochs)
        self.carried: State | None = None
        """Of a continuous text: the model's state after the last batch."""
        self.batches: Plan = (
            self.task.plan(self.train, self.settings.batch_size, self.seed)
            if isinstance(self.task, Continuous)
            else Batches(
                self.train.lengths,
                batch_size=self.settings.batch_size,
                tokens=self.settings.tokens,
                seed=self.seed,
                bucket=self.settings.bucket,
            )
        )

    def run(self, hooks: Hooks) -> bool:
        """Train until the budget is spent (True) or somebody stops it (False)."""
        kept = time.monotonic()
        while not self.moment.done:
            plan = self.batches.epoch(self.moment.epoch)
            while self.moment.batch < len(plan) and self.share(len(plan)) < 1:
                self._step(plan, hooks)
                if hooks.stop():
                    hooks.keep(*self.snapshot(), False)
                    return False
                if time.monotonic() - kept > self.settings.checkpoint_seconds:
                    hooks.keep(*self.snapshot(), False)
                    kept = time.monotonic()
            self._end_epoch(len(plan), hooks)
            kept = time.monotonic()
        return True

    def share(self, batches: int) -> float:
        """How much of the budget is spent (0 to 1)."""
        settings, moment = self.settings, self.moment
        if settings.epochs is not None:
            return (moment.epoch - 1 + moment.batch / batches) / settings.epochs
        if settings.steps is not None:
            return moment.step / settings.steps
        return moment.seconds / 60 / (settings.minutes or 1)

    def _step(self, plan: Sequence[Any], hooks: Hooks) -> None:
        """One optimiser step over `accumulate` batches (fewer at the end of an epoch)."""
        start = time.perf_counter()
        moment = self.moment
        chosen = plan[moment.batch : moment.batch + self.settings.accumulate]
        rate = scheduled_rate(self.settings.optimizer, self.share(len(plan)), moment.plateau_scale)
        before = _random_state(self.device), self.carried
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        batches = [self.task.collate(self.train, index).to(self.device) for index in chosen]
        count = 0
        for batch in batches:
            outputs = self._outputs(batch, self.share(len(plan)))
            loss = self.task.loss(outputs, batch)
            loss.total.backward()
            count += loss.count
            self._add("loss", float((loss.rows if loss.told is None else loss.told).detach().sum()), loss.count)
            for name, (total, number) in self.task.tally(outputs.detach(), batch).items():
                self._add(name, total, number)
        norm = self._norm(count)
        if not np.isfinite(norm) or not np.isfinite(moment.sums["loss"][0]):
            self._diverged(batches, *before, self.share(len(plan)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        moment.rate = rate
        moment.step += 1
        moment.batch += len(chosen)
        moment.norm_sum += norm
        moment.norm_count += 1
        if self.average is not None:
            self.average.update(self.model, moment.step)
        spent = time.perf_counter() - start
        moment.seconds += spent
        speed = sum(len(index) for index in chosen) / spent
        things = "tokens" if isinstance(self.task, Continuous) else "examples"
        mean = moment.sums["loss"][0] / moment.sums["loss"][1]
        done = self.share(len(plan))
        hooks.tick(Tick(moment.epoch, moment.batch, len(plan), done, mean, speed, things, moment.seconds))

    def _outputs(self, batch: Batch, done: float) -> Tensor:
        """What the model says; of a continuous text from where the batch before stopped."""
        if not isinstance(self.task, Continuous):
            return self.task.outputs(self.model, batch, done)
        outputs, after = self.task.follow(self.model, batch, self.carried)
        self.carried = after.map(Tensor.detach)
        return outputs

    def _norm(self, count: int) -> float:
        """Divide the summed gradient by what was summed, clip it, and return its norm before clipping."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        torch._foreach_div_(gradients, max(count, 1))
        norm = torch.nn.utils.get_total_norm(gradients)
        clip = self.settings.optimizer.clip
        if clip is not None:
            torch.nn.utils.clip_grads_with_norm_(self.model.parameters(), clip, norm)
        return float(norm)

    def _diverged(
        self, batches: list[Batch], random_state: dict[str, Tensor], carried: State | None, done: float
    ) -> None:
        """Take the step again, from where it began, and say what went wrong first."""
        _set_random_state(random_state, self.device)
        self.carried = carried
        bad = [name for name, value in (carried.items() if carried else ()) if not torch.isfinite(value).all()]
        where = (
            f'the state "{bad[0]}" that was carried on from the batch before is not finite'
            if bad
            else blame(self.model, lambda batch: self.task.loss(self._outputs(batch, done), batch), batches)
        )
        ids = [int(i) for batch in batches for i in batch.index]
        raise Diverged(self.moment.step + 1, self.moment.epoch, ids, where)

    def _add(self, name: str, total: float, count: int) -> None:
        held = self.moment.sums.setdefault(name, [0.0, 0])
        held[0] += total
        held[1] += count

    def _end_epoch(self, batches: int, hooks: Hooks) -> None:
        """Evaluate, write the row, keep the best, decide whether to go on."""
        moment, patience = self.moment, self.settings.patience
        valid, shown = self.evaluate(self.valid) if self.valid is not None else (None, [])
        hooks.row({**self._row(valid), **({"samples": shown} if shown else {})})
        badness = self._badness(valid)
        better = badness < moment.best_loss
        if better:
            moment.best_loss, moment.best_epoch, moment.stale = badness, moment.epoch, 0
        else:
            moment.stale += 1
        kept = self.best.offer(moment.epoch, badness, self.scored_weights())
        if kept is not None:
            hooks.keep(kept, {"epoch": moment.epoch}, True)
        self._watch_plateau(better)
        complete = moment.batch >= batches
        if complete:
            moment.epoch, moment.batch, self.carried = moment.epoch + 1, 0, None
        moment.sums, moment.norm_sum, moment.norm_count = {}, 0.0, 0
        moment.done = self.share(batches) >= 1 or (patience is not None and moment.stale >= patience)
        hooks.keep(*self.snapshot(), False)

    def _badness(self, valid: dict[str, float] | None) -> float:
        """What the best epoch has least of; a score that is undefined is worse than any. Without a validation part the
        last weights are the ones to keep."""
        if valid is None:
            return -float(self.moment.epoch)
        if self.settings.best == "loss":
            return valid["loss"]
        score = next(name for name in self.task.main_scores if name in valid)
        found = -valid[score] if SCORES[score].higher_is_better else valid[score]
        return float("inf") if np.isnan(found) else found

    def _watch_plateau(self, better: bool) -> None:
        moment, optimizer = self.moment, self.settings.optimizer
        moment.plateau_stale = 0 if better else moment.plateau_stale + 1
        if moment.plateau_stale > optimizer.plateau_patience:
            moment.plateau_scale, moment.plateau_stale = moment.plateau_scale * optimizer.plateau_factor, 0

    def _row(self, valid: dict[str, float] | None) -> dict[str, Any]:
        moment = self.moment
        train = {name: total / count for name, (total, count) in moment.sums.items()}
        row = {
            "epoch": moment.epoch,
            "step": moment.step,
            "seconds": round(moment.seconds, 3),
            "learning_rate": moment.rate,
            "gradient_norm": moment.norm_sum / max(moment.norm_count, 1),
            "train": train,
        }
        return row if valid is None else {**row, "valid": valid}

    def evaluate(self, encoded: Encoded) -> tuple[dict[str, float], list[dict[str, Any]]]:
        """Loss and scores on one part with the weights that count (the averaged ones where there is an average), and
        the answers that are to be shown.
        """
        kept = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.scored_weights())
        outputs, rows, count = evaluate(self.model, self.task, encoded, self.device)
        answers = self.task.glance(self.model, encoded)
        self.model.load_state_dict(kept)
        loss = float(rows.sum() / max(count, 1))
        if not np.isfinite(loss):
            raise Diverged(self.moment.step, self.moment.epoch, [], f"the validation loss is {loss}")
        shown = [{name: one[name] for name in ("input", "target", "prediction")} for one in answers if one.get("shown")]
        return {"loss": loss, **self.task.score(outputs, encoded, answers)}, shown

    def total_seconds(self) -> float:
        """Time since training began, in this session and earlier ones."""
        return self.moment.total_seconds + time.monotonic() - self.began

    def scored_weights(self) -> dict[str, Tensor]:
        """The weights that are scored and kept."""
        averaged = self.average.weights if self.average is not None else {}
        return {**self.model.state_dict(), **averaged}

    def snapshot(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything it takes to go on: tensors and JSON."""
        tensors = pack_optimizer(self.optimizer)
        self.moment.total_seconds = self.total_seconds()
        self.began = time.monotonic()
        named = {
            **checkpoint.put(self.model.state_dict(), "model"),
            **checkpoint.put(tensors, "optimizer"),
            **checkpoint.put(_random_state(self.device), "random"),
        }
        if self.average is not None:
            named |= checkpoint.put(self.average.weights, "average")
        if self.carried is not None:
            named |= checkpoint.put(dict(self.carried.items()), "carried")
        if self.best.count > 1:  # a single one is in the best checkpoint
            named |= checkpoint.put(self.best.pack(), "best")
        return named, {"moment": asdict(self.moment), "best": self.best.badness}

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Put a snapshot back."""
        self.model.load_state_dict(checkpoint.pick(tensors, "model"))
        unpack_optimizer(self.optimizer, checkpoint.pick(tensors, "optimizer"))
        if self.average is not None:
            for name, value in checkpoint.pick(tensors, "average").items():
                self.average.weights[name].copy_(value)
        carried = checkpoint.pick(tensors, "carried")
        self.carried = State(**carried).map(lambda value: value.to(self.device)) if carried else None
        kept = {name: value.to(self.device) for name, value in checkpoint.pick(tensors, "best").items()}
        self.best.unpack(kept, facts.get("best", {}))
        _set_random_state(checkpoint.pick(tensors, "random"), self.device)
        self.moment = Moment(**facts["moment"])


def _random_state(device: torch.device) -> dict[str, Tensor]:
    """Where the generators stand that dropout draws from."""
    state = {"cpu": torch.get_rng_state()}
    return state if device.type != "cuda" else {**state, "cuda": torch.cuda.get_rng_state(device)}


def _set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def epoch_line(row: Mapping[str, Any], settings: LoopSettings) -> str:
    """A row of history as people know it: `Epoch 3/10  loss 0.4405  accuracy 81.25 %  valid loss 0.3921  …  0:12`."""
    of = f"/{settings.epochs}" if settings.epochs else ""
    parts = [f"Epoch {row['epoch']:>{max(len(of) - 1, 1)}}{of}"]
    parts += [f"{name} {format_score(name, value)}" for name, value in row["train"].items()]
    if "valid" in row:
        # What is scored after an epoch alone (spans, BLEU) has no training figure beside it.
        main = {name for task in TASKS.values() for name in task.main_scores}
        names = [*row["train"], *(name for name in row["valid"] if name in main and name not in row["train"])]
        told = [f"{name} {format_score(name, row['valid'][name])}" for name in names]
        parts += [f"valid {told[0]}", *told[1:]]
    seconds = round(row["seconds"])
    return "  ".join([*parts, f"{seconds // 60}:{seconds % 60:02}"])
