"""What a word is, to every baseline that counts words."""

# Words, their apostrophes and combining marks (the Indic blocks are no "word characters" to Python, and hold the danda,
# which is punctuation; the invisible joiners stand inside words).
WORD = r"\w(?:['’]?[\w\u0300-\u036f\u0900-\u0963\u0966-\u0d7f\u200c\u200d])*"

# Words and marks that carry feeling: "!", "?", emoji. The everyday punctuation between words is left out, so that
# bigrams reach across it.
TOKEN = rf"""{WORD}|[^\w\s.,;:"'()<>/&\-।॥]"""

# Words and every mark on its own.
PIECE = rf"{WORD}|[^\w\s]"
