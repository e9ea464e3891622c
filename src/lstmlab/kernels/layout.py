"""Where everything of a diagram stands: columns by longest path, rows by search, lines along rows and columns.

A node and the line that leaves it share a row. The line runs to the right along it, and from there up or down to
whatever it feeds: straight through the middle of a circle's column, or, before a box, through the gap to its left.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from random import Random
from typing import NamedTuple

from lstmlab.kernels.diagram import Diagram

STARTS = 5
"""Searches from rows disturbed by chance."""
PATIENCE = 40_000_000
"""Pairs of nodes looked at before a search ends with what it has: a few seconds, for a cell with very many parts."""
CONFLICT, CROSSING, BEND, HEIGHT = 1000.0, 5.0, 1.5, 0.5
"""What a search for rows pays: for two things in one place, a crossing, a line that is not straight, a row crossed."""


class Entry(NamedTuple):
    """How a line reaches its end: along the row, down or up the end's own column, or through the gap before it."""

    start: int
    end: int
    how: str
    at: float
    """Column of the vertical part; half a column less for the gap before it."""


@dataclass(frozen=True)
class Grid:
    """Column and row of every node, and how every line of the diagram enters its end."""

    columns: tuple[int, ...]
    rows: tuple[int, ...]
    entries: tuple[Entry, ...]
    lanes: dict[int, tuple[int, ...]]
    """Column → the nodes whose lines have a vertical in the gap before it, from left to right."""


def arrange(diagram: Diagram) -> Grid:
    """The best grid found. The same diagram always gives the same one."""
    columns = _columns(diagram)
    search = _Search(diagram, columns)
    rows = search.best()
    entries = tuple(search.entries(rows))
    return Grid(tuple(columns), tuple(rows), entries, _lanes(columns, rows, entries))


def _columns(diagram: Diagram) -> list[int]:
    """The longest path to each node; boxes stand behind the place where x and h meet, results in one last column."""
    columns = [0] * len(diagram.nodes)
    meeting = any(node.shape == "join" for node in diagram.nodes)
    # A line leads to a higher number, so each node comes after those that feed it.
    for at, node in enumerate(diagram.nodes):
        before = [columns[line.start] + 1 for line in diagram.into(at)]
        least = 2 if node.shape == "gate" and meeting else 0
        columns[at] = max([least, *before])
    last = max(columns[at] for at, node in enumerate(diagram.nodes) if node.shape == "sink")
    return [last if node.shape == "sink" else column for column, node in zip(columns, diagram.nodes, strict=True)]


