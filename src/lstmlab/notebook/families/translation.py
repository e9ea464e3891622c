"""The notebook of a translator."""

import base64
import math
import zlib
from typing import Any

from lstmlab.cells import find_cell
from lstmlab.data.datasets import named, phrases
from lstmlab.data.load import Watch
from lstmlab.nn.encoder_decoder import EncoderDecoderSettings
from lstmlab.notebook import tokens
from lstmlab.notebook.layers import layer_facts, layer_name, refuse, unwritten
from lstmlab.notebook.sources import imports, named_facts, pair_facts, part_facts
from lstmlab.notebook.training import loop_facts
from lstmlab.tasks.seq2seq import Translation, TranslationRecipe

TEMPLATE = "translation.py.jinja"
MEMBERS = {"tatoeba-en-fr": "fra.txt", "tatoeba-en-hi": "hin.txt"}
TRY = {
    "phrases": ("Paul has a green car.", "Where are my books?", "She is not going to the beach today."),
    "tatoeba": ("I am tired.", "Where is the station?", "She gave me a good book."),
    "multi30k": ("A man is riding a bike.", "Two children are playing in the snow."),
}
MEASURED = 'measure(scored, valid_ids)\n    row["valid bleu"] = glance(scored)'
SMALL, BEAMED = 2000, 500
"""Pairs at the small size; test sentences that beam search sees."""


def kind(recipe: TranslationRecipe) -> str:
    """What is built."""
    attention = " with attention" if recipe.model.context == "attention" else ""
    return f"a translator{attention}, {layer_name(recipe.model.encoder)} as its encoder"


def next_steps(recipe: TranslationRecipe) -> list[str]:
    """What to try with it."""
    told = []
    if recipe.model.context == "attention":
        told.append(
            "Train once without attention (the last state alone): how much does BLEU fall, and on which lengths?"
        )
    else:
        told.append("Add attention: the decoder then looks back at every word instead of remembering one vector.")
    told += [
        "Feed the decoder some of its own tokens in training (scheduled sampling): does free running come closer to "
        "what teacher forcing promises?",
        "Vary the beam (1, 5, 20) and α: does a wider beam always find better translations?",
        "More data helps most, then larger layers with more dropout; a Transformer reads all words at once and gains "
        "most where data is plenty.",
        "Train with several seeds and report mean and spread.",
    ]
    return told


def small(recipe: TranslationRecipe) -> dict[str, Any]:
    """Settings for a quick look."""
    settings: Any = recipe
    found: dict[str, Any] = {"training.epochs": min(settings.training.epochs or 2, 2)}
    if recipe.data.name == "phrases":
        return found | {"training.epochs": min(settings.training.epochs or 8, 8)}
    return found | {"data.limit": min(recipe.data.limit or SMALL, SMALL), "text.vocabulary_size": 1500}


def facts(recipe: TranslationRecipe, quick: bool, watch: Watch = Watch()) -> dict[str, Any]:
    """What the template needs. Raises InputError for settings it has no words for."""
    settings: Any = recipe
    model, text = recipe.model, recipe.text
    _check(recipe)
    encoder = layer_facts(model.encoder, handed_over=True)
    decoder = layer_facts(model.decoder.stack(model.encoder), "model.decoder", handed_over=True)
    dataset = Translation.load(recipe, watch)
    both = [*dataset.train.inputs, *dataset.train.targets]
    tokens.check(text, both)
    source = _source(recipe)
    assert dataset.test is not None
    languages = Translation.prepare(recipe, dataset, watch).languages
    shape = _shape(model, encoder, decoder)
    least = max(text.min_count, 2)
    return {
        **shape,
        "data": {
            **source,
            **part_facts(recipe.data, source["parts"], len(dataset.test), 500 if quick else None),
            "drops": recipe.data.drop_repeated,
        },
        "imports": _imports(source, recipe),
        "text": text,
        "least": least,
        "pattern": tokens.pattern(text, both),
        "embedding": model.embedding,
        "model": model,
        "blind": math.log(languages.target.size),
        "copies": text.copy_unknown and text.level == "word" and model.context == "attention",
        "max_length": recipe.decoding.max_length,
        "beam": recipe.decoding.beam_size if recipe.decoding.method == "beam" else 5,
        "alpha": recipe.decoding.length_penalty,
        "beam_most": 200 if quick else BEAMED,
        "glance": recipe.glance,
        "examples": TRY.get(source["kind"], ()) if source.get("direction") == ("en", source.get("target")) else (),
        **loop_facts(settings.training, ["token accuracy"], MEASURED, better='row["valid bleu"]'),
    }


def _check(recipe: TranslationRecipe) -> None:
    forcing, model = recipe.teacher_forcing, recipe.model
    if min(forcing.ratio, forcing.final_ratio) < 1:
        raise unwritten("teacher_forcing.ratio below 1", "teacher_forcing.ratio=1")
    if model.encoder.num_layers > 1 and model.encoder.dropout:
        raise unwritten("model.encoder.dropout between the layers of an encoder and a decoder", "encoder.dropout=0")
    refuse(recipe.decoding, ("no_repeat_ngram", "min_length"), "decoding")
    refuse(recipe.text, ("first", "last", "line_ends"), "text")
    if not find_cell(str(model.decoder.stack(model.encoder).cell)).states[0] == "h":
        raise unwritten(f"a decoder of {model.decoder.cell}")


