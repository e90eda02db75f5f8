"""Which passages of two documents speak of one matter; pure.

Two ways: they say nearly the same, or their documents are versions of one and they are each
other's counterpart. Of such a pair the stronger authority is to be quoted, whether or not a value
was found in which they part.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kb.neighbours import Near, Places, find_near, select_near
from kb.ports import Vectors

SAME_PASSAGE = 0.90
"""Cosine from which on passages of any two documents say the same. Of 80 pairs at 0.80 and more
between pages of different matter (bench/README.md), from 0.90 on 12 of 13 share a sentence word
for word, from 0.85 to 0.90 14 of 19, below 17 of 48."""
VERSION_TITLES, VERSION_DOCUMENTS = 0.90, 0.85
"""Together: two documents of one title that are about one thing."""
VERSION_SHARE, LIKE_PASSAGE, VERSION_PASSAGES = 0.40, 0.80, 3
"""Of one document's passages, the share with a like one in the other, and how many at least, that
make them versions whatever their titles: of 8,444 pairs of other pages none reaches 0.30 under
another title, of 79 of one page all do that are not rewritten."""
RELATED_DOCUMENTS = 0.60
"""Below it documents are no versions of one."""
COUNTERPART = 0.65
"""Cosine from which on the nearest passages of two versions have one matter: from there to 0.80 57
of 134 share a sentence word for word, below 7 of 60."""


def find_twin_passages(
    vectors: Vectors, owners: Places, related: Vectors, entitled: Vectors
) -> Near:
    """Pairs of passages of two documents that speak of one matter.

    Args:
        vectors: Unit vectors, one a passage.
        owners: Place of each passage's document, in ascending order.
        related: Cosines between documents; -1 where two are not to be compared.
        entitled: Cosines between their titles; -1 where titles tell the documents apart.

    Returns:
        Left passages, right ones (of a later document) and their cosines, in the order of rows.
    """
    near = find_near(
        vectors, owners, related, ((0.0, SAME_PASSAGE), (RELATED_DOCUMENTS, COUNTERPART))
    )
    rows, columns, cosines = near
    versions = _find_versions(near, owners, related, entitled)
    counterparts = versions[owners[rows], owners[columns]] & _is_nearest(near, owners)
    return select_near(near, (cosines >= SAME_PASSAGE) | counterparts)


def _find_versions(
    near: Near, owners: Places, related: Vectors, entitled: Vectors
) -> NDArray[np.bool_]:
    """For each two documents whether they are versions of one."""
    count = len(related)
    rows, columns, _ = select_near(near, near[2] >= LIKE_PASSAGE)
    sizes = np.maximum(np.bincount(owners, minlength=count), 1)
    like = np.zeros((count, count), np.int64)
    for mine, other in ((rows, columns), (columns, rows)):
        found = np.unique(np.stack([mine, owners[other]]), axis=1)
        np.add.at(like, (owners[found[0]], found[1]), 1)
    shared = (like >= VERSION_PASSAGES) & (like >= VERSION_SHARE * sizes[:, None])
    one_title = (entitled >= VERSION_TITLES) & (related >= VERSION_DOCUMENTS)
    alike: NDArray[np.bool_] = (shared | shared.T) & (related >= RELATED_DOCUMENTS)
    return one_title | (alike & (entitled > -1.0))


def _is_nearest(near: Near, owners: Places) -> NDArray[np.bool_]:
    """Whether one passage is the other's nearest of its document, either way."""
    rows, columns, cosines = near
    nearest = np.zeros(len(rows), bool)
    for mine, other in ((rows, columns), (columns, rows)):
        order = np.lexsort((other, -cosines, owners[other], mine))
        groups = np.stack([mine[order], owners[other][order]])
        first = np.r_[True, np.any(groups[:, 1:] != groups[:, :-1], axis=0)][: len(order)]
        nearest[order[first]] = True
    return nearest
