"""Topic: the sets that can be fetched, and folders of one's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from lesionctl.cli.documents.blocks import Block, Example, Heading, Item, Listing, Paragraph
from lesionctl.cli.documents.program import Command

if TYPE_CHECKING:
    from lesionctl.fetch.catalog import FetchSet

MASK_ENDINGS = ("_segmentation", "_Segmentation", "_mask", "_lesion", "_seg", "")
"""What may stand between the name of a picture and the suffix in the name of its mask."""

LAYOUT = """\
mine/
  images/        X.jpg, Y.png, ...
  masks/         X_segmentation.png, ...
  metadata.csv   where there is one
"""
"""A folder that prepare takes."""


def blocks(_program: Command) -> Sequence[Block]:
    """The text."""
    from lesionctl.fetch.catalog import load_catalog
    from lesionctl.prepare.metadata import GROUP_COLUMNS

    *some, last = (f"`X{ending}.png`" for ending in MASK_ENDINGS)
    columns = ", ".join(f"`{column}`" for column in GROUP_COLUMNS)
    return [
        Paragraph(
            "fetch puts these into the cache, as folders that prepare finds by their names; `isic2018:train` is a part "
            "of one. `lesionctl fetch --list` shows sizes, and what is here already."
        ),
        *(Item(f"`{entry.name}`", tuple(_tell(entry))) for entry in load_catalog().values()),
        Heading("Folders of your own"),
        Listing(LAYOUT),
        Paragraph(
            f"A picture `X.jpg` and a mask belong together by their names: {', '.join(some)} or {last}. Folders that "
            "lie apart are named by --images and --masks. What has no partner is named and left out."
        ),
        Example("lesionctl prepare mine --out mine.store"),
        Heading("Tables"),
        Paragraph(
            "A CSV file may stand for a folder: its columns `image` and `mask` have the files, relative to it; `id`, "
            "`source`, `group`, `split` and `diagnosis` are taken where they are there. `samples.csv` of a store is "
            "such a table."
        ),
        Paragraph(
            "`metadata.csv` of a set, and tables of --metadata, have a row for each picture, found by its id: in a "
            f"column such as `image_id`. Pictures of equal {columns}, or the columns of --group-by, are never parted "
            "by a split."
        ),
        Heading("Splits"),
        Paragraph(
            "A column `split` (train, val, test) is an official split, and kept; a split that a set lacks is drawn "
            "from its training pictures, and --resplit draws all anew. Without one, --split 70/10/20 deals groups of "
            "pictures, so that each split has its share of small and large lesions and of each diagnosis."
        ),
        Paragraph(
            "Official splits overlap between the years: most test pictures of 2016 and 2017 stand in the training of "
            "2018. prepare refuses such a mixture with exit code 4 until --overlap test or --overlap train says which "
            "side keeps them."
        ),
        Example("lesionctl prepare isic2018:train isic2016:test --out cross.store --overlap test"),
        Heading("Licences"),
        Paragraph(
            "fetch tells the licence and the papers to cite, and writes them beside the pictures, in `LICENCE.txt`. A "
            "model that learned from pictures for non-commercial use is for non-commercial use."
        ),
    ]


def _tell(entry: FetchSet) -> Iterator[str]:
    yield f"{entry.title}: {entry.contents}."
    if entry.has_splits:
        yield "Official splits: " + ", ".join(f"{part} {count}" for part, count in entry.splits.items()) + "."
    elif entry.splits:
        yield f"{sum(entry.splits.values())} pictures, without official splits."
    yield f"Licence: {entry.licence}{entry.terms and f' ({entry.terms})'}."
