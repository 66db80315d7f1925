"""The terminal: consoles as this project wants them, and texts made safe to print on one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sharpen.reporting.text import for_terminal, one_line, to_ascii

GAP = 2  # blanks between the columns of a table, one of which is the box's own
_ASCII_HEAD = box.Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)


def make_console(*, stderr: bool = False, file: TextIO | None = None, width: int | None = None) -> Console:
    """A console that takes no text for markup, emoji codes or code to highlight. ``NO_COLOR`` is respected by Rich."""
    return Console(stderr=stderr, file=file, width=width, markup=False, emoji=False, highlight=False)


def safe(console: Console, text: str) -> str:
    """``text`` without control characters and escape sequences, and in ASCII where the terminal knows no UTF-8."""
    text = for_terminal(text).expandtabs(4)
    return text if is_unicode(console) else to_ascii(text)


def is_unicode(console: Console) -> bool:
    """Whether the console's encoding is one of Unicode's."""
    return not console.options.ascii_only


def styled(console: Console, text: str, style: str = "") -> Text:
    """A text that is safe to print, in one style."""
    return Text(safe(console, text), style=style)


def fitting(start: str, parts: Sequence[str], width: int) -> str:
    """As many of the parts as fit on a line of ``width`` cells; the first one always stays."""
    line = start + parts[0]
    for part in parts[1:]:
        longer = f"{line} · {part}"
        if cell_len(longer) > width:
            break
        line = longer
    return line


def table(
    console: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    numbers: Collection[str] = (),
    flexible: str | None = None,
) -> Table:
    """A light table that never exceeds the console's width.

    Columns named in ``numbers`` are aligned to the right. The ``flexible`` column is cut where room is short; without
    one, cells fold.
    """
    cells = [[styled(console, one_line(c, 300)) if isinstance(c, str) else c for c in row] for row in rows]
    widths = {
        name: max(cell_len(safe(console, name)), *(row[index].cell_len for row in cells), 0)
        for index, name in enumerate(columns)
    }
    room = console.width - sum(width for name, width in widths.items() if name != flexible) - GAP * (len(columns) - 1)
    grid = Table(
        box=box.SIMPLE_HEAD if is_unicode(console) else _ASCII_HEAD,
        pad_edge=False,
        padding=(0, GAP - 1, 0, 0),
        show_edge=False,
        header_style="dim",
    )
    for name in columns:
        cut = name == flexible
        grid.add_column(
            safe(console, name),
            justify="right" if name in numbers else "left",
            no_wrap=cut,
            overflow=("ellipsis" if is_unicode(console) else "crop") if cut else "fold",
            max_width=max(4, min(room, widths[name])) if cut else None,
        )
    for row in cells:
        grid.add_row(*row)
    return grid


def print_pairs(console: Console, pairs: Sequence[tuple[str, str]], columns: int = 2) -> None:
    """Names and values in two pairs of columns where there is room."""
    if console.width < 60:
        columns = 1
    half = -(-len(pairs) // columns)
    grid = Table.grid(padding=(0, 2))
    for row in range(half):
        cells = [pairs[index] for index in range(row, len(pairs), half)]
        grid.add_row(
            *(part for name, value in cells for part in (styled(console, name, "dim"), styled(console, value)))
        )
    print_indented(console, grid)
    console.print()


def print_line(console: Console, text: str, style: str = "", indent: int = 2) -> None:
    """A text that wraps with its indentation."""
    for line in styled(console, text, style).wrap(console, max(20, console.width - indent)):
        line.rstrip()
        line.pad_left(indent)
        console.print(line, soft_wrap=True)


def print_indented(console: Console, grid: Table) -> None:
    """A grid, or a table with an empty line after it."""
    console.print(Padding(grid, (0, 0, 0, 2), expand=False))
    if grid.box is not None:
        console.print()
