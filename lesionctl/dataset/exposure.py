"""What a model has seen, small enough to travel in its file: so that a seen picture is never taken for a test."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lesionctl.dataset.samples import Sample

KINDS = {
    "sha256": "same file",
    "id": "same id",
    "near": "near-duplicate",
    "lesion_id": "same lesion",
    "patient_id": "same patient",
}
"""How a picture can be known, the closest first."""

# Only the archives' own names mean the same in everybody's folders: ISIC's pictures and PH2's, with whatever people put
# before or after them (ISIC_0000001_downsampled), HAM10000's and ISIC's lesions, ISIC's patients.
_PICTURE = re.compile(r"(?<![0-9a-z])(?:isic_\d{7}|imd\d{3})(?![0-9a-z])", re.IGNORECASE)
_LESION = re.compile(r"(?:ham|il)_\d{7}", re.IGNORECASE)
_PATIENT = re.compile(r"ip_\d{7}", re.IGNORECASE)


@dataclass(frozen=True)
class SeenCount:
    """How many of some pictures a model has seen.

    Attributes:
        pictures: So many.
        of: Of so many.
        by: How many by each of `KINDS`, each picture under the closest thing that it shares; they add up to `pictures`.
    """

    pictures: int
    of: int
    by: dict[str, int]

    def reasons(self) -> str:
        """By what, in words: `same file: 40, same lesion: 12`."""
        return ", ".join(f"{KINDS[kind]}: {number}" for kind, number in self.by.items())


@dataclass(frozen=True)
class Exposure:
    """What a model has seen: the numbers of the keys of all pictures that it was trained and tuned on.

    A number is the first 64 bits of a key's SHA-256. A key that a model with n of them has not seen is taken for one
    that it has with a probability of n / 2^64: 1e-15 for 21,000 keys, and less than 1e-10 for all the keys of 10,000
    pictures together. Of keys that mean something in one person's folders only, such as `id=001` or a hospital's
    numbers of its patients, nothing is kept.

    Attributes:
        numbers: One for each key.
        complete: Whether that is all. It is not where a model, or one that its weights started from, does not say.
    """

    numbers: frozenset[int] = field(default=frozenset(), repr=False)
    complete: bool = False

    @classmethod
    def of(cls, samples: Iterable[Sample]) -> Exposure:
        """All that can be known again of these samples."""
        return cls(
            frozenset(_number(key) for sample in samples for key in _keys_known_everywhere(sample)), complete=True
        )

    def __or__(self, other: Exposure) -> Exposure:
        """What was seen by one or the other."""
        return Exposure(self.numbers | other.numbers, self.complete and other.complete)

    def seen_keys(self, sample: Sample) -> tuple[str, ...]:
        """By which keys this knows a sample, the closest first; none where it does not.

        Of two near-duplicates, one knows the other by `near=` and an id even where only one of them was there when the
        other was prepared.
        """
        own = _keys_known_everywhere(sample)
        found = {key for key in own if _number(key) in self.numbers}
        for key in own:
            kind, _, value = key.partition("=")
            other_side = {"id": f"near={value}", "near": f"id={value}"}.get(kind)
            if other_side and other_side not in own and _number(other_side) in self.numbers:
                found.add(f"near={value}")
        return tuple(sorted(found, key=lambda key: (list(KINDS).index(key.partition("=")[0]), key)))

    def has_seen(self, sample: Sample) -> bool | None:
        """Whether a sample was seen; None where that cannot be known."""
        return True if self.seen_keys(sample) else (False if self.complete else None)

    def count(self, samples: Iterable[Sample]) -> SeenCount | None:
        """How many of some samples were seen for sure; None where nothing at all is known."""
        if not self.numbers:
            return None
        closest = [next((key.partition("=")[0] for key in self.seen_keys(sample)), "") for sample in samples]
        times = Counter(kind for kind in closest if kind)
        return SeenCount(times.total(), len(closest), {kind: times[kind] for kind in KINDS if times[kind]})

    def to_dict(self) -> dict[str, Any]:
        """The same in JSON's forms: the numbers as base64 of 8 bytes each, little-endian, ascending."""
        numbers = np.array(sorted(self.numbers), "<u8").tobytes()
        return {"numbers": base64.b64encode(numbers).decode(), "complete": self.complete}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Exposure:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: It is something else.
        """
        try:
            content = base64.b64decode(values["numbers"], validate=True)
            return cls(frozenset(np.frombuffer(content, "<u8").tolist()), bool(values["complete"]))
        except (KeyError, TypeError, binascii.Error, ValueError) as error:
            raise ValueError(f"it does not say rightly what it has seen ({error!r})") from error


def comparable_kinds(samples: Iterable[Sample]) -> tuple[str, ...]:
    """By which of `KINDS` some of these samples could be known again in anybody's model; the closest first.

    A near-duplicate is known by the archives' id of a picture that it looks like, or by its own.
    """
    found = {key.partition("=")[0] for sample in samples for key in _keys_known_everywhere(sample)}
    if "id" in found:
        found.add("near")
    return tuple(kind for kind in KINDS if kind in found)


def _keys_known_everywhere(sample: Sample) -> set[str]:
    """The keys of a sample that mean the same in everybody's folders, each in its one spelling."""
    keys = {f"sha256={sample.sha256}", f"id={sample.id}", *sample.keys}
    return {known for key in keys if (known := _known_everywhere(key)) is not None}


def _known_everywhere(key: str) -> str | None:
    kind, _, value = key.partition("=")
    if kind == "sha256":
        return key.lower()
    if kind in ("id", "near"):
        picture = _PICTURE.search(value)
        return f"{kind}={picture[0].upper()}" if picture else None
    if _LESION.fullmatch(value):  # whatever the column was called
        return f"lesion_id={value.upper()}"
    return f"patient_id={value.upper()}" if _PATIENT.fullmatch(value) else None


def _number(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little")
