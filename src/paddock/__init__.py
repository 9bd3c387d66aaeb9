"""Paddock keeps AI models on people's own machines."""

from paddock.version import VERSION as __version__

__all__ = ["__version__"]
