"""The command line: check a log, run the chapters on it, render its book."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from precmark import __version__
from precmark.errors import InputError, rows_text

if TYPE_CHECKING:
    from precmark.contract import Checked

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="An executable book on precision marketing, rerun on your own event log.\n\n"
    "[bold]From a CSV to your own book:[/bold]\n\n"
    "  precmark check mine.csv --timezone Europe/London\n\n"
    "  precmark run --events mine.csv --timezone Europe/London --name mystore\n\n"
    "  precmark book mystore",
)
data_app = typer.Typer(no_args_is_help=True, help="Public data sets: list them, fetch one.")
app.add_typer(data_app, name="data")

MapOption = Annotated[
    str,
    typer.Option(
        "--map",
        metavar="OURS=YOURS,...",
        help="Your column names, e.g. user_id=visitorid,event=action",
    ),
]
EventNamesOption = Annotated[
    str,
    typer.Option(
        "--event-names",
        metavar="YOURS=OURS,...",
        help="Your event names, e.g. addtocart=cart,transaction=purchase",
    ),
]
TimezoneOption = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE", help="Zone of stamps without one, and of the shop's hours: Europe/London"
    ),
]
DropPersonalOption = Annotated[
    bool,
    typer.Option("--drop-personal", help="Leave personal-data columns out instead of stopping"),
]


def _options(map_: str, event_names: str, timezone: str | None, drop_personal: bool):
    from precmark.contract import Options, parse_pairs

    return Options(
        map=parse_pairs(map_, "--map"),
        event_names=parse_pairs(event_names, "--event-names"),
        timezone=timezone or "",
        drop_personal=drop_personal,
    )


def _paths(given: list[str]) -> list[str]:
    """`given` from where the user stands, because commands work from the repository's root."""
    return [str(Path(path).absolute()) for path in given]


def _describe(checked: Checked) -> str:
    """What a good check found, for people."""
    from precmark.source import CAPABILITIES

    lines = []
    for table in checked.tables.values():
        lines.append(f"{table.table}: {rows_text(table.rows)}")
        if table.users:
            lines[-1] += f", {table.users:,} users"
        if table.start and table.end:
            lines[-1] += f", {table.start:%Y-%m-%d %H:%M} to {table.end:%Y-%m-%d %H:%M} UTC"
        if table.ignored:
            lines.append(f"  columns not used: {', '.join(table.ignored)}")
        lines += [f"  set aside: {rows_text(n)}, {reason}" for reason, n in table.set_aside.items()]
    lines.append("The log holds " + "; ".join(CAPABILITIES[c] for c in sorted(checked.says)) + ".")
    lacking = [CAPABILITIES[c] for c in CAPABILITIES if c not in (*checked.says, "truth", "visits")]
    if lacking:
        lines.append("It does not hold " + "; ".join(lacking) + ": what needs it is left out.")
    lines.append(f"Fingerprint {checked.fingerprint}. No problems: `precmark run` can use it.")
    return "\n".join(lines)


@app.command()
def check(
    files: Annotated[
        list[str],
        typer.Argument(help="Parquet, CSV, JSON lines, gz or zip of these, folders, 'globs*'"),
    ],
    map_: MapOption = "",
    event_names: EventNamesOption = "",
    timezone: TimezoneOption = None,
    drop_personal: DropPersonalOption = False,
) -> None:
    """List everything that is wrong with an event log, with row numbers and the fix.

    Nothing is written. Exit code 0: the log can be run; 2: it can not.

    Example: precmark check 'logs/2024-*.csv.gz' --map user_id=visitorid,event=action
    """
    from precmark.contract import check as check_files

    checked = check_files(_paths(files), _options(map_, event_names, timezone, drop_personal))
    print(_describe(checked.require()))


