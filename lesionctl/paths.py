"""Where things live on this machine."""

from __future__ import annotations

import os
from pathlib import Path

BUNDLED_MODELS = Path(__file__).parent / "models"
"""The models that come with the program: one `.safetensors` and one card (`.md`) each."""

DEFAULT_MODEL = "lesion-s"

CACHE_VARIABLE = "LESIONCTL_CACHE_DIR"


def user_config_file() -> Path:
    """A person's own defaults; need not exist."""
    import platformdirs  # here and below: it takes time that `--help` need not wait for

    return platformdirs.user_config_path("lesionctl") / "config.toml"


def cache_dir() -> Path:
    """Where fetched things are kept, absolute; `LESIONCTL_CACHE_DIR` moves it. Need not exist or be writable."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("lesionctl")


def downloads_directory() -> Path:
    """Where the files that were downloaded are kept under their own names."""
    return cache_dir() / "downloads"


def set_directory(name: str) -> Path:
    """Where the fetched set of that name lies unpacked: `images/`, `masks/`, `metadata.csv`. Need not exist."""
    return cache_dir() / "sets" / name


def encoders_directory() -> Path:
    """Where fetched encoder weights are kept."""
    return cache_dir() / "encoders"


def encoder_weights_file(name: str) -> Path:
    """Where the fetched weights of the timm encoder `name`, typed like this, are kept. Need not exist."""
    return encoders_directory() / f"{name}.safetensors"
