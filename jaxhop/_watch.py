"""Searches followed in a terminal, or line by line in a log."""

import contextlib
import io
import math
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from jaxhop import _shown
from jaxhop._live import Folder, View, line

_WIDE = 120  # columns from which on the curve stands beside the facts
_COLOURS = {"running": "green", "finished": "blue", "starting": "cyan"}
_BLOCKS, _PLAIN = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
_SPARK = 16  # columns of a curve in a table
_FRAME = 4  # columns of a panel's border


def watch(directory: str, every: float, once: bool) -> None:
    """Shows how the searches in a folder stand, until Ctrl-C.

    On a terminal it is one picture that changes; elsewhere it is a line for each change, without
    control characters.

    Args:
        directory: of one search, or of several.
        every: seconds between two looks, at least.
        once: whether to look only once.
    """
    folder = Folder(directory)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # names may have letters that it does not know
    console = Console(file=sys.stdout)
    try:
        if not sys.stdout.isatty():
            _lines(folder, every, once)
        elif once:
            console.print(_picture(folder, folder.look(), console, whole=True))
        else:
            _live(folder, console, every)
    except KeyboardInterrupt:
        pass  # how it is left


def _lines(folder: Folder, every: float, once: bool) -> None:
    said: dict[str, str] = {}
    while True:
        for view in folder.look():
            text = line(view)
            if said.get(view.name) != text:
                said[view.name] = text
                print(time.strftime("%Y-%m-%d %H:%M:%S"), text, flush=True)
        if once:
            return
        time.sleep(every)


def _live(folder: Folder, console: Console, every: float) -> None:
    """On a screen of its own, of which the last picture stays behind."""
    views: list[View] = []
    try:
        with _ended_by_sigterm(), Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                views = folder.look()
                live.update(_picture(folder, views, console), refresh=True)
                time.sleep(every)
    finally:
        console.print(_picture(folder, views, console, whole=True))


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM leaves the screen as Ctrl-C does, with the status 143 of what it ends."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are not its business
        return

    def leave(number: int, frame: Any) -> None:
        del frame
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _picture(
    folder: Folder, views: Sequence[View], console: Console, whole: bool = False
) -> RenderableType:
    """All that is shown; if not `whole`, what fits on the screen."""
    blocks = _BLOCKS if console.encoding.startswith("utf") else _PLAIN
    if not views:
        return Text("no search is here yet", style="dim")
    height = 100 if whole else console.height
    if folder.single or len(views) == 1:
        return _search(views[0], console.width, height, blocks)
    return _table(views[: max(1, height - 4)], console.width, blocks)


def _search(view: View, width: int, height: int, blocks: str) -> RenderableType:
    wide = width >= _WIDE
    room = width - _FRAME
    facts = _facts(view)
    rows = 5 if height < 30 else 8
    used = len(view.facts) + (0 if wide else rows + 2) + 6 + len(view.notes)
    lists = max(2, height - used)
    params, improvements = _params(view, lists), _improvements(view, min(lists, 10))
    body: list[RenderableType]
    if wide:
        half = (room - 2) // 2
        chart = _chart(view, half, min(12, max(rows, len(view.facts))), blocks)
        body = [_beside(Group(facts, Text(), params), Group(chart, Text(), improvements))]
    else:
        body = [facts, Text(), _chart(view, room, rows, blocks), Text()]
        body.append(_beside(params, improvements))
    body += [Text(note, style="yellow") for note in view.notes]
    title = Text.assemble((view.name, "bold"), ": ", _state(view))
    return Panel(Group(*body), title=title, title_align="left", width=width)


def _beside(left: RenderableType, right: RenderableType) -> Table:
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(left, right)
    return grid


def _facts(view: View) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    best = f"{view.best} ({view.direction})" if view.best else "none yet"
    grid.add_row("best value", Text(best, style="bold"))
    for name, text in view.facts:
        grid.add_row(name, Text(text))
    return grid