@app.command()
def run(
    name: Annotated[str, typer.Option(help="The run's folder under runs/")],
    events: Annotated[
        list[str] | None, typer.Option(help="Your event log: files, a folder or a 'glob*'")
    ] = None,
    users: Annotated[list[str] | None, typer.Option(help="Attributes of the users")] = None,
    items: Annotated[list[str] | None, typer.Option(help="Your products or broadcasters")] = None,
    assignments: Annotated[list[str] | None, typer.Option(help="Randomised coupons")] = None,
    visits: Annotated[
        list[str] | None, typer.Option(help="One row a session, where that is all there is")
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="NAME", help="A public data set (precmark data list)")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="The publisher's file for --data")] = None,
    simulate: Annotated[
        str | None,
        typer.Option(metavar="SCALE", help="The simulated store: classroom, sample, book, paper"),
    ] = None,
    world: Annotated[
        str, typer.Option(help="Who responds to a coupon in the simulated store")
    ] = "persuadable_risk",
    seed: Annotated[int, typer.Option(help="Of the simulated store")] = 1,
    map_: MapOption = "",
    event_names: EventNamesOption = "",
    timezone: TimezoneOption = None,
    drop_personal: DropPersonalOption = False,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Day before which profiles look; default: the log's end"),
    ] = None,
    engine: Annotated[str | None, typer.Option(help="duckdb (the default) or spark")] = None,
    gap_minutes: Annotated[
        float, typer.Option(help="Silence that ends a session where there is no session id")
    ] = 30.0,
    max_views: Annotated[
        int, typer.Option(help="Page views above which a session is a program's")
    ] = 100,
    only: Annotated[
        list[str] | None, typer.Option(metavar="CHAPTER", help="Only this chapter; repeatable")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="CHAPTER.NAME=VALUE", help="Repeatable"),
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="Chapters at the same time")] = 2,
    force: Annotated[bool, typer.Option("--force", help="Rerun what is up to date")] = False,
) -> None:
    """Run the chapters on a log, a public data set or the simulated store, into runs/NAME.

    Only what is stale runs again; a run that was stopped or failed goes on where it was. Without
    --events, --data or --simulate the run's own data is used again.

    Examples:

      precmark run --simulate sample --name sample

      precmark run --data online-retail --name uk-giftware

      precmark run --events clicks.csv.gz --timezone Asia/Tokyo --name mystore

      precmark run --name mystore --only 03_segmentation -p 03_segmentation.max_segments=6
    """
    from precmark import runs
    from precmark.chapters import left_out
    from precmark.prepare import Wanted, prepare, request_for
    from precmark.workflow import check_parameters, execute

    tables = {"events": events, "users": users, "items": items, "assignments": assignments,
              "visits": visits}  # fmt: skip
    given = {table: _paths(paths) for table, paths in tables.items() if paths}
    runs.enter_root()
    runs.check_name(name)
    chapter_parameters = check_parameters(parameter or [])
    wanted = Wanted(
        files=given,
        data=data, file=file and file.absolute(), simulate=simulate, world=world, seed=seed,
        options=_options(map_, event_names, timezone, drop_personal),
        as_of=as_of, engine=engine, gap_minutes=gap_minutes, max_views=max_views,
    )  # fmt: skip
    folder = Path("runs") / name
    request = request_for(folder, wanted)
    with runs.lock(folder):
        opened = prepare(folder, request, wanted, chapter_parameters, say=_say)
        for chapter, why in left_out(opened).items():
            _say(f"{chapter}: left out, because {why}")
        execute(opened, only=only or (), cores=cores, force=force)
    _say(f"{folder} is up to date. Render its book with: precmark book {name}")


@app.command()
def book(name: Annotated[str, typer.Argument(help="A run under runs/")]) -> None:
    """Render the book of a run into runs/NAME/book/html; warnings are errors.

    Example: precmark book sample
    """
    from precmark import runs
    from precmark.book import render

    runs.enter_root()
    runs.check_name(name)
    folder = Path("runs") / name
    opened = runs.Run(folder)
    with runs.lock(folder):
        print(render(opened))


@app.command()
def audit(
    files: Annotated[
        list[str], typer.Argument(help="Claims files (TOML), or folders of them: data/claims")
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="PATH", help="Write the table as JSON too")
    ] = None,
) -> None:
    """Check the printed figures of a paper against one another: a verdict and a reason for each.

    Works on any paper: type its figures and claims into a TOML file as those in data/claims are;
    chapter 09 of the book explains the checks.
    Exit code 0: all were checked, whatever the verdicts; 2: a file has problems, listed by line.

    Examples:

      precmark audit data/claims/gu.toml

      precmark audit mine.toml theirs.toml --json verdicts.json
    """
    from precmark.audit import report

    table = report.checked(files)
    if json_file is not None:
        report.write_json(table, json_file)
    report.show(table, Console(highlight=False))


