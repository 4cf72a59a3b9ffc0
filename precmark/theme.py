"""A Sphinx extension that keeps out of the book's pages what they must not or need not load."""

from __future__ import annotations

from typing import Any


def _from_elsewhere(script: Any) -> bool:
    """Whether `script` belongs to live code cells (thebe), which load from a CDN.

    The theme adds it twice, so that every page starts with a script error.
    """
    attributes = getattr(script, "attributes", {})
    text = f"{getattr(script, 'filename', script)} {attributes.get('body', '')}"
    return "thebe" in text.lower()


def _drop_scripts(app: Any, page: str, template: str, context: dict, doctree: Any) -> None:
    context["script_files"] = [s for s in context["script_files"] if not _from_elsewhere(s)]


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx; late, so that the theme's own scripts are there to be dropped."""
    app.connect("html-page-context", _drop_scripts, priority=950)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
