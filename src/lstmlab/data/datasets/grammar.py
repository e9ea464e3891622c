"""Words and rules of the phrase set: subjects, verbs, things and places in English and French, and how they are joined.

Agreement (une petite clé verte), elision (j'ai, l'école, qu'elle), contraction (au marché, du parc), and negation
around the verb (ne … pas de).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Pair = tuple[str, str]
"""English, French."""

# ---- Words ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Subject:
    """Somebody. `person` is 0 to 4: je, tu, il or elle, nous, ils."""

    en: str
    fr: str
    person: int
    feminine: bool = False

    @property
    def third(self) -> bool:
        """Whether English verbs take an s."""
        return self.person == 2

    @property
    def be(self) -> str:
        """The form of "to be" in English."""
        return {0: "am", 2: "is"}.get(self.person, "are")


SUBJECTS = (
    Subject("I", "je", 0),
    Subject("you", "tu", 1),
    Subject("he", "il", 2),
    Subject("she", "elle", 2, feminine=True),
    Subject("we", "nous", 3),
    Subject("they", "ils", 4),
    Subject("Anna", "Anna", 2, feminine=True),
    Subject("Paul", "Paul", 2),
    Subject("my brother", "mon frère", 2),
    Subject("my sister", "ma sœur", 2, feminine=True),
    Subject("the teacher", "le professeur", 2),
    Subject("the children", "les enfants", 4),
)


@dataclass(frozen=True)
class Verb:
    """A verb in the present: English forms (I, he), French forms by person."""

    en: str
    """Of a verb that goes with "to be" (is looking for), what follows that."""
    en_third: str
    fr: tuple[str, ...]
    """je, tu, il, nous, ils."""
    kind: Literal["do", "be", "modal"]
    """How English denies and asks with it."""


def _verb(en: str, third: str, fr: str, kind: Literal["do", "be", "modal"] = "do") -> Verb:
    return Verb(en, third, tuple(fr.split()), kind)


def _being(en: str, fr: str) -> Verb:
    """What somebody is, or is doing."""
    return _verb(en, en, fr, "be")


OWN = "ai as a avons ont"
BE = _being("", "suis es est sommes sont")
FEEL = _being("", OWN)  # I am hungry: j'ai faim
GO = _being("going to", "vais vas va allons vont")
COME = _being("coming from", "viens viens vient venons viennent")
SEEK = _being("looking for", "cherche cherches cherche cherchons cherchent")
BUY = _being("buying", "achète achètes achète achetons achètent")
EAT = _being("eating", "mange manges mange mangeons mangent")
READ = _being("reading", "lis lis lit lisons lisent")
WRITE = _being("writing", "écris écris écrit écrivons écrivent")
WANT = _verb("want", "wants", "veux veux veut voulons veulent")
MUST = _verb("must", "must", "dois dois doit devons doivent", "modal")
LIKE = _verb("like", "likes", "aime aimes aime aimons aiment")
HAVE = _verb("have", "has", OWN)
SEE = _verb("see", "sees", "vois vois voit voyons voient")
LIVE = _verb("live", "lives", "habite habites habite habitons habitent")
SPEAK = _verb("speak", "speaks", "parle parles parle parlons parlent")


@dataclass(frozen=True)
class Noun:
    """A thing, with its plurals."""

    en: str
    fr: str
    feminine: bool
    en_plural: str
    fr_plural: str


def _nouns(text: str) -> tuple[Noun, ...]:
    """Nouns from "en fr m|f", parted by commas; plurals in -s but for French -eau (-eaux)."""
    found = []
    for entry in text.split(","):
        en, fr, gender = entry.split()
        found.append(Noun(en, fr, gender == "f", en + "s", fr + ("x" if fr.endswith("eau") else "s")))
    return tuple(found)


THINGS = _nouns("dog chien m, cat chat m, car voiture f, hat chapeau m, key clé f, chair chaise f")
FOOD = _nouns("apple pomme f, cake gâteau m, orange orange f, egg œuf m")
TEXTS = _nouns("book livre m, letter lettre f")

BEFORE = {"small": ("petit", "petite"), "big": ("grand", "grande")}
"""Adjectives that stand before a French noun: masculine, feminine."""
AFTER = {
    "red": ("rouge", "rouge"),
    "green": ("vert", "verte"),
    "black": ("noir", "noire"),
    "white": ("blanc", "blanche"),
}
"""Adjectives that stand after it."""
NUMBERS = {"two": "deux", "three": "trois", "four": "quatre"}

MOODS = {
    "happy": ("heureux", "heureuse", "heureux"),
    "tired": ("fatigué", "fatiguée", "fatigués"),
    "sad": ("triste", "triste", "tristes"),
    "ready": ("prêt", "prête", "prêts"),
    "late": ("en retard",) * 3,
    "sick": ("malade", "malade", "malades"),
}
"""What somebody is: masculine, feminine, plural (of men, or of all)."""
FEELINGS = {"hungry": "faim", "thirsty": "soif", "cold": "froid", "afraid": "peur"}
AGES = {"ten": "dix", "eleven": "onze", "twelve": "douze", "twenty": "vingt"}

PLACES = {
    "market": "le marché",
    "station": "la gare",
    "school": "la école",
    "park": "le parc",
    "beach": "la plage",
    "hospital": "le hôpital",
    "library": "la bibliothèque",
    "cinema": "le cinéma",
}
TIMES = {
    "today": "aujourd'hui",
    "tomorrow": "demain",
    "this evening": "ce soir",
    "on Monday": "lundi",
    "at two o'clock": "à deux heures",
    "at three o'clock": "à trois heures",
}
SPOTS = {
    "in the garden": "dans le jardin",
    "in the house": "dans la maison",
    "in the kitchen": "dans la cuisine",
    "on the table": "sur la table",
    "under the tree": "sous le arbre",
}
DEEDS = {
    "sleep": "dormir",
    "eat": "manger",
    "sing": "chanter",
    "dance": "danser",
    "work": "travailler",
    "read": "lire",
    "learn French": "apprendre le français",
    "speak English": "parler anglais",
    "buy a car": "acheter une voiture",
    "go to the station": "aller à la gare",
}
CITIES = {"Paris": "Paris", "London": "Londres", "Lyon": "Lyon", "Geneva": "Genève"}
LANGUAGES = {"French": "français", "English": "anglais", "Spanish": "espagnol", "German": "allemand"}

# ---- Grammar --------------------------------------------------------------------------------------------------------

Kind = Literal["say", "deny", "ask"]
KINDS: tuple[Kind, ...] = ("say", "deny", "ask")


@dataclass(frozen=True)
class Phrase:
    """What somebody sees, has or eats. `indefinite`: its French article becomes "de" where it is denied."""

    en: str
    fr: str
    indefinite: bool = False

    def denied(self) -> str:
        """Its French in a negative sentence: pas un chien is pas de chien."""
        return re.sub(r"^une? ", "de ", self.fr) if self.indefinite else self.fr


def french(words: str) -> str:
    """Words as French writes them: j'ai, l'école, qu'il, mon école, au marché, du parc. (Every h here is mute.)"""
    vowel = r"(?=[aeiouyhàâéèêîôûœ])"
    words = re.sub(rf"\bma {vowel}", "mon ", words)
    words = re.sub(rf"\b(je|ne|de|le|la|que) {vowel}", lambda match: match[1][:-1] + "'", words, flags=re.IGNORECASE)
    return re.sub(r"\bde le\b", "du", re.sub(r"\bà le\b", "au", words))


