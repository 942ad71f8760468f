"""Elements of SVG, and the page that all charts share: colours for light and dark, and lines at the bottom."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

WIDTH: Final = 860
MARGIN: Final = 20
LINE: Final = 16
"""Pixels from one line of small text to the next one."""

COLOURS: Final = (("#2563a8", "#6ea8e5"), ("#b3590a", "#e39a52"), ("#4b7a3f", "#8fbf80"), ("#7b4a94", "#bf94d6"))
"""Of the series, in turn: for a light and for a dark background."""

_LIGHT: Final = {"background": "#ffffff", "text": "#1f2328", "faint": "#59636e", "grid": "#d1d9e0"}
_DARK: Final = {"background": "#0d1117", "text": "#f0f6fc", "faint": "#9198a1", "grid": "#3d444d"}


def element(name: str, *children: str, **attributes: str | float) -> str:
    """An element. Names of attributes have `_` where SVG has `-`; a trailing one is cut off, as in `class_`."""
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"' for key, value in attributes.items()
    )
    return f"<{name}{shown}>{''.join(children)}</{name}>" if children else f"<{name}{shown}/>"


def text(x: float, y: float, content: str, kind: str = "text", anchor: str = "start") -> str:
    """One line of text; `y` is its base line. `kind` is `title`, `text` or `faint`."""
    return element("text", escape(content), x=x, y=y, class_=kind, text_anchor=anchor)


def series_class(number: int) -> str:
    """The class that gives an element the colour of a series."""
    return f"series-{number % len(COLOURS)}"


def legend(names: Sequence[str], y: float) -> str:
    """A line with the name of each series beside its colour."""
    parts, x = [], float(MARGIN)
    for number, name in enumerate(names):
        parts.append(element("rect", x=x, y=y - 9, width=10, height=10, class_=series_class(number)))
        parts.append(text(x + 15, y, name))
        x += 35 + 7.5 * len(name)
    return "".join(parts)


def page(title: str, body: str, height: float, notes: Sequence[str]) -> str:
    """A whole file: the title at the top, the chart below it, and the notes at the bottom."""
    total = height + LINE * len(notes) + MARGIN
    lines = [text(MARGIN, height + LINE * number, note, "faint") for number, note in enumerate(notes, 1)]
    return (
        element(
            "svg",
            element("title", escape(title)),
            element("style", _style()),
            element("rect", width=WIDTH, height=total, class_="background"),
            text(MARGIN, MARGIN + 8, title, "title"),
            body,
            *lines,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {WIDTH} {_plain(total)}",
            width=WIDTH,
            height=total,
            role="img",
        )
        + "\n"
    )


def _style() -> str:
    rules = [
        "text{font:12px system-ui,sans-serif}",
        "text.title{font-size:16px;font-weight:600}",
        "text.faint{font-size:11px}",
        _colours(_LIGHT, 0),
        f"@media(prefers-color-scheme:dark){{{_colours(_DARK, 1)}}}",
    ]
    return "".join(rules)


def _colours(shades: dict[str, str], number: int) -> str:
    series = "".join(
        f".{series_class(each)}{{fill:{pair[number]};stroke:{pair[number]}}}" for each, pair in enumerate(COLOURS)
    )
    return (
        f".background{{fill:{shades['background']}}}text{{fill:{shades['text']}}}text.faint{{fill:{shades['faint']}}}"
        f".grid{{stroke:{shades['grid']};fill:none}}{series}"
    )


def _plain(value: str | float) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
