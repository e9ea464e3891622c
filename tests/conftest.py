"""What tests share: a cache of their own, and small data with a rule that can be learned."""

import random
from pathlib import Path

import pytest

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
