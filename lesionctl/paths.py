"""Where things live on this machine."""

from __future__ import annotations

from pathlib import Path

import platformdirs

BUNDLED_MODELS = Path(__file__).parent / "models"
"""The models that come with the program: one `.safetensors` and one card (`.md`) each."""

DEFAULT_MODEL = "lesion-s"


def user_config_file() -> Path:
    """A person's own defaults; need not exist."""
    return platformdirs.user_config_path("lesionctl") / "config.toml"
