"""Whether the pictures that `lesionctl predict` flags for review are those that went wrong.

    python tests/benchmarks/review_curve.py STORE [--model lesion-s] [--split val] [--tta] [--most N]

The picture files of a split go the way that they go in a prediction; a failure is a mask with a Jaccard index below
0.65 with the truth at the picture's own size. For each sign, pictures are ordered by how suspicious they look by it:
printed is the share of the failures that is among the most suspicious 5, 10, 20 and 30 % of the pictures, and the area
under that curve, which is 0.5 for a random order. Then, for each flag and for all together, the share of the pictures
that it is raised on, the share of the failures that is among them, and how many of those flagged have failed. Last, the
same for the limits at which a flag would be raised more or less often, where they are general ones.

Limits are chosen on a validation split; `--split test` is for one look at what was chosen.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lesionctl.dataset.samples import Split
from lesionctl.dataset.store import open_store
from lesionctl.errors import Failure
from lesionctl.predict import review
from lesionctl.predict.review import Flag, Review, Signs
from lesionctl.runtime.load import load_segmenter
from lesionctl.runtime.stream import segment_files
from lesionctl.runtime.threads import parallel_map
from lesionctl.runtime.views import DihedralSegmenter
from lesionctl.scoring.counts import count
from lesionctl.scoring.overlap import THRESHOLD_JACCARD, jaccard

SHARES = (0.05, 0.1, 0.2, 0.3)
TRIED = {
    "other_regions": (0.01, 0.02, 0.05, 0.1, 0.2),
    "border": (0.0, 0.05, 0.1, 0.2, 0.3),
    "area above": (0.6, 0.8, 0.9),
    "area below": (0.005, 0.01, 0.015, 0.02, 0.03),
    "disagreement": (0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.3),
}


class Case(NamedTuple):
    """A picture: how good its mask is, and how suspicious."""

    jaccard: float
    signs: Signs
    review: Review


def judge(store, rows, segmenter) -> list[Case]:
    """Predict the files of rows of a store and look at what comes of them."""
    samples = [store.samples[row] for row in rows]

    def look(item) -> Case:
        row, sample, segmented = item
        if isinstance(segmented, Failure):
            raise SystemExit(f"{segmented.path} {segmented.reason}")
        mask = segmenter.mask(segmented.probability, segmented.frame)
        counts = count(mask, store.native_masks.read(row, sample.height, sample.width))
        signs = review.find_signs(mask, segmented, segmenter.spec)
        return Case(jaccard(counts), signs, review.review(mask, segmented, segmenter.spec))

    segmented = segment_files(segmenter, (sample.image for sample in samples))
    return list(parallel_map(look, zip(rows, samples, segmented, strict=True)))


def print_orders(signs: dict[str, np.ndarray], failed: np.ndarray) -> None:
    """For each sign, high where a picture is suspicious: where its order puts the failures."""
    print(f"{'ordered by':24}" + "".join(f"{f'first {share:.0%}':>11}" for share in SHARES) + f"{'area':>8}")
    for name, values in signs.items():
        if values[0] is None:
            continue
        # Equal ones in the order that is neither lucky nor unlucky: each counts as the mean of its equals.
        ranks = np.unique(-values.astype(float), return_inverse=True)[1]
        rates = np.bincount(ranks, failed) / np.bincount(ranks)
        found = np.cumsum(rates[np.sort(ranks)]) / failed.sum()
        shares = "".join(f"{found[max(0, round(share * len(found)) - 1)]:11.2f}" for share in SHARES)
        print(f"{name:24}{shares}{found.mean():8.3f}")


def print_flagged(name: str, flagged: np.ndarray, failed: np.ndarray) -> None:
    """What is flagged, and what that finds."""
    precision = f"{failed[flagged].mean():11.2f}" if flagged.any() else f"{'':>11}"
    print(f"{name:32}{flagged.sum():9}{flagged.mean():9.3f}{failed[flagged].sum() / failed.sum():11.2f}{precision}")


def main() -> None:
    """Parse what is asked for, and do it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--model", default="lesion-s")
    parser.add_argument("--split", type=Split, default=Split.VALIDATION, choices=list(Split))
    parser.add_argument("--tta", action="store_true", help="look at the eight views of each picture")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--most", type=int, help="look at so many pictures, spread over the split")
    given = parser.parse_args()
    store, segmenter = open_store(given.store), load_segmenter(given.model, given.device)
    if given.tta:
        segmenter = DihedralSegmenter(segmenter)
    rows = store.rows(given.split)
    if given.most:
        rows = rows[np.linspace(0, len(rows) - 1, min(given.most, len(rows))).astype(int)]
    cases = judge(store, rows, segmenter)
    scores = np.array([case.jaccard for case in cases])
    failed = scores < THRESHOLD_JACCARD
    print(f"{segmenter.spec.name}, {segmenter.backend}, {given.split} split: {len(cases)} pictures, mean Jaccard")
    print(f"{scores.mean():.4f}, {failed.sum()} failures ({failed.mean():.1%}); limits: confidence", end=" ")
    familiar = segmenter.spec.familiar
    print(f"{segmenter.spec.confidence_limit}, distance {familiar.limit if familiar else None}\n")
    if not failed.any():
        raise SystemExit("nothing has failed: there is nothing to find")

    values = {name: np.array([getattr(case.signs, name) for case in cases]) for name in vars(cases[0].signs)}
    flags = [case.review.flags for case in cases]
    raised = {flag: np.array([flag in some for some in flags]) for flag in Flag}
    together = np.array([bool(some) for some in flags])
    orders = {"confidence, low first": -values["confidence"], "area, large first": values["area"]}
    orders |= {"area, small first": -values["area"]}
    orders |= {name: values[name] for name in ("other_regions", "border", "disagreement", "distance")}
    orders |= {"flagged, then confidence": together - values["confidence"]}
    print_orders(orders, failed)

    print(f"\n{'flag':32}{'pictures':>9}{'share':>9}{'failures':>11}{'precision':>11}")
    for flag, where in raised.items():
        print_flagged(flag, where, failed)
    print_flagged("any of them", together, failed)
    clear = ~together
    print(f"not flagged: mean Jaccard {scores[clear].mean():.4f}, {failed[clear].mean():.1%} failed;", end=" ")
    print(f"flagged: mean Jaccard {scores[together].mean():.4f}")

    print(f"\n{'at other limits':32}{'pictures':>9}{'share':>9}{'failures':>11}{'precision':>11}")
    for name, limits in TRIED.items():
        sign = values[name.split()[0]]
        for limit in limits if sign[0] is not None else ():
            below = name.endswith("below")
            where = sign < limit if below else sign > limit
            print_flagged(f"{name.split()[0]} {'<' if below else '>'} {limit:g}", where, failed)


if __name__ == "__main__":
    main()
