"""Reports: the same bytes twice, nothing foreign read as a command, nothing fetched, nothing half-written."""

import math
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from lstmlab.errors import InputError
from lstmlab.report import Document, Figure, Section, Table, as_text, excerpt, number, render, unlabelled, write
from lstmlab.report import formats as formats_module
from lstmlab.report.text import blocks, breakable, column, is_numeric, markdown, tidy

HOSTILE = [
    (
        'Great<br /><br />film <script src="https://evil.example/x.js">alert(1)</script> '
        "<img src=x onerror=alert(1)> &lt; &amp;"
    ),
    "</style></svg></td></table><style>*{display:none}</style><!-- <![CDATA[ ]]> -->",
    '#set page(fill: red) #read("report.json") $x^2_1$ *bold* _it_ @reference <label> \\ \\u{41} // /* "quoted" `raw`',
    "| a | b | [link](http://evil.example) ![i](http://evil.example/i.png) ~~no~~ www.evil.example a@b.example :smile:",
    "{{ title }} {% include 'x' %} {# no #} ${HOME} %s %(x)s",
    "हिन्दी फ़िल्म مرحبا بالعالم 漢字 ไทย 😀 👩‍👩‍👧 é e\u0301",
    "control \x00\x01\x08\x0b\x1b[31m\x7f\x9f \ud800 \uffff \u202eright to left \ufeff\r\nnext\u2028line",
    "w" * 5000,
    "1. one",
    "- minus",
    "# not a heading #",
    "===",
]


def curves(drawing):
    axes = drawing.subplots()
    axes.plot([1, 2, 3], [0.9, 0.5, 0.4], label="train $5 <b>")
    axes.set(title="Loss", xlabel="epoch", ylabel="nats")
    axes.legend()


def hostile_picture(drawing):
    left, right = drawing.subplots(1, 2)
    left.imshow(np.eye(len(HOSTILE)))
    left.set_xticks(range(len(HOSTILE)), HOSTILE)
    left.set(title=HOSTILE[0], xlabel=HOSTILE[6], ylabel=HOSTILE[7])
    right.bar([text for text in HOSTILE if "\x00" not in text][:3], [1, 10, 100])
    right.set(title="$\\frac{", xlabel="x", ylabel="y", yscale="log")


def hostile_document():
    sections = [Section(text, text, f"{text}\n\n- {text}\n- {text}\n\n```\n{text}\n```\n\n{text}") for text in HOSTILE]
    table = Table(HOSTILE[0], HOSTILE[:5], [HOSTILE[i : i + 5] for i in (0, 5)], note=HOSTILE[2])
    pictures = (Figure("first", HOSTILE[0], hostile_picture), Figure("second", HOSTILE[2], curves, note=HOSTILE[1]))
    shown = Section("Evidence", "It holds.", "", (table,), pictures)
    head = HOSTILE[0]
    return Document(head, head, head, head, head, [*sections, shown], [(text, text) for text in HOSTILE])


