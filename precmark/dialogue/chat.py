"""``precmark chat``: the conversation in a terminal, or over piped lines."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

from precmark.dialogue.conversation import Conversation
from precmark.dialogue.shelf import NOBODY, Shelf
from precmark.errors import InputError

LONGEST_LINE = 20_000
"""Characters of a piped line that are kept; what follows up to the line's end is passed over."""

GOODBYE = ("bye", "exit", "quit", ":q")
"""Lines that end the conversation."""


def lines(stream: IO[str]) -> Iterator[str]:
    """The lines of `stream`, each cut to :data:`LONGEST_LINE` characters, without its end."""
    while line := stream.readline(LONGEST_LINE):
        rest = line
        while rest and not rest.endswith("\n"):
            rest = stream.readline(LONGEST_LINE)
        yield line.rstrip("\r\n")


def read_answers(path: Path | str | None, intents: Mapping[str, str]) -> dict[str, str]:
    """The shop's own answers from a TOML file with ``intent = "text"`` lines under ``[answers]``.

    Raises
    ------
    InputError
        Listing a file that is missing or no TOML, lines outside ``[answers]``, unknown intents,
        empty texts.
    """
    if path is None:
        return {}
    try:
        whole = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"{path} cannot be read as answers ({error}). Write a TOML file: [answers], then "
            'lines such as delivery_options = "We deliver in two days."'
        ) from error
    known = ", ".join(sorted(intents))
    table = whole.get("answers", {})
    faults = [
        f"{path}: {name!r} stands outside [answers]. Put it below that line."
        for name in whole if name != "answers"
    ]  # fmt: skip
    faults += [
        f"{path}: no intent {name!r}. There are {known}." for name in table if name not in intents
    ]
    faults += [
        f"{path}, {name}: no text. Write what the shop answers in quotes."
        for name, text in table.items()
        if not isinstance(text, str) or not text.strip()
    ]
    if faults:
        raise InputError(faults)
    return dict(table)


def opened(
    run_name: str,
    *,
    model: str = "characters",
    user: str | None = None,
    answers: Path | None = None,
    offers: int = 3,
    seed: int = 0,
) -> Conversation:
    """A conversation over the products of run `run_name`; the classifier is fitted on the spot.

    Parameters
    ----------
    run_name : str
        A run under ``runs/``.
    model : str
        A name of :data:`precmark.dialogue.study.MODELS`.
    user : str, optional
        A user id of the run's tables.
    answers : path, optional
        See :func:`read_answers`.
    offers : int
        Products at a time, 1 to 10.
    seed : int

    Raises
    ------
    InputError
        Listing what is wrong with the arguments; also where the run cannot be recommended from.
    """
    from precmark.dialogue.intents import load
    from precmark.dialogue.study import MODELS, shopping, understood
    from precmark.runs import Run

    problems = []
    if model not in MODELS:
        problems.append(f"model {model!r}: unknown. Choose one of {', '.join(MODELS)}.")
    if not 1 <= offers <= 10:
        problems.append(f"offers: {offers}. Use a number from 1 to 10.")
    known = load()
    texts = shelf = None
    code = NOBODY
    try:
        texts = read_answers(answers, known.meanings)
    except InputError as error:
        problems += error.problems
    try:
        shelf = Shelf.of(Run(Path("runs") / run_name))
        code = NOBODY if user is None else shelf.user_code(user)
    except InputError as error:
        problems += error.problems
    if problems:
        raise InputError(problems)
    understanding = understood(shopping(known), model, seed=seed)
    return Conversation(
        understanding, shelf, known.leads_to, answers=texts, user=code, offers=offers
    )


def talk(
    conversation: Conversation,
    stream: IO[str],
    write: Callable[[str], object] = print,
    *,
    echo: bool = False,
    explain: bool = False,
) -> int:
    """Answer line by line until the stream ends or somebody says goodbye; the number of turns.

    Parameters
    ----------
    conversation : Conversation
    stream : text stream
    write : callable
        Takes each line to show.
    echo : bool
        Show each utterance too, for piped input.
    explain : bool
        Show intent, confidence, slots and milliseconds after each reply.
    """
    for line in lines(stream):
        if line.strip().casefold().rstrip(".! ") in GOODBYE:
            break
        turn = conversation.reply(line)
        if echo:
            write(f"> {turn.said[:200]}")
        write(turn.reply)
        if explain:
            write(explained(turn))
        write("")
    return len(conversation.turns)


def explained(turn) -> str:
    """One line on how a turn came about."""
    what = "a rule" if turn.heard is None else f"{turn.heard.guess} {turn.heard.confidence:.2f}"
    if turn.heard is not None and turn.heard.intent != turn.heard.guess:
        what += ", not sure"
    slots = {k: v for k, v in vars(turn.slots).items() if v}
    told = ", ".join(f"{k} {v}" for k, v in slots.items()) or "none"
    return f"   [{what}; {turn.action}; slots: {told}; {1000 * turn.seconds:.1f} ms]"


def chat(run_name: str, *, explain: bool = False, **options) -> None:
    """Talk on standard input and output; see :func:`opened` for `options`."""
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    live = sys.stdin.isatty()
    conversation = opened(run_name, **options)
    if live:
        print("Ask for a product, or about an order. End with bye or Ctrl-D.\n")
        _talk_live(conversation, explain)
        return
    talk(conversation, sys.stdin, echo=True, explain=explain)


def _talk_live(conversation: Conversation, explain: bool) -> None:
    # readline gives a terminal its line editing and history
    import contextlib

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401
    while True:
        try:
            line = input("> ")
        except EOFError:
            print()
            return
        if line.strip().casefold().rstrip(".! ") in GOODBYE:
            return
        turn = conversation.reply(line)
        print(turn.reply + ("\n" + explained(turn) if explain else "") + "\n", flush=True)