def sentence(en: str, fr: str, mark: str = ".") -> Pair:
    """Both sides with a capital in front and a mark behind; French puts a space before a question mark."""
    fr = french(fr)
    return en[0].upper() + en[1:] + mark, fr[0].upper() + fr[1:] + (" ?" if mark == "?" else mark)


def clause(who: Subject, verb: Verb, what: Phrase, kind: Kind) -> Pair:
    """Somebody does something, does not, or is asked about."""
    form = verb.fr[who.person]
    what_en = f"{verb.en} {what.en}".strip()
    if kind == "say":
        third = f"{verb.en_third} {what.en}".strip()
        return sentence(
            f"{who.en} {who.be} {what_en}" if verb.kind == "be" else f"{who.en} {third if who.third else what_en}",
            f"{who.fr} {form} {what.fr}",
        )
    helper = {"be": who.be, "modal": verb.en, "do": "does" if who.third else "do"}[verb.kind]
    rest = what.en if verb.kind == "modal" else what_en
    if kind == "deny":
        return sentence(f"{who.en} {helper} not {rest}", f"{who.fr} ne {form} pas {what.denied()}")
    return sentence(f"{helper} {who.en} {rest}", f"est-ce que {who.fr} {form} {what.fr}", "?")


def things(nouns: Sequence[Noun], *, definite: bool) -> list[Phrase]:
    """The dog, my dog, the red dog; or a dog, a small dog, a red dog, two dogs. Only plain things have colours."""
    found = []
    for noun in nouns:
        adjectives = [("", "", "")]
        adjectives += [(f"{en} ", f"{fr[noun.feminine]} ", "") for en, fr in BEFORE.items()]
        adjectives += [(f"{en} ", "", f" {fr[noun.feminine]}") for en, fr in AFTER.items() if noun in THINGS]
        for en, before, after in adjectives:
            thing = f"{before}{noun.fr}{after}"
            if definite:
                found.append(Phrase(f"the {en}{noun.en}", f"{'la' if noun.feminine else 'le'} {thing}"))
                found.append(Phrase(f"my {en}{noun.en}", f"{'ma' if noun.feminine else 'mon'} {thing}"))
            else:
                article = "an" if (en or noun.en)[0] in "aeiou" else "a"
                found.append(Phrase(f"{article} {en}{noun.en}", f"{'une' if noun.feminine else 'un'} {thing}", True))
        if not definite:
            found += [Phrase(f"{en} {noun.en_plural}", f"{fr} {noun.fr_plural}") for en, fr in NUMBERS.items()]
    return found