def small_document():
    table = Table("Scores", ("model", "accuracy", "n"), (("lstm", 0.8517, 25000), ("majority", 0.5, 25000)))
    sections = (
        Section("Training", "It learns.", "Loss falls.", figures=(Figure("loss", "The loss.", curves),)),
        Section("Scores", "It wins.", "See:\n\n- one\n- two", (table,), (Figure("again", "Again.", curves),)),
    )
    return Document("Title", author="A. Student", sections=sections, facts=(("recipe", "imdb"), ("score", 0.8517)))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return write(hostile_document(), tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write(small_document(), tmp_path_factory.mktemp("small"))


class Page(HTMLParser):
    """All tags with their attributes, and the words between them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# The same bytes


@pytest.mark.slow
def test_a_second_writing_has_the_same_bytes(hostile, small, tmp_path):
    for name, first, document in (("a", hostile, hostile_document()), ("b", small, small_document())):
        write(document, tmp_path / name)
        assert files(first["pdf"].parent) == files(tmp_path / name)


def test_the_users_own_style_changes_nothing(small, tmp_path):
    import matplotlib

    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.facecolor": "red"}):
        drawn = render(small_document().figures[0], tmp_path)
        assert matplotlib.rcParams["font.size"] == 30
    assert drawn["svg"].read_bytes() == (small["html"].parent / "figures/loss.svg").read_bytes()
    assert drawn["png"].read_bytes() == (small["html"].parent / "figures/loss.png").read_bytes()


def test_files_are_named_as_promised(small):
    folder = small["html"].parent
    assert {str(path) for path in files(folder)} == {
        "report.html", "report.md", "report.pdf",
        "figures/loss.svg", "figures/loss.png", "figures/again.svg", "figures/again.png",
    }  # fmt: skip
    assert small["pdf"].read_bytes().startswith(b"%PDF-")


# Foreign text


def test_foreign_text_makes_no_tag_in_html(hostile, small):
    page = Page(hostile["html"].read_text("utf-8"))
    ours = {tag for tag, _ in Page(small["html"].read_text("utf-8")).tags} | {"pre", "code", "wbr", "image"}
    assert {tag for tag, _ in page.tags} <= ours
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    words = "".join(page.words)
    assert words.count('<script src="https://evil.example/x.js">alert(1)</script>') >= 8
    assert "{{ title }} {% include 'x' %}" in words
    assert "हिन्दी" in words


def test_foreign_text_stays_text_in_markdown(hostile):
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = parser.parse(hostile["md"].read_text("utf-8"))
    inline = [child for token in tokens for child in token.children or ()]
    assert {token.type for token in inline} == {"text", "text_special", "strong_open", "strong_close", "image"} & {
        token.type for token in inline
    }
    assert [token.attrGet("src") for token in inline if token.type == "image"] == [
        "figures/first.png",
        "figures/second.png",
    ]
    kinds = [token.type for token in tokens]
    assert "html_block" not in kinds
    assert kinds.count("heading_open") == 1 + len(HOSTILE) + 1
    assert kinds.count("table_open") == 1
    assert kinds.count("tr_open") == 3
    assert kinds.count("fence") == len(HOSTILE)
    assert kinds.count("bullet_list_open") == 1 + len(HOSTILE) + 2  # "- minus" on a line of its own is an item
    assert "ordered_list_open" not in kinds


@pytest.mark.parametrize(
    "text", [*HOSTILE, "*a* __b__ ~c~ ``d`` \\*", "+ plus", "2) two", "-", "---", "a_b_c __init__", "C #"]
)
def test_markdown_shows_a_line_unchanged(text):
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    plain = " ".join(tidy(text).split())
    page = Page(parser.render(markdown(plain)))
    assert "".join(page.words).strip() == plain
    assert [tag for tag, _ in page.tags] == ["p"]


def test_readable_words_are_not_escaped():
    assert (
        markdown("learning_rate=0.001 (see 3.5), don't: a/b -0.5") == "learning_rate=0.001 (see 3.5), don't: a/b -0.5"
    )


def test_foreign_text_in_figures_is_drawn_as_it_is(hostile):
    root = ElementTree.fromstring((hostile["html"].parent / "figures/first.svg").read_bytes())
    words = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(word.startswith("Great<br /><br />film <script") for word in words)
    assert "$\\frac{" in words
    assert max(map(len, words)) <= 160
    assert "10²" in words  # a power stays one, though dollar signs mean nothing


def test_mathematics_is_drawn_when_asked_for(tmp_path):
    def draw(drawing):
        drawing.subplots().set_title("$h_t$", parse_math=True)

    svg = render(Figure("maths", "Mathematics", draw), tmp_path)["svg"]
    words = ElementTree.fromstring(svg.read_bytes()).itertext()
    assert "$" not in "".join(words)


def test_tidy_leaves_what_every_format_can_hold():
    assert tidy("a\r\nb\rc\u2028d\te") == "a\nb\nc\nd    e"
    assert tidy("\x00\ud800\u202e") == "\ufffd" * 3
    assert tidy("👩‍👩‍👧 é हिन्दी") == "👩‍👩‍👧 é हिन्दी"
    assert excerpt("two\n\n  lines") == "two lines"
    assert excerpt("word " * 100, 20) == "word word word word…"


def test_long_words_break_between_letters_only():
    assert max(map(len, breakable("w" * 5000).split("\u200b"))) < 40
    assert breakable("an ordinary sentence of short words") == "an ordinary sentence of short words"
    joined = breakable("क्षि" * 40 + "e\u0301" * 40)
    assert not re.search("\u200b[\u093f\u094d\u0301]", joined)


# One page that needs nothing else


def test_the_page_fetches_nothing(hostile, small):
    for paths in (hostile, small):
        page = Page(paths["html"].read_text("utf-8"))
        for tag, attributes in page.tags:
            assert tag not in {"script", "link", "iframe", "object", "embed", "a", "base"}
            for name in ("src", "href", "xlink:href", "srcset", "data"):
                assert (attributes.get(name) or "#").startswith(("#", "data:image/png;base64,"))
            assert "url(" not in (attributes.get("style") or "").replace("url(#", "")
        head = next(dict(a) for tag, a in page.tags if tag == "meta" and a.get("http-equiv"))
        assert head["content"].startswith("default-src 'none'")
    assert "http" not in small["html"].read_text("utf-8").replace("http-equiv", "")


def test_the_page_has_language_and_words_for_its_pictures(small):
    page = Page(small["html"].read_text("utf-8"))
    assert ("html", {"lang": "en"}) in page.tags
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert [picture["aria-label"] for picture in pictures] == ["The loss.", "Again."]
    assert all(picture["role"] == "img" for picture in pictures)


def test_ids_are_unique_and_every_reference_is_met(hostile, small):
    for paths in (hostile, small):
        text = paths["html"].read_text("utf-8")
        tags = Page(text).tags
        ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        values = [value or "" for _, attributes in tags for value in attributes.values()]
        wanted = {a["href"][1:] for _, a in tags if (a.get("href") or "").startswith("#")}
        wanted |= {name for value in values for name in re.findall(r"url\(#([^)]*)\)", value)}
        assert wanted
        assert wanted <= set(ids)


# Tables and numbers


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"), (5000, "5000"), (20000, "20,000"), (-1329473, "-1,329,473"), (True, "yes"), (np.int64(12), "12"),
        (0.85171, "0.8517"), (np.float32(0.5), "0.5000"), (12.345, "12.35"), (238.71, "238.7"), (4321.0, "4321"),
        (54321.6, "54,322"), (1.9e-5, "1.90e-05"), (0.0, "0.0000"), (3e12, "3.00e+12"),
        (math.nan, "NaN"), (math.inf, "∞"), (-math.inf, "-∞"),
    ],
)  # fmt: skip
def test_number(value, shown):
    assert number(value) == shown


def test_a_column_has_one_number_of_decimals():
    assert column([0.5, 12.25, None]) == ["0.50", "12.25", "–"]
    assert column([5000, 20000]) == ["5,000", "20,000"]
    assert column([0.8517, 1329473.0, 1.9e-5]) == ["0.8517", "1,329,473", "1.90e-05"]
    assert column(["a\nb", 1]) == ["a b", "1"]


def test_which_columns_are_numbers():
    assert is_numeric([1, 0.5, None])
    assert is_numeric(["0.85 ± 0.01", "-3", "85.2 %", "–"])
    assert not is_numeric(["2026-01-03"])
    assert not is_numeric(["a", 1])
    assert not is_numeric([None, ""])


def test_numeric_columns_stand_right(small):
    assert "| --- | ---: | ---: |" in small["md"].read_text("utf-8")
    assert '<td class="number">0.8517</td>' in small["html"].read_text("utf-8")


def test_wrong_pieces_are_refused_at_the_door():
    with pytest.raises(ValueError, match="2 columns, but a row of 3"):
        Table("t", ("a", "b"), [(1, 2, 3)])
    with pytest.raises(ValueError, match="no columns"):
        Table("t", (), [])
    for name in ("../up", "a b", "", ".hidden", "a/b"):
        with pytest.raises(ValueError, match="letters, digits"):
            Figure(name, "t", curves)
    with pytest.raises(ValueError, match="the same name: loss"):
        Document(
            "t", sections=[Section("s", "c", "e", figures=[Figure("loss", "", curves), Figure("Loss", "", curves)])]
        )
    with pytest.raises(ValueError, match="language"):
        Document("t", language='"><b>')


# Evidence


def test_evidence_has_paragraphs_lists_and_code():
    text = "One\ngoes on.\n\nTwo:\n- a\n- b\n  goes on\n\n- c\n\n```python\nx = 1\n\n- y\n```\nThree"
    assert [(block.kind, block.lines) for block in blocks(text)] == [
        ("paragraph", ("One goes on.",)),
        ("paragraph", ("Two:",)),
        ("list", ("a", "b goes on")),
        ("list", ("c",)),
        ("code", ("x = 1", "", "- y")),
        ("paragraph", ("Three",)),
    ]


def test_an_open_fence_swallows_nothing():
    assert [block.kind for block in blocks("```\nquoted\n\nmore\n\n- item")] == ["paragraph", "paragraph", "list"]
    assert blocks("") == []
    assert blocks(" \n\n ") == []


def test_markdown_code_cannot_leave_its_fence():
    document = Document("t", sections=[Section("s", "c", "```\n x ```` y\n```")])
    assert "`````text\n x ```` y\n`````" in formats_module._markdown(formats_module._view(document))


def test_an_empty_document_and_an_empty_table_are_written(tmp_path):
    write(Document(""), tmp_path / "empty")
    paths = write(Document("t", sections=[Section("s", "", "", [Table("none", ("a", "b"), [])])]), tmp_path)
    assert "| a | b |\n| --- | --- |" in paths["md"].read_text("utf-8")


def test_a_section_in_the_terminal():
    table = Table("Scores", ("model", "accuracy"), (("lstm", 0.8517), ("majority", 0.5)), note="Of 1.")
    section = Section("Scores", "It wins.", "See:\n\n- one\n- \x1b[31mtwo\n\n```\nx = 1\n```", (table,))
    assert as_text(section) == (
        "Scores\n\nIt wins.\n\nSee:\n\n- one\n- \ufffd[31mtwo\n\n    x = 1\n\n"
        "Scores\nmodel     accuracy\n──────────────────\nlstm        0.8517\nmajority    0.5000\nOf 1.\n"
    )


# Labels


def test_unlabelled_names_what_is_missing():
    assert unlabelled(Figure("good", "Good", curves)) == []
    assert unlabelled(Figure("bare", "Bare", lambda drawing: drawing.subplots())) == [
        "bare: axes 1 without a title",
        "bare: axes 1 without an x label",
        "bare: axes 1 without a y label",
    ]
    assert unlabelled(Figure("none", "None", lambda drawing: None)) == ["none: nothing is drawn"]


def test_unlabelled_knows_shared_axes_second_scales_and_colour_bars():
    def panels(drawing):
        top, bottom = drawing.subplots(2, 1, sharex=True)
        top.set(title="Loss", ylabel="nats")
        bottom.set(title="Accuracy", ylabel="accuracy", xlabel="epoch")
        bottom.twinx().set_ylabel("learning rate")

    def heat(drawing, label):
        axes = drawing.subplots()
        drawing.colorbar(axes.imshow([[0, 1]]), label=label)
        axes.set(title="Attention", xlabel="source", ylabel="output")

    assert unlabelled(Figure("panels", "", panels)) == []
    assert unlabelled(Figure("heat", "", lambda drawing: heat(drawing, "weight"))) == []
    assert unlabelled(Figure("heat", "", lambda drawing: heat(drawing, ""))) == [
        "heat: axes 2 without a label on its colour bar"
    ]


# Whole or not at all


def test_a_failed_drawing_leaves_the_old_report_and_says_which(small, tmp_path):
    write(small_document(), tmp_path)
    before = files(tmp_path)

    def fail(drawing):
        raise RuntimeError("no data")

    broken = Document("t", sections=[Section("s", "c", "e", figures=[Figure("broken", "", fail)])])
    with pytest.raises(RuntimeError, match="no data") as caught:
        write(broken, tmp_path)
    assert caught.value.__notes__ == ["while drawing the figure broken"]
    assert files(tmp_path) == before


def test_a_failed_writing_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "report.html"
    target.write_text("old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="the disk is full; report.html is still the one before"):
        write(Document("t"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert target.read_text() == "old"


def test_a_folder_that_is_a_file_is_an_input_error(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(InputError, match="could not write .*taken"):
        write(Document("t"), tmp_path / "taken")


# Cost


def test_importing_brings_no_heavy_library():
    code = "import sys, lstmlab.report; print({'matplotlib', 'jinja2', 'typst', 'numpy', 'torch'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
