"""The one place that knows which version this is."""

from typing import Final

VERSION: Final = "0.1.0.dev0"
