"""Tokens as text while they are still arriving."""

import codecs

from lstmlab.data.text import TextEncoder


class Spelling:
    """`spelling.add(token)` is the text that one more token brings. Half a character waits for its other half."""

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self._last: int | None = None
        self._bytes = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def after(self, tokens: list[int]) -> "Spelling":
        """The same, when these tokens have been told already."""
        self._last = tokens[-1] if tokens else None
        return self

    def add(self, token: int) -> str:
        """What the token adds to the text so far."""
        level, last = self.encoder.settings.level, self._last
        self._last = token
        if level == "subword":
            return self._bytes.decode(self.encoder.bytes_of(token))
        if level == "character" or last is None:
            return self.encoder.decode([token])
        # Whether a blank stands between two words hangs on both.
        return self.encoder.decode([last, token])[len(self.encoder.decode([last])) :]