@app.command()
def chat(
    run: Annotated[str, typer.Option(help="The run whose products are offered, under runs/")],
    model: Annotated[
        str, typer.Option(help="Intent classifier: characters, logistic, nearest, cnn, gru, ...")
    ] = "characters",
    user: Annotated[
        str | None, typer.Option(metavar="ID", help="A user id of the run, to count its history")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your own answers by intent (TOML)")
    ] = None,
    offers: Annotated[int, typer.Option(help="Products shown at a time, 1 to 10")] = 3,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show intent, confidence, slots and time of each turn")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the classifier")] = 0,
) -> None:
    """Talk to a run's shop: it understands, asks back, refuses, and offers products with a reason.

    Lines are read from the terminal, or from a pipe until it ends; "bye" ends too.

    Examples:

      printf 'towels under 20\\nthe second one\\n' | precmark chat --run sample --explain

      precmark chat --run uk-giftware --model cnn --answers answers.toml
    """
    from precmark import runs
    from precmark.dialogue.chat import chat as talk

    given = None if answers is None else answers.absolute()
    runs.enter_root()
    talk(runs.check_name(run), model=model, user=user, answers=given, offers=offers,
         seed=seed, explain=explain)  # fmt: skip


@app.command(hidden=True)
def store(name: Annotated[str, typer.Argument(help="A run under runs/")]) -> None:
    """Store the executed chapters of a run as notebooks/ (for maintainers)."""
    from precmark import runs
    from precmark.book import store_outputs

    runs.enter_root()
    for path in store_outputs(runs.Run(Path("runs") / runs.check_name(name))):
        print(path)


@app.command()
def chapters() -> None:
    """List the chapters, what each needs, and their parameters.

    Example: precmark chapters
    """
    from precmark import runs
    from precmark.chapters import notebook_path, registry
    from precmark.workflow import declared_parameters

    runs.enter_root()
    table = Table("Chapter", "Title", "Reads", "Parameters (-p CHAPTER.NAME=VALUE)")
    for card in registry().values():
        if notebook_path(card.name).exists():
            declared = [p for p in declared_parameters(card.name).values() if p["name"] != "run"]
            lines = [f"{p['name']} = {p['default']}  {p['help']}".rstrip() for p in declared]
            table.add_row(card.name, card.title, ", ".join(card.needs) or "the data",
                          "\n".join(lines))  # fmt: skip
    Console().print(table)


@data_app.command("list")
def data_list() -> None:
    """List the public data sets with licence, size and what each can say.

    Example: precmark data list
    """
    from precmark import adapters

    table = Table("Name", "Title", "Says", "Licence")
    for name in adapters.names():
        source = adapters.card(name).source
        table.add_row(name, source.title, ", ".join(sorted(source.says)), source.licence)
    Console().print(table)


@data_app.command("get")
def data_get(
    name: Annotated[str, typer.Argument(help="One of `precmark data list`")],
) -> None:
    """Fetch a data set into the cache and check its content; prints where it lies.

    Example: precmark data get online-retail
    """
    from precmark import adapters

    print(adapters.get(name))


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def _say(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)


class _Stopped(BaseException):
    """Ctrl-C or a polite kill; not an error, so nothing that catches errors catches it."""


def _stop(signum: int, frame: object) -> None:
    raise _Stopped


def main() -> None:
    """Run the command line: exit 2, one message for bad input; 1 for a failed chapter or book.

    A chapter that refuses its parameters or its data is bad input too.
    """
    from precmark.book import BookFailed
    from precmark.workflow import ChapterFailed

    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except InputError as error:
        _fail(error, 2)
    except ChapterFailed as error:
        _fail(error, 2 if error.bad_input else 1)
    except BookFailed as error:
        _fail(error, 1)
    except _Stopped:
        _fail("stopped. What was finished is kept; the same command goes on.", 130)


def _fail(text: object, code: int) -> None:
    print(f"precmark: {text}", file=sys.stderr)
    sys.exit(code)
