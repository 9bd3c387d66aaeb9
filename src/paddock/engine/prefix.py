"""Which prefixes of which prompts lie in which blocks.

A block's name is the digest of (everything before it, its tokens); the root of a chain is the tenant and the namespace:

    root(tenant, namespace) ──tokens 0…15──► d1 ──tokens 16…31──► d2 ──tokens 32…36──► d3 (a part of a block)

Digests are BLAKE2b, 128 bits, keyed with bytes drawn at start. An accident needs about 2⁶⁴ blocks; on purpose nobody can
search for a collision without the key, which never leaves the process. So equal names are taken for equal prefixes, and
tenants never read each other's keys and values. A chain that lost a middle block to eviction joins up again when that block
is recomputed.
"""

from array import array
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from secrets import token_bytes

from paddock.engine.blocks import BlockPool

DIGEST_BYTES = 16
SIBLINGS_MAX = 16  # compared when only a part of a block is shared: a popular prefix may have thousands


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: bytes
    parent: bytes
    tokens: tuple[int, ...]
    block: int


@dataclass(frozen=True, slots=True)
class Match:
    """The longest known prefix. The last of `blocks` may be used in part, and is then copied before it is written."""

    positions: int
    blocks: tuple[int, ...]


NO_MATCH = Match(0, ())


class PrefixIndex:
    """Names of blocks. Holds no references: a name goes when the pool needs its block."""

    def __init__(self, pool: BlockPool, *, key: bytes | None = None) -> None:
        self._pool = pool
        self._key = token_bytes(32) if key is None else key
        self._entries: dict[bytes, _Entry] = {}
        self._children: dict[bytes, dict[bytes, _Entry]] = {}
        self._by_block: dict[int, _Entry] = {}
        pool.on_evict = self._forget

    def __len__(self) -> int:
        return len(self._entries)

    def root(self, tenant: str, namespace: str) -> bytes:
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        return self._digest(len(tenant).to_bytes(8, "little"), f"{tenant}{namespace}".encode(errors="surrogatepass"))

    def extend(self, chain: list[bytes], tokens: SequenceOf[int]) -> None:
        """Bring `chain` (the root, then a digest a full block) up to date with `tokens`."""
        size = self._pool.block_tokens
        for index in range(len(chain) - 1, len(tokens) // size):
            chain.append(self._name(chain[-1], tokens[index * size : (index + 1) * size]))

    def match(self, chain: list[bytes], tokens: SequenceOf[int]) -> Match:
        """The longest known prefix of `tokens`, which `chain` names. Never all: the last token is computed for its logits."""
        size, limit = self._pool.block_tokens, len(tokens) - 1
        blocks: list[int] = []
        for digest in chain[1:]:
            entry = self._entries.get(digest)
            if entry is None:
                break
            blocks.append(entry.block)
        positions = len(blocks) * size
        shared, block = self._best_sibling(chain[len(blocks)], tokens[positions : positions + size])
        # Below a quarter of a block, computing is cheaper than copying.
        if shared >= max(1, size // 4):
            blocks.append(block)
            positions += shared
        positions = min(positions, limit)
        return Match(positions, tuple(blocks[: self._pool.blocks_for(positions)]))

    def enter(self, parent: bytes, tokens: SequenceOf[int], block: int) -> None:
        """This block holds the keys and values of `tokens` (a full block of them, or fewer) after `parent`.

        Does nothing when another block has that name already, or this one has a name.
        """
        name = self._name(parent, tokens)
        if name in self._entries or block in self._by_block:
            return
        entry = _Entry(name, parent, tuple(tokens), block)
        self._entries[name] = entry
        self._children.setdefault(parent, {})[name] = entry
        self._by_block[block] = entry
        self._pool.keep(block)

    def is_known(self, digest: bytes) -> bool:
        return digest in self._entries

    def length(self, block: int) -> int:
        """How many tokens this block's name stands for; 0 when it has none."""
        entry = self._by_block.get(block)
        return len(entry.tokens) if entry else 0

    def remove(self, block: int) -> None:
        """Forget this block's name, so that its holder can write on in it."""
        self._forget(block)
        self._pool.let_go(block)

    def check(self) -> None:
        """Raises AssertionError when names and blocks disagree."""
        if self._pool.kept != len(self._by_block) or not all(map(self._pool.is_kept, self._by_block)):
            for block in range(self._pool.block_count):
                named = block in self._by_block
                assert named == self._pool.is_kept(block), f"block {block}: named is {named}, kept is {not named}"
        assert len(self._entries) == len(self._by_block), "as many names as named blocks"
        children = sum(len(siblings) for siblings in self._children.values())
        assert children == len(self._entries), f"{children} children of {len(self._entries)} names"

    def _best_sibling(self, parent: bytes, tokens: SequenceOf[int]) -> tuple[int, int]:
        """How many of `tokens` the most similar block after `parent` shares from the start, and which block that is."""
        best, block = 0, -1
        siblings = self._children.get(parent)
        if siblings is None:
            return best, block
        for entry in islice(reversed(siblings.values()), SIBLINGS_MAX):
            shared = 0
            for mine, theirs in zip(tokens, entry.tokens, strict=False):
                if mine != theirs:
                    break
                shared += 1
            if shared > best:
                best, block = shared, entry.block
        return best, block

    def _forget(self, block: int) -> None:
        entry = self._by_block.pop(block)
        del self._entries[entry.digest]
        siblings = self._children[entry.parent]
        del siblings[entry.digest]
        if not siblings:
            del self._children[entry.parent]

    def _name(self, parent: bytes, tokens: SequenceOf[int]) -> bytes:
        return self._digest(parent, array("q", tokens).tobytes())

    def _digest(self, parent: bytes, content: bytes) -> bytes:
        digest = blake2b(parent, digest_size=DIGEST_BYTES, key=self._key)
        digest.update(content)
        return digest.digest()