def _shape(model: EncoderDecoderSettings, encoder: dict[str, Any], decoder: dict[str, Any]) -> dict[str, Any]:
    """What fits onto what."""
    directions = 2 if encoder["bidirectional"] else 1
    cells = find_cell(model.encoder.cell), find_cell(str(model.decoder.stack(model.encoder).cell))
    if cells[0] != cells[1]:
        raise unwritten("an encoder and a decoder of different cells", "model.decoder.cell=null")
    if decoder["num_layers"] > encoder["num_layers"]:
        raise unwritten("a decoder with more layers than the encoder", "model.decoder.num_layers=null")
    same = directions * encoder["hidden_size"] == decoder["hidden_size"]
    bridged = model.bridge == "linear" or (model.bridge == "auto" and not same)
    attends, every_step = model.context == "attention", model.context == "every-step"
    feeding = attends and model.attention.input_feeding
    tied = model.tied != "none"
    memory = "2 H" if directions == 2 else "H"
    memory_code = "UNITS" if same else "2 * HIDDEN" if directions == 2 else "HIDDEN"
    feature = "EMBEDDING" if tied else "UNITS"
    beside = f" + {feature}" if feeding else f" + {memory_code}" if every_step else ""
    words = {"auto": "handed over", "linear": "a linear layer each", "zero": "not handed over"}
    return {
        "encoder": encoder,
        "decoder": decoder,
        "cell": decoder["cell"],
        "lstm": decoder["cell"]["states"] == ("h", "c"),
        "attends": attends,
        "every_step": every_step,
        "feeding": feeding,
        "tied": tied,
        "bridged": bridged,
        "bridge_states": list(decoder["cell"]["states"]),
        "bridge_line": "a linear layer for each" if bridged else words[model.bridge],
        "memory": memory,
        "memory_code": memory_code,
        "beside_code": beside,
        "features": "E" if tied else "U",
        "has_readout": attends or every_step or (tied and model.embedding.size != decoder["hidden_size"]),
        "decoder_dropout": model.decoder.dropout,
        "encoder_line": f"{'bidirectional ' if directions == 2 else ''}{encoder['cell']['title']}",
        "attention": model.attention,
        "attention_size": model.attention.size or "UNITS",
        "attention_words": {
            "general": "$h_t^\\top W m_s$ (“general”, Luong et al. 2015)",
            "dot": "$h_t^\\top m_s$ (“dot”, Luong et al. 2015)",
            "additive": "$v^\\top \\tanh(W h_t + U m_s + b)$ (“additive”, Bahdanau et al. 2015)",
            "concat": "$v^\\top \\tanh(W [h_t; m_s])$ (“concat”, Luong et al. 2015)",
        }[model.attention.kind],
    }


def _source(recipe: TranslationRecipe) -> dict[str, Any]:
    """Where the pairs come from, and which parts they bring."""
    data = recipe.data
    if data.name is None:
        return pair_facts(data)
    chosen = named.find(data.name)
    known = chosen.languages
    source = data.source or next(language for language in known if language != data.target)
    target = data.target or next(language for language in known if language != source)
    direction = {"direction": (source, target), "source": source, "target": target, "turned": source != known[0]}
    if data.name == "phrases":
        lines = "\n".join(f"{part}\t{a}\t{b}" for part, found in phrases.parts().items() for a, b in found)
        packed = base64.b64encode(zlib.compress(lines.encode(), 9)).decode()
        return {
            "kind": "phrases",
            "named": False,
            "made": True,
            "packed": packed,
            "parts": ("train", "valid", "test"),
            **direction,
        } | {"about": chosen.about}
    if data.name in MEMBERS:
        loose = len(chosen.files.layouts) > 1
        return {**named_facts(chosen), **direction, "kind": "tatoeba", "member": MEMBERS[data.name], "loose": loose}
    if data.name == "multi30k":
        place = chosen.files.layouts[0][0].address.rpartition("/")[0]
        return {**named_facts(chosen), **direction, "kind": "multi30k", "place": place}
    raise unwritten(f"the data set {data.name}", f"one of phrases, multi30k, {', '.join(MEMBERS)}")


def _imports(source: dict[str, Any], recipe: TranslationRecipe) -> list[str]:
    parted = "test" not in source["parts"] or "valid" not in source["parts"]
    names = {"copy", "re"} | ({"unicodedata"} if parted or recipe.data.drop_repeated else set())
    names |= {"hashlib"} if parted else set()
    names |= {"phrases": {"base64", "zlib"}, "tatoeba": {"zipfile"}, "multi30k": {"gzip"}}.get(source["kind"], set())
    names |= {"heapq"} if recipe.text.level == "subword" else set()
    return imports(source, names, ["from collections import Counter, defaultdict"])
