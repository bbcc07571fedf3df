"""Whether a difference can be told from chance: Wilcoxon's test, and Holm's correction for many tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


_EXACT_UP_TO = 50  # differences: the normal approximation is as good as exact beyond


def wilcoxon(differences: Sequence[float]) -> float:
    """Wilcoxon's signed-rank test (1945), two-sided: differences lie around zero alike on both sides.

    Zeros are left out, as Wilcoxon did and as SciPy and R do by default, so that the number is the one that others
    compute; how many ties there are is to be told beside it. (Pratt 1959 ranks zeros before they are left out.) With
    the zeros gone p is exact for up to 50 differences, whether some are of equal size or not; beyond that it is the
    normal approximation, corrected for equal sizes and not for continuity.

    Args:
        differences: One for each independent unit: the mean of a group's pictures rather than each of them.

    Returns:
        p in (0, 1]; 1 where all differences are zero.
    """
    different = np.asarray(differences, np.float64)
    different = different[different != 0]
    if not len(different):
        return 1.0
    from scipy import stats  # a second to import, and only comparisons need it

    if len(different) > _EXACT_UP_TO:
        return float(stats.wilcoxon(different).pvalue)
    # Where sizes are equal, SciPy tries every way to give out signs, which takes seconds. Twice a rank is a whole
    # number, so that the distribution of their sum can be built up rank by rank.
    ranks = np.rint(2 * stats.rankdata(np.abs(different))).astype(np.int64)
    ways = np.zeros(int(ranks.sum()) + 1)
    ways[0] = 1.0
    for rank in ranks:
        ways[rank:] += ways[:-rank].copy()  # the rank on the negative side, or on the positive one
    share = ways / ways.sum()
    found = int(ranks[different > 0].sum())
    return float(min(1.0, 2 * min(share[: found + 1].sum(), share[found:].sum())))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p-values of tests made together, so that to report any false finding is as rare as p says (Holm 1979).

    By hand, because the library for it, statsmodels, would bring pandas along for six lines.

    Args:
        p_values: m of them, in [0, 1].

    Returns:
        In the same order: the smallest times m, the next times m - 1, and so on; none below a smaller one's, none
        above 1.
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1)
    return adjusted.tolist()
