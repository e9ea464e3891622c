"""Conversations: what is remembered, how replies are chosen, and the prompt around them."""

import signal
import sys

import pytest

from lstmlab.api import Result
from lstmlab.cli import chat as command
from lstmlab.errors import InputError
from lstmlab.training.conversation import TALK
from test_cli import Shell, Stream

SAID = b"hello anna\nnot so well\ngood bye\n"


@pytest.fixture
def shell(tmp_path, monkeypatch: pytest.MonkeyPatch) -> Shell:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture
def heard(partner: Result, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the model is given to read from here on."""
    found: list[str] = []
    kind = type(partner.predictor)
    predict = kind.predict

    def listening(self, inputs, *rest, **named):  # type: ignore[no-untyped-def]
        found.extend(inputs)
        return predict(self, inputs, *rest, **named)

    monkeypatch.setattr(kind, "predict", listening)
    return found


# ---- From Python ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_last_turns_are_read_and_no_more(partner: Result, heard: list[str]) -> None:
    talk = partner.chat()
    heard.clear()
    replies = [talk.say("hello anna"), talk.say("  not so\nwell "), talk.say("bye")]
    assert heard[0] == "hello anna"
    assert heard[1] == f"hello anna\n{replies[0]}\nnot so well"
    assert heard[2] == f"not so well\n{replies[1]}\nbye"
    assert talk.history == ["hello anna", replies[0], "not so well", replies[1], "bye", replies[2]]
    talk.reset()
    talk.say("hello ben")
    assert heard[3] == "hello ben"


@pytest.mark.slow
def test_the_same_words_get_the_same_replies(partner: Result) -> None:
    def replies(**search: object) -> list[str]:
        talk = partner.chat(**search)
        return [talk.say("hello anna") for _ in range(12) if not talk.reset()]

    drawn = replies()
    assert replies() == drawn
    assert len(set(drawn)) > 1
    assert replies(seed=1) != drawn
    assert len(set(replies(method="greedy"))) == 1
    assert replies(beam_size=1) == replies(method="greedy") == replies(top_k=1)
    assert all(drawn)
    assert all("\n" not in reply for reply in drawn)


@pytest.mark.slow
def test_how_replies_are_searched_for(partner: Result) -> None:
    assert {name: getattr(partner.chat().search, name) for name in TALK} == TALK
    assert partner.chat(temperature=1.5).search.temperature == 1.5
    assert partner.chat(beam_size=4).search.method == "beam"
    with pytest.raises(InputError, match="seed would have no effect: it belongs to sampling, and method is greedy"):
        partner.chat(method="greedy", seed=3)
    with pytest.raises(InputError, match='no setting "temprature"'):
        partner.chat(temprature=1.0)


@pytest.mark.slow
def test_silence_is_refused_and_never_replied(partner: Result) -> None:
    talk = partner.chat()
    with pytest.raises(InputError, match="nothing was said"):
        talk.say(" \n ")
    assert talk.history == []
    assert talk.search.min_length == 1


@pytest.mark.slow
@pytest.mark.parametrize("text", ["word " * 5000, "🙂🙃", "नमस्ते", "<turn> </s>", "\u2028", "a\tb"])
def test_odd_turns_are_replied_to(partner: Result, text: str) -> None:
    talk = partner.chat()
    if text.strip():
        assert talk.say(text)
    else:
        with pytest.raises(InputError):
            talk.say(text)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["translator", "classifier"])
def test_others_hold_no_conversation(kind: str, request: pytest.FixtureRequest) -> None:
    run: Result = request.getfixturevalue(kind)
    with pytest.raises(InputError, match=r"holds no conversation: lstmlab predict .*run"):
        run.chat()


# ---- The command ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_pipe_gets_replies_only(shell: Shell, partner: Result) -> None:
    talk = partner.chat()
    outcome = shell("chat", str(partner.folder), stdin=SAID)
    assert outcome.out.splitlines() == [talk.say(line) for line in SAID.decode().splitlines()]
    assert f"Talking with {partner.run.title}: it reads the last 3 turns, yours and its own" in outcome.err
    assert "temperature 0.7, top-p 0.9" in outcome.err
    assert outcome.status == 0


@pytest.mark.slow
def test_commands_and_empty_lines(shell: Shell, partner: Result, heard: list[str]) -> None:
    told = shell("chat", str(partner.folder), stdin=b"\nhello\n\n  \n/reset\nbye\r\n/hlep\n/x y\n/help\n/quit\nhello\n")
    assert len(told.out.splitlines()) == 2
    assert heard[1:] == ["hello", "bye"]
    said = told.err.splitlines()[1:]
    assert said[0].startswith("Forgotten")
    assert said[1] == "no command /hlep. Did you mean /help?"
    assert said[2].startswith("no command /x. ")
    assert "/reset: forget" in said[2]
    assert said[3] == command._help()
    assert told.status == 0


@pytest.mark.slow
def test_what_is_no_text_is_replied_to_as_well(shell: Shell, partner: Result) -> None:
    told = shell("chat", str(partner.folder), "--greedy", stdin=b"\xef\xbb\xbfhello\ncaf\xe9\n\xff\n")
    assert (told.status, len(told.out.splitlines())) == (0, 3)
    assert told.out.splitlines()[0] == partner.chat(method="greedy").say("hello")


@pytest.mark.slow
def test_replies_are_utf8_in_every_locale(shell: Shell, partner: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lstmlab.training.conversation.Conversation.say", lambda *_: "café")
    assert shell("chat", str(partner.folder), stdin=b"a\n", screen=Stream(encoding="ascii")).out == "café\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--greedy", "--beam", "2"], "--greedy and --beam are two ways to search: give one"),
        (["--greedy", "--top-p", "0.5"], "--top-p would have no effect: it belongs to sampling, and method is greedy"),
        (["--beam", "3", "--seed", "1"], "leave out --greedy and --beam"),
        (["--beam", "0"], "--beam: expected greater than or equal to 1, got 0"),
        (["--length-penalty", "1"], "--length-penalty would have no effect: it belongs to beam search"),
        (["--temperature", "0"], "--temperature: expected greater than 0, got 0"),
        (["--top-p", "1.5"], "--top-p: expected less than or equal to 1, got 1.5"),
    ],
)
def test_refusals(shell: Shell, partner: Result, words: list[str], told: str) -> None:
    assert told in shell.refuses("chat", str(partner.folder), *words, stdin=SAID)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["translator", "classifier"])
def test_the_right_command_is_told(shell: Shell, kind: str, request: pytest.FixtureRequest) -> None:
    run: Result = request.getfixturevalue(kind)
    assert f"lstmlab predict {run.folder}" in shell.refuses("chat", str(run.folder), stdin=SAID)


@pytest.mark.slow
def test_an_interrupt_leaves_politely(shell: Shell, partner: Result, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> str:
        signal.raise_signal(signal.SIGINT)
        return ""

    monkeypatch.setattr("lstmlab.training.conversation.Conversation.say", interrupted)
    # A shell that put the tests into the background had them ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        outcome = shell("chat", str(partner.folder), stdin=SAID)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (outcome.status, outcome.out) == (130, "")
    assert outcome.err.splitlines()[1:] == [""]


class Terminal(Stream):
    """A screen or keyboard."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_lines_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = iter(["hello ", "caf\udce9", "/quit"])
    prompts: list[str] = []

    def typed(prompt: str) -> str:
        prompts.append(prompt)
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert list(command._turns(Terminal())) == ["hello", "caf?", "/quit"]
    assert set(prompts) == {"> "}
    monkeypatch.setattr(sys, "stdout", Stream())
    lines = iter(["hello"])
    assert list(command._turns(Terminal())) == ["hello"]
    assert prompts[-1] == ""