class _Search:
    """Finds rows with few crossings and bends, from a first guess, by moving one thing at a time."""

    def __init__(self, diagram: Diagram, columns: list[int]) -> None:
        self.columns = columns
        self.lines = list(dict.fromkeys((line.start, line.end) for line in diagram.lines))
        self.count = len(columns)
        # A result stands in the row of what gives it; where that gives two, the second has a row of its own.
        ends = {line.start: line.end for line in diagram.lines[::-1] if diagram.nodes[line.end].shape == "sink"}
        self.sinks = {end: start for start, end in ends.items()}
        self.free = [at for at in range(self.count) if at not in self.sinks]
        self.boxed = [node.shape in ("gate", "sink") for node in diagram.nodes]
        self.fed = {at: [start for start, end in self.lines if end == at] for at in range(self.count)}
        self.pairs = set(self.lines)
        self.memory = {at for at, node in enumerate(diagram.nodes) if node.memory}
        self.gates = [at for at, node in enumerate(diagram.nodes) if node.shape == "gate"]
        joins = [at for at, node in enumerate(diagram.nodes) if node.shape == "join"]
        self.joined = [(at, *(line.start for line in diagram.into(at))) for at in joins]
        self.moves = self._moves()
        self.seen: set[tuple[int, ...]] = set()

    def best(self) -> list[int]:
        """Rows from 0 at the top, none of them empty: the best end of several searches."""
        first = self._first()
        chance = Random(0)  # The same for every drawing, so that the same cell gives the same rows.
        found = [self._improved(first)]
        for _ in range(STARTS):
            shaken = list(found[0][1])
            for at in self.free:
                if chance.random() < 0.5:
                    shaken[at] = int(chance.random() * (max(first) + 1))
            found.append(self._improved(_packed(self._with_sinks(shaken))))
            found.sort()
        return _packed(found[0][1])

    def _improved(self, rows: list[int]) -> tuple[float, list[int]]:
        """The rows after every move that makes them better, and what is still wrong with them."""
        cost, before = self.cost(rows), math.inf
        while cost < before - 1e-9 and len(self.seen) * self.count**2 < PATIENCE:
            before = cost
            for move in self.moves:
                for changed in self._tried(rows, move):
                    # What was not better once is not better now.
                    if (key := tuple(changed)) in self.seen:
                        continue
                    self.seen.add(key)
                    new = self.cost(changed, cost)
                    if new < cost - 1e-9:
                        rows, cost = changed, new
        return cost, rows

    def _first(self) -> list[int]:
        """States that pass through at the top, each on a row of its own; everything else below, one by one."""
        rows = [0] * self.count
        tops: dict[int, int] = {}
        for at in self.free:
            if at in self.memory:
                start = next((s for s, e in self.lines if e == at and s in tops), None)
                tops[at] = len(set(tops.values())) if start is None else tops[start]
        below = len(set(tops.values()))
        for count, at in enumerate(one for one in self.free if one not in tops):
            rows[at] = below + count
        for at, row in tops.items():
            rows[at] = row
        return self._with_sinks(rows)

    def _with_sinks(self, rows: Sequence[int]) -> list[int]:
        rows = list(rows)
        for sink, start in self.sinks.items():
            rows[sink] = rows[start]
        return rows

    def _moves(self) -> list[tuple[int, ...]]:
        """What is moved together: single nodes, and whole ways of states that pass through."""
        fed = {end for start, end in self.lines if start in self.memory}
        starts = [at for at in self.free if at in self.memory and at not in fed]
        return [(at,) for at in self.free] + [tuple(self._way(at)) for at in starts]

    def _way(self, start: int) -> Iterator[int]:
        yield start
        following = next((e for s, e in self.lines if s == start and e in self.memory and e not in self.sinks), None)
        if following is not None:
            yield from self._way(following)

    def _tried(self, rows: list[int], move: tuple[int, ...]) -> Iterator[list[int]]:
        """What is moved in every other row, shared or new; a single node also in the place of every later one."""
        for row in range(max(rows) + 2):
            shared = list(rows)
            for at in move:
                shared[at] = row
            yield _packed(self._with_sinks(shared))
            parted = [one + (one >= row) for one in rows]
            for at in move:
                parted[at] = row
            yield _packed(self._with_sinks(parted))
        for other in self.free if len(move) == 1 else ():
            if other > move[0]:
                swapped = list(rows)
                swapped[other], swapped[move[0]] = rows[move[0]], rows[other]
                yield self._with_sinks(swapped)

    def entries(self, rows: Sequence[int]) -> list[Entry]:
        """How each line enters its end: of two that come from the same side, the farther one through the gap."""
        found = []
        for end, starts in self.fed.items():
            taken = [False, False]
            for start in starts if len(starts) == 1 else sorted(starts, key=lambda one: abs(rows[one] - rows[end])):
                below = rows[start] > rows[end]
                if rows[start] == rows[end]:
                    found.append(Entry(start, end, "row", self.columns[end]))
                elif self.boxed[end] or taken[below]:
                    found.append(Entry(start, end, "gap", self.columns[end] - 0.5))
                else:
                    taken[below] = True
                    found.append(Entry(start, end, "column", self.columns[end]))
        return found

    def cost(self, rows: list[int], most: float = math.inf) -> float:
        """What is wrong with these rows, the less the better; infinite as soon as it is more than `most`."""
        columns, entries = self.columns, self.entries(rows)
        total = HEIGHT * max(rows) + CONFLICT * self._in_the_way(rows, entries)
        if total > most:
            return math.inf
        reach = list(map(float, columns))
        for entry in entries:
            reach[entry.start] = max(reach[entry.start], entry.at)
        verticals = [
            (entry.start, entry.end, entry.at, *_ordered(rows[entry.start], rows[entry.end]))
            for entry in entries
            if entry.how != "row"
        ]
        for count, (start, end, at, low, high) in enumerate(verticals):
            keep = start in self.memory and end in self.memory
            total += BEND + 15 * keep + HEIGHT * (high - low)
            for other in self.free:
                if low < rows[other] < high:
                    if columns[other] == at:
                        total += CONFLICT
                    elif other != start and columns[other] < at <= reach[other]:
                        total += CROSSING
            for start2, end2, at2, low2, high2 in verticals[:count]:
                if at != at2 or start == start2:
                    continue
                if at == int(at):
                    total += CONFLICT * (end != end2 and low < high2 and low2 < high)
                else:
                    # In a gap each would have to turn left of the other.
                    total += CONFLICT * (rows[start] == rows[end2] and rows[start2] == rows[end])
        return total + self._unusual(rows)

    def _unusual(self, rows: list[int]) -> float:
        """How far from custom: memory at the top, what comes in at the bottom, gates in the cell's order."""
        total = sum(0.3 * rows[at] for at in self.memory)
        total -= sum(0.1 * rows[at] for at in self.free if self.columns[at] == 0 and at not in self.memory)
        total += sum(0.4 * (rows[one] > rows[other]) for one, other in combinations(self.gates, 2))
        return total + sum((rows[join] != rows[h]) + 0.3 * (rows[x] < rows[h]) for join, h, x in self.joined)

    def _in_the_way(self, rows: list[int], entries: list[Entry]) -> int:
        """Pairs of nodes or lines that would lie on each other in one row."""
        columns, found = self.columns, 0
        reach, turns = list(map(float, columns)), [-1.0] * self.count
        for entry in entries:
            reach[entry.start] = max(reach[entry.start], entry.at)
            if entry.how != "row":
                turns[entry.start] = max(turns[entry.start], entry.at)
        by_row: dict[int, list[int]] = {}
        for at in range(self.count):
            by_row.setdefault(rows[at], []).append(at)
        for members in by_row.values():
            for one, other in combinations(members, 2):
                left, right = (one, other) if columns[one] <= columns[other] else (other, one)
                # A line may end in what stands in its way, but not pass or turn there.
                end = turns[left] if (left, right) in self.pairs else reach[left]
                found += columns[left] == columns[right] or end >= columns[right] or reach[left] > columns[right]
        return found


