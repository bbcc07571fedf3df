"""What a report says, as plain data: sections of blocks, which each form of the report writes in its own way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from lesionctl.citations import Citation, load_citations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True)
class Words:
    """A sentence, or what stands in a cell.

    Attributes:
        text: The words.
        cites: Keys of `citations.toml`: what the words rest on.
    """

    text: str
    cites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paragraph:
    """Sentences.

    Attributes:
        sentences: One after another; each ends with its own full stop.
        title: What it is about, where that is said; may be empty.
        warns: Whether a reader must not miss it.
    """

    sentences: tuple[Words, ...]
    title: str = ""
    warns: bool = False


@dataclass(frozen=True)
class Tile:
    """A figure that is shown large.

    Attributes:
        label: Its name.
        note: What it is, in a few words.
        values: For each side its name, the value and the interval, which may be empty.
    """

    label: str
    note: str
    values: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Tiles:
    """A few figures side by side."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: What is in it.
        small: What belongs to it and matters less, such as an interval; may be empty.
        shade: How much it is tinted, in [0, 1].
        cites: Keys of `citations.toml`.
    """

    text: str
    small: str = ""
    shade: float = 0.0
    cites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows under a head; the first cell of each row names it.

    Attributes:
        caption: What it shows.
        head: Of the columns.
        rows: As many cells each as the head; or one alone, which is a heading above the rows that follow.
        note: What has to be known to read it; may be empty.
        words: Whether its cells hold words and not figures.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    words: bool = False


@dataclass(frozen=True)
class Facts:
    """Terms, each with what is to be said of it."""

    items: tuple[tuple[str, Words], ...]


@dataclass(frozen=True)
class Listing:
    """Short lines, one below the other."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Plot:
    """A plot.

    Attributes:
        title: What it shows.
        caption: How to read it.
        svg: From `<svg` to `</svg>`, with a text for those who do not see it; empty where the form has no pictures.
    """

    title: str
    caption: str
    svg: str = ""


@dataclass(frozen=True)
class Painting:
    """A picture in the gallery, as one side found it.

    Attributes:
        side: Its name.
        scores: Its figures, in words.
        alt: What is to be seen, for those who do not see it.
        source: A data URI; empty where the form has no pictures.
        width: In pixels.
        height: In pixels.
    """

    side: str
    scores: str
    alt: str
    source: str = ""
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class Exhibit:
    """A picture of the gallery.

    Attributes:
        id: Its id.
        remark: What a reader should know of it; may be empty.
        paintings: By each side, the first first.
    """

    id: str
    remark: str
    paintings: tuple[Painting, ...]


@dataclass(frozen=True)
class Gallery:
    """Pictures that belong together: the best, the worst."""

    title: str
    caption: str
    exhibits: tuple[Exhibit, ...]


@dataclass(frozen=True)
class Fold:
    """Blocks that a reader opens who wants them."""

    title: str
    blocks: tuple[Block, ...]


Block: TypeAlias = Paragraph | Tiles | Table | Facts | Listing | Plot | Gallery | Fold


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes:
        id: Its anchor.
        title: Its heading.
        blocks: What it says.
    """

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report.

    Attributes:
        title: What was scored, on what.
        date: When, such as `21 November 2026`.
        sections: First to last.
        numbers: The number of each key that is cited, from 1, in the order in which they come up.
    """

    title: str
    date: str
    sections: tuple[Section, ...]
    numbers: dict[str, int] = field(init=False)

    def __post_init__(self) -> None:
        """Number what is cited."""
        keys = dict.fromkeys(key for section in self.sections for block in section.blocks for key in _cited(block))
        object.__setattr__(self, "numbers", {key: number for number, key in enumerate(keys, start=1)})

    @property
    def references(self) -> list[tuple[int, Citation]]:
        """What is cited, by number."""
        return [(number, load_citations()[key]) for key, number in self.numbers.items()]


def _cited(block: Block) -> Iterator[str]:
    if isinstance(block, Fold):
        for inner in block.blocks:
            yield from _cited(inner)
    for words in _words(block):
        yield from words.cites


def _words(block: Block) -> Iterable[Words | Cell]:
    if isinstance(block, Paragraph):
        return block.sentences
    if isinstance(block, Facts):
        return [words for _, words in block.items]
    return [cell for row in block.rows for cell in row] if isinstance(block, Table) else []
