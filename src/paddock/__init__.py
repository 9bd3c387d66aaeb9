"""Paddock keeps AI models on people's own machines."""

from paddock.version import VERSION

__version__ = VERSION

__all__ = ["__version__"]
