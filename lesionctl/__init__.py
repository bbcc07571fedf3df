"""lesionctl finds the outline of a skin lesion in dermoscopic photographs."""

__version__ = "0.1.0"
