"""Tensor and file types of ggml, by the numbers that GGUF files use."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Block:
    """A tensor type: so many values share so many bytes."""

    name: str
    elements: int
    size_bytes: int


# Numbers 4, 5, 31–33 and 36–38 were withdrawn.
BLOCKS: Final[Mapping[int, Block]] = MappingProxyType(
    {
        0: Block("F32", 1, 4), 1: Block("F16", 1, 2), 2: Block("Q4_0", 32, 18), 3: Block("Q4_1", 32, 20),
        6: Block("Q5_0", 32, 22), 7: Block("Q5_1", 32, 24), 8: Block("Q8_0", 32, 34), 9: Block("Q8_1", 32, 40),
        10: Block("Q2_K", 256, 84), 11: Block("Q3_K", 256, 110), 12: Block("Q4_K", 256, 144),
        13: Block("Q5_K", 256, 176), 14: Block("Q6_K", 256, 210), 15: Block("Q8_K", 256, 292),
        16: Block("IQ2_XXS", 256, 66), 17: Block("IQ2_XS", 256, 74), 18: Block("IQ3_XXS", 256, 98),
        19: Block("IQ1_S", 256, 50), 20: Block("IQ4_NL", 32, 18), 21: Block("IQ3_S", 256, 110),
        22: Block("IQ2_S", 256, 82), 23: Block("IQ4_XS", 256, 136), 24: Block("I8", 1, 1), 25: Block("I16", 1, 2),
        26: Block("I32", 1, 4), 27: Block("I64", 1, 8), 28: Block("F64", 1, 8), 29: Block("IQ1_M", 256, 56),
        30: Block("BF16", 1, 2), 34: Block("TQ1_0", 256, 54), 35: Block("TQ2_0", 256, 66),
        39: Block("MXFP4", 32, 17), 40: Block("NVFP4", 64, 36), 41: Block("Q1_0", 128, 18),
    }
)  # fmt: skip

FILE_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
        12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
        19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
        26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0",
        37: "TQ2_0", 38: "MXFP4", 39: "NVFP4", 40: "Q1_0",
    }
)  # fmt: skip