def _ordered(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one <= other else (other, one)


def _packed(rows: list[int]) -> list[int]:
    """Without empty rows."""
    order = {row: count for count, row in enumerate(sorted(set(rows)))}
    return [order[row] for row in rows]


def _lanes(columns: list[int], rows: Sequence[int], entries: Sequence[Entry]) -> dict[int, tuple[int, ...]]:
    """For the gap before each column the order of its verticals that crosses least."""
    gaps: dict[int, dict[int, list[int]]] = {}
    for entry in entries:
        if entry.how == "gap":
            gaps.setdefault(columns[entry.end], {}).setdefault(entry.start, []).append(rows[entry.end])
    found = {}
    for column, nets in gaps.items():

        def crossings(order: tuple[int, ...]) -> int:
            return sum(_crossed(rows, nets, *pair) for pair in combinations(order, 2))  # noqa: B023  (used at once)

        starts = sorted(nets, key=lambda start: rows[start])
        found[column] = min(permutations(starts), key=crossings) if len(starts) < 7 else tuple(starts)
    return found


def _crossed(rows: Sequence[int], nets: dict[int, list[int]], left: int, right: int) -> int:
    """How often two lines cross in a gap, the one's vertical left of the other's; much, where one lies on the other."""
    (low, high), (low2, high2) = (
        (min(rows[start], *nets[start]), max(rows[start], *nets[start])) for start in (left, right)
    )
    crossed = (low < rows[right] < high) + sum(low2 < end < high2 for end in nets[left])
    return crossed + 50 * (rows[right] in nets[left])
