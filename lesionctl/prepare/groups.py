"""Groups: what never stands on two sides of a split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet


def group_by_shared_keys(keys: Sequence[AbstractSet[str]]) -> list[str]:
    """Put samples that share any key, directly or through others, into one group.

    Args:
        keys: For each sample, at least one key.

    Returns:
        For each sample, the name of its group: the smallest key of its members.
    """
    numbers: dict[str, int] = {}
    rows, columns = [], []
    for sample, own in enumerate(keys):
        for key in own:
            rows.append(sample)
            columns.append(len(keys) + numbers.setdefault(key, len(numbers)))
    nodes = len(keys) + len(numbers)
    edges = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(nodes, nodes))
    labels = connected_components(edges, directed=False)[1][: len(keys)]
    names: dict[int, str] = {}
    for label, own in zip(labels, keys, strict=True):
        names[label] = min(names.get(label, min(own)), min(own))
    return [names[label] for label in labels]
