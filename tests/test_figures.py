"""Figures come with their words and their table."""

import base64
import io
import re

import pandas as pd
import pytest

from precmark import figures


def _shown(monkeypatch, **kwargs) -> str:
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda thing: shown.append(thing.data))
    fig, ax = figures.new()
    ax.plot([0, 1])
    words = {
        "caption": "A line that rises. Simulated store.",
        "alt": "Line chart that rises from zero to one.",
        "table": pd.DataFrame({"x": [0, 1], "y": [0.0, 1.0]}),
    }
    figures.show(fig, name="line", **{**words, **kwargs})
    return shown[0]


def test_the_table_downloads_whole(monkeypatch):
    html = _shown(monkeypatch)
    csv = base64.b64decode(re.search(r"data:text/csv;base64,([^\"]+)", html)[1])
    assert pd.read_csv(io.BytesIO(csv)).to_dict("list") == {"x": [0, 1], "y": [0.0, 1.0]}


def test_words_are_escaped_and_the_picture_is_a_png(monkeypatch):
    html = _shown(monkeypatch, alt='Curves "a" < "b" over four days of data.')
    assert 'alt="Curves &quot;a&quot; &lt; &quot;b&quot; over four days of data."' in html
    png = base64.b64decode(re.search(r"data:image/png;base64,([^\"]+)", html)[1])
    assert png[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_same_figure_is_the_same_bytes(monkeypatch):
    assert _shown(monkeypatch) == _shown(monkeypatch)


@pytest.mark.parametrize("missing", ["caption", "alt"])
def test_a_figure_without_words_is_a_mistake(monkeypatch, missing):
    with pytest.raises(ValueError, match="needs a real"):
        _shown(monkeypatch, **{missing: "Figure 1"})


def test_the_style_ends_with_its_context():
    import matplotlib as mpl

    before = mpl.rcParams["font.size"]
    with figures.style():
        assert mpl.rcParams["axes.spines.top"] is False
    assert mpl.rcParams["font.size"] == before
