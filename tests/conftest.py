"""What tests share: a cache of their own, and small data with a rule that can be learned."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import shapes

shapes.install("lstmlab")

# On a busy machine, seconds on the clock say nothing about a test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("patient"), max_examples=20)


def pytest_configure(config: pytest.Config) -> None:
    """`make check` draws fewer examples than `make test`."""
    settings.load_profile("quick" if config.getoption("markexpr") == "not slow" else "patient")


GOOD = "wonderful great superb charming delightful moving brilliant funny".split()
BAD = "awful dull terrible boring clumsy tedious lifeless stupid".split()
PLAIN = "the film story actor scene music plot camera ending dialogue was had with and of a very rather".split()


@pytest.fixture(autouse=True)
def own_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    """No test reads or fills the user's cache. Compiled kernels are shared by all tests, processes and runs of them."""
    cache = tmp_path_factory.getbasetemp() / "cache"
    kernels = pytestconfig.rootpath / ".pytest_cache" / "lstmlab-kernels"
    if not (cache / "kernels").exists():
        kernels.mkdir(parents=True, exist_ok=True, mode=0o700)
        cache.mkdir(exist_ok=True)
        (cache / "kernels").symlink_to(kernels, target_is_directory=True)
    monkeypatch.setenv("LSTMLAB_CACHE", str(cache))


@pytest.fixture
def many_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compiled kernels deal out small passes to threads as well; torch's seed is known, its settings are put back."""
    import torch

    from lstmlab.kernels import passes

    monkeypatch.setattr(passes, "WORTH_A_THREAD", 1)
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.set_flush_denormal(False)


@pytest.fixture
def unreported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs end without a report: to draw one takes longer than all of so small a training."""
    monkeypatch.setattr("lstmlab.api.Result.report", lambda _: {})


@pytest.fixture(scope="session")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny translator of phrases, trained once for all tests."""
    import writers

    return writers.translator(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def partner(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny partner in conversation."""
    import writers

    return writers.partner(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny classifier."""
    import writers

    return writers.classifier(tmp_path_factory.getbasetemp())


def review(rng: random.Random, good: bool) -> str:
    """A few plain words and one that decides."""
    words = rng.choices(PLAIN, k=rng.randint(3, 25))
    words.insert(rng.randrange(len(words) + 1), rng.choice(GOOD if good else BAD))
    return " ".join(words)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """A CSV of 240 made-up reviews, half of them good."""
    rng = random.Random(0)
    path = tmp_path / "reviews.csv"
    rows = [f"{review(rng, i % 2 == 0)},{'good' if i % 2 == 0 else 'bad'}" for i in range(240)]
    path.write_text("review,stars\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path
