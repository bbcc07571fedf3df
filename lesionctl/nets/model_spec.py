"""Everything that is needed to use a model, as plain data that travels inside the model's file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from lesionctl.dataset.exposure import Exposure
from lesionctl.imaging.familiarity import Familiarity
from lesionctl.imaging.frame import Frame
from lesionctl.imaging.postprocess import Postprocess
from lesionctl.imaging.resize_rule import ResizeRule
from lesionctl.nets.spec import NetSpec, spec_from_dict, spec_to_dict

METADATA_KEY = "lesionctl"
"""Under this name a model file of any format holds the JSON of its ModelSpec."""

_FORMAT = 1


@dataclass(frozen=True)
class ModelSpec:
    """How to use a model, and what is known of it.

    Attributes:
        net: What the network is.
        size: Side of the network's square input, in pixels.
        mean: Mean per channel that inputs are normalised with, for pixels in [0, 1].
        std: Standard deviation per channel, likewise.
        resize: How a picture becomes a square.
        threshold: A pixel is lesion where its probability is above this.
        postprocess: What is done to the mask then.
        name: What the model is called.
        licence: Under what terms the weights can be used, and the licences of the pictures that it learned from.
        training_data: What it learned from, in words.
        training_digest: SHA-256 of the samples it was trained and tuned on, in hex.
        ancestors: The training digests of the models that its weights started from, oldest first, and of its teachers.
        seen: What it and its ancestors were trained and tuned on; empty where the file does not say.
        familiar: What pictures like those that it learned from look like; None where the file does not say.
        confidence_limit: Below this confidence a person should look at a mask; None where the file does not say.
        scores: Figures of the model, by a name that says data, split and aggregation.
        format: Version of this structure.
    """

    net: NetSpec
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    resize: ResizeRule = ResizeRule.SQUASH
    threshold: float = 0.5
    postprocess: Postprocess = field(default=Postprocess())
    name: str = "unnamed"
    licence: str = "not stated"
    training_data: str = "not stated"
    training_digest: str = ""
    ancestors: tuple[str, ...] = ()
    seen: Exposure = field(default=Exposure(), repr=False)
    familiar: Familiarity | None = field(default=None, repr=False)
    confidence_limit: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    format: int = _FORMAT

    def frame(self, height: int, width: int) -> Frame:
        """How a picture of this size is mapped into the network's input."""
        return Frame.fit(height, width, self.size, self.resize)

    def to_json(self) -> str:
        """The text that travels in a model file."""
        values = {**asdict(self), "net": spec_to_dict(self.net), "seen": self.seen.to_dict()}
        if self.familiar is not None:
            values["familiar"] = self.familiar.to_dict()
        if self.seen == Exposure():  # as in files of the time before models said it
            del values["seen"]
        if self.postprocess == Postprocess():
            del values["postprocess"]
        for name in ("familiar", "confidence_limit"):
            if values[name] is None:
                del values[name]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Read what `to_json` wrote.

        Raises:
            ValueError: The text is something else, or of another version.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            if values["format"] != _FORMAT:
                raise ValueError(f"it has the format of another version ({values['format']})")
            values["net"] = spec_from_dict(values["net"])
            values["resize"] = ResizeRule(values["resize"])
            values["postprocess"] = Postprocess(**values.get("postprocess", {}))
            values["seen"] = Exposure.from_dict(values["seen"]) if "seen" in values else Exposure()
            if "familiar" in values:
                values["familiar"] = Familiarity.from_dict(values["familiar"])
            for name in ("mean", "std", "ancestors"):
                values[name] = tuple(values.get(name, ()))
            return cls(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it does not describe a model ({error!r})") from error