def _params(view: View, rows: int) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, overflow="ellipsis", max_width=40)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_row(Text("best parameters", style="dim"), "")
    shown = view.params[: rows - 1] if len(view.params) + bool(view.hidden) > rows else view.params
    for name, text in shown:
        grid.add_row(Text(name), Text(text))
    if hidden := len(view.params) - len(shown) + view.hidden:
        grid.add_row(Text(f"and {hidden:,} more", style="dim"), "")
    return grid


def _improvements(view: View, rows: int) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(3):
        grid.add_column(no_wrap=True, justify="right")
    grid.add_row(*(Text(name, style="dim") for name in ("improved at", "after", "to")))
    for row in view.improvements[:rows]:
        grid.add_row(*map(Text, row))
    return grid


def _table(views: Sequence[View], width: int, blocks: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, width=width, padding=(0, 1))
    wide = width >= _WIDE
    narrow = {"search": 8, "": 11, "best value": 13, "evaluations": 11, "time": 17}
    columns = narrow | ({"best so far": _SPARK, "budget": 8, "phase": 8} if wide else {})
    for name, least in columns.items():
        table.add_column(name, no_wrap=True, overflow="ellipsis", min_width=least)
    for view in views:
        facts = {"evaluations": "", "time": "", "budget": "", "phase": ""} | dict(view.facts)
        done, used = facts["evaluations"], facts["time"]
        best = f"{float(view.best):.6g} {view.direction}" if view.best else ""
        if not wide:  # there is room for the first of one and the last of the other
            done, used = done.split(", ")[0], used.split(" about ")[-1]
        cells = [best, done, used]
        if wide:
            cells += [_spark(view, blocks), facts["budget"], facts["phase"]]
        table.add_row(Text(view.name), _state(view), *map(Text, cells))
    return table


def _state(view: View) -> Text:
    return Text(view.state, style=_COLOURS.get(view.state, "yellow"))


def _chart(view: View, width: int, rows: int, blocks: str) -> RenderableType:
    """The best value so far as columns of blocks, with its ends at the side."""
    if len(view.curve) < 2:
        return Text("no curve yet", style="dim")
    values = [value for _, value in view.curve]
    ends = [f"{max(values):.4g}", f"{min(values):.4g}"]
    side = max(map(len, ends))
    heights = _heights(view, width - side - 1, rows * (len(blocks) - 1))
    lines = []
    for row in range(rows - 1, -1, -1):
        label = ends[0] if row == rows - 1 else ends[1] if row == 0 else ""
        full = len(blocks) - 1
        drawn = "".join(blocks[min(full, max(0, each - row * full))] for each in heights)
        lines.append(Text.assemble((f"{label:>{side}} ", "dim"), (drawn, "cyan")))
    scale = ", logarithmic" if view.log else ""
    last = f"{view.curve[-1][0]:,}"
    foot = _shown.plain(f"best so far{scale}, evaluations 1 to {last}", max(10, width - side - 1))
    lines.append(Text(" " * (side + 1) + foot, style="dim"))
    return Group(*lines)


def _spark(view: View, blocks: str) -> str:
    """The curve on one line."""
    heights = _heights(view, _SPARK, len(blocks) - 2) if len(view.curve) > 1 else []
    return "".join(blocks[1 + each] for each in heights)


def _heights(view: View, columns: int, top: int) -> list[int]:
    """How high the curve is at so many places, from 0 to `top`; its lowest place is seen, too."""
    scaled = [math.log(value) if view.log else value for _, value in view.curve]
    low, high = min(scaled), max(scaled)
    last, at, heights = view.curve[-1][0], 0, []
    for column in range(columns):
        place = 1 + (last - 1) * column / max(1, columns - 1)
        while at + 1 < len(scaled) and view.curve[at + 1][0] <= place:
            at += 1
        share = (scaled[at] - low) / (high - low) if high > low else 0.0
        heights.append(max(1 if top > 8 else 0, round(share * top)))
    return heights
