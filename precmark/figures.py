"""One plot style, and figures that come with a caption, alt text and their table to download."""

from __future__ import annotations

import base64
import html
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

import matplotlib as mpl
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

COLOURS = ("#0b5c8c", "#d9772b", "#3d8c6c", "#8a5aa6", "#b8405e", "#7a7a7a", "#c2a83e", "#4fb3c8")
"""Told apart with the common colour blindnesses; lines and marks differ too (:data:`MARKS`)."""

MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (8, 3)), (0, (3, 1)))
HATCHES = ("", "//", "..", "xx", "\\\\", "--", "++", "oo")
SEQUENTIAL = "cividis"
"""Colour map of every heat map: even in lightness, so it reads in grey."""

STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 144,
    "figure.figsize": (7.2, 3.8),
    "figure.constrained_layout.use": True,
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "axes.prop_cycle": mpl.cycler(color=COLOURS),
    "image.cmap": SEQUENTIAL,
    "legend.frameon": False,
}


@contextmanager
def style() -> Iterator[None]:
    """Plot in the book's style inside this context."""
    with mpl.rc_context(STYLE):
        yield


def new(rows: int = 1, columns: int = 1, *, size: tuple[float, float] | None = None, **kwargs):
    """A figure and its axes in the book's style, like :func:`matplotlib.pyplot.subplots`.

    `size` is in inches; 7.2 wide fills the page.
    """
    import matplotlib.pyplot as plt

    with style():
        return plt.subplots(rows, columns, figsize=size or STYLE["figure.figsize"], **kwargs)


def show(fig: Figure, *, name: str, caption: str, alt: str, table: pd.DataFrame) -> None:
    """Display `fig` with its caption, alt text and a link that downloads `table` as CSV.

    Parameters
    ----------
    fig : Figure
        Closed afterwards.
    name : str
        File name of the download, without ending, e.g. ``"funnel"``; also the figure's anchor.
    caption : str
        Says what the reader sees and whether the data is simulated.
    alt : str
        What the picture shows, for those who cannot see it: kind of chart, axes, main reading.
    table : pandas.DataFrame
        The numbers drawn. A named index is written too.
    """
    import matplotlib.pyplot as plt
    from IPython.display import HTML, display

    for text, what in ((caption, "caption"), (alt, "alt text")):
        if len(text.split()) < 4:
            raise ValueError(f"figure {name!r} needs a real {what}, got {text!r}")
    with style():
        buffer = io.BytesIO()
        fig.savefig(buffer, format="png", dpi=STYLE["savefig.dpi"], metadata={"Software": None})
    plt.close(fig)
    image = base64.b64encode(buffer.getvalue()).decode()
    named_index = any(n is not None for n in table.index.names)
    csv = base64.b64encode(table.to_csv(index=named_index).encode()).decode()
    display(
        HTML(
            f'<figure class="precmark-figure" id="fig-{name}">'
            f'<img alt="{html.escape(alt, quote=True)}" src="data:image/png;base64,{image}">'
            f"<figcaption>{html.escape(caption)} "
            f'<a class="table-download" download="{name}.csv" '
            f'href="data:text/csv;base64,{csv}">Table ({len(table):,} rows, CSV)</a>'
            "</figcaption></figure>"
        )
    )


def scrolling(
    frame: pd.DataFrame,
    label: str,
    *,
    height: str = "24rem",
    width: str = "100%",
    download: tuple[str, pd.DataFrame] | None = None,
) -> None:
    """Display `frame` as a table that scrolls inside the page in both directions.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of text.
    label : str
        Its name for those who cannot see it.
    height, width : str
        CSS lengths: how much is seen at once, and how wide the table is at least.
    download : tuple, optional
        File name without ending, and a table that a link below offers as CSV.
    """
    from IPython.display import HTML, display

    table = frame.to_html(index=False, border=0)
    table = table.replace("<table", f'<table style="min-width: {width}"', 1)
    text = (
        f'<div class="precmark-scroll" role="region" tabindex="0" style="max-height: {height}" '
        f'aria-label="{html.escape(label, quote=True)}">{table}</div>'
    )
    if download is not None:
        name, whole = download
        csv = base64.b64encode(whole.to_csv(index=False).encode()).decode()
        text += (
            f'<p><a class="table-download" download="{name}.csv" '
            f'href="data:text/csv;base64,{csv}">Table ({len(whole):,} rows, CSV)</a></p>'
        )
    display(HTML(text))
