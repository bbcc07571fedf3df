"""What to cite for the places that pictures and encoders come from, by their names."""

from __future__ import annotations

import re

_SETS = {
    "isic2016": ("isic2016",),
    "isic2017": ("isic2017",),
    "isic2018": ("isic2018", "ham10000"),
    "ham10000": ("ham10000", "tschandl2020"),
    "ph2": ("ph2",),
}
_SET = re.compile(r"(isic[-_ ]?201[678]|ham10000|ph2)(?![0-9a-z])", re.IGNORECASE)

# timm's names begin with the family; the longest that fits is it.
_ENCODERS = {
    "resnet": "he2016",
    "mobilenetv2": "sandler2018",
    "mobilenetv3": "howard2019",
    "tf_mobilenetv3": "howard2019",
    "efficientnet_": "tan2019",
    "tf_efficientnet_": "tan2019",
    "efficientnetv2": "tan2021",
    "tf_efficientnetv2": "tan2021",
    "convnext_": "liu2022",
}


def citations_of_source(name: str) -> tuple[str, ...]:
    """What to cite for a source of pictures, where its name begins with that of a public set."""
    found = _SET.match(name)
    return _SETS[re.sub(r"[-_ ]", "", found[1]).lower()] if found else ()


def citations_of_encoder(name: str) -> tuple[str, ...]:
    """What to cite for one of timm's encoders: the library, and the paper of its family where the name tells it."""
    families = [family for family in _ENCODERS if name.startswith(family)]
    return ("wightman2019", *([_ENCODERS[max(families, key=len)]] if families else []))
