"""Whether a difference can be told from chance: Wilcoxon's test, and Holm's correction for many tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


def wilcoxon(differences: Sequence[float]) -> float:
    """Wilcoxon's signed-rank test (1945), two-sided: differences lie around zero alike on both sides.

    Zeros are left out, as Wilcoxon did and as SciPy and R do by default, so that the number is the one that others
    compute; how many ties there are is to be told beside it. (Pratt 1959 ranks zeros before they are left out.) With
    the zeros gone p is exact for up to 50 differences of which no two are of equal size, and for up to 13 in any case;
    beyond that it is the normal approximation, corrected for equal sizes and not for continuity.

    Args:
        differences: One for each independent unit: the mean of a group's pictures rather than each of them.

    Returns:
        p in (0, 1]; 1 where all differences are zero.
    """
    different = np.asarray(differences, np.float64)
    different = different[different != 0]  # SciPy would do it, but leave its exact distributions for a single zero
    if not len(different):
        return 1.0
    from scipy import stats  # a second to import, and only comparisons need it

    return float(stats.wilcoxon(different).pvalue)


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
