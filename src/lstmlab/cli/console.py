"""What a person sees while something runs: one living line on a terminal, plain lines elsewhere, never silence."""

import logging
import re
import shlex
import shutil
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import TextIO

SILENCE = 1.9
"""Seconds without a sign of life after which one is given."""


def clock(seconds: float) -> str:
    """75 → 1:15; 3675 → 1:01:15."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


# Controls (but tab and line end), halves of surrogate pairs, and marks that turn the direction of what follows them.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def plain(text: str) -> str:
    """Text that commands no terminal: file names, columns and labels are foreign. ESC becomes \\x1b."""
    return _COMMANDS.sub(lambda found: ascii(found[0])[1:-1], text)


def tell(text: str = "", stream: TextIO | None = None, *, end: str = "\n") -> None:
    """Print foreign text."""
    print(plain(text), file=stream, end=end)


def utf8(stream: TextIO) -> None:
    """Whatever the locale: answers that go into a pipe or a file are text in UTF-8, as files written here are."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")


class Console:
    """Lines for a person on `stream`. As a context it shows what is going on; `status` may be replaced at any time."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream if stream is not None else sys.stdout
        self.terminal = self.stream.isatty()
        self.status = ""
        self._began = self._spoke = time.monotonic()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._drawn = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Console":
        # What the library has to say in passing, such as that it compiles a kernel.
        logger = logging.getLogger("lstmlab")
        self._ear, self._level = _Ear(self), logger.level
        logger.addHandler(self._ear)
        logger.setLevel(logging.INFO)
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        logger = logging.getLogger("lstmlab")
        logger.removeHandler(self._ear)
        logger.setLevel(self._level)
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self._wipe()

    def line(self, text: str = "") -> None:
        """A line that stays."""
        with self._lock:
            self._wipe()
            self.stream.write(plain(text) + "\n")
            self.stream.flush()
            self._spoke = time.monotonic()

    def say(self, text: str) -> None:
        """A line that stays, and what is going on from now."""
        self.line(text)
        self.activity(text)

    def activity(self, text: str) -> None:
        """What is going on from now, shown while it lasts."""
        self.status, self._began = text, time.monotonic()

    def progress(self, what: str, done: int, total: int) -> None:
        """A count of things done out of a total (0 where that is unknown)."""
        self.status = f"{what}: {done:,} of {total:,} ({done / total:.0%})" if total else f"{what}: {done:,}"

    def _live(self) -> None:
        # Where the stream is gone, the next line that has to be said meets the same error and tells it.
        with suppress(OSError):
            self._show()

    def _show(self) -> None:
        while not self._closed.wait(0.1 if self.terminal else 0.2):
            now = time.monotonic()
            with self._lock:
                if self.terminal and self.status and now - self._spoke > 0.3:
                    self._draw(f"  {self.status}  [{clock(now - self._began)}]")
                elif not self.terminal and now - self._spoke > SILENCE:
                    self.stream.write(f"  … {plain(self.status) or 'working'} [{clock(now - self._began)}]\n")
                    self.stream.flush()
                    self._spoke = now

    def _draw(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self.stream.write(f"\r\x1b[2K\x1b[2m{plain(text)[:width]}\x1b[0m")
        self.stream.flush()
        self._drawn = True

    def _wipe(self) -> None:
        if self._drawn:
            self.stream.write("\r\x1b[2K")
            self._drawn = False


class _Ear(logging.Handler):
    """Passes on to a console what a logger is told."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.line(record.getMessage())


def counted(number: int, what: str) -> str:
    """1 example; 2,000 examples."""
    return f"{number:,} {what}{'s' * (number != 1)}"


def table(rows: list[list[str]], header: list[str], *, left: int = 1) -> list[str]:
    """Lines of a plain table, the first `left` columns to the left, the others to the right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]

    def line(row: list[str]) -> str:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  " + "  ".join(cells).rstrip()

    return [line(header), "  " + "  ".join("─" * width for width in widths), *map(line, rows)]


def program() -> str:
    """What to type to call this program again: its name where the shell finds it, else as it was called."""
    return "lstmlab" if shutil.which("lstmlab") else shlex.quote(sys.argv[0])
