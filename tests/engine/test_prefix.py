"""The index of prefixes: exact, never all of a prompt, one tenant at a time."""

from paddock.engine.blocks import BlockPool
from paddock.engine.prefix import SIBLINGS_MAX, Match, PrefixIndex


class Index:
    """A pool of blocks of four tokens, and its index."""

    def __init__(self, blocks: int = 8) -> None:
        self.pool = BlockPool(blocks, 4)
        self.index = PrefixIndex(self.pool, key=b"key")

    def chain(self, tokens: list[int], tenant: str = "") -> list[bytes]:
        chain = [self.index.root(tenant, "")]
        self.index.extend(chain, tokens)
        return chain

    def enter(self, tokens: list[int], tenant: str = "") -> list[int]:
        """As a sequence that computes `tokens` and ends."""
        chain = self.chain(tokens, tenant)
        blocks = self.pool.allocate(self.pool.blocks_for(len(tokens)))
        for number, block in enumerate(blocks):
            self.index.enter(chain[number], tokens[4 * number : 4 * number + 4], block)
        self.pool.release(reversed(blocks))
        self.index.check()
        return blocks

    def match(self, tokens: list[int], tenant: str = "") -> Match:
        return self.index.match(self.chain(tokens, tenant), tokens)


def test_the_longest_known_prefix_is_found() -> None:
    """Every block of it is work that need not be done."""
    index = Index()
    index.enter([1, 2, 3, 4, 5, 6, 7, 8, 9])
    assert index.match([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) == Match(9, (0, 1, 2))
    assert index.match([1, 2, 3, 4, 9, 9, 9, 9, 9]) == Match(4, (0,))
    assert index.match([2, 2, 3, 4, 5]) == Match(0, ())


def test_an_exact_hit_leaves_the_last_token_to_compute() -> None:
    """Without it there are no logits; another server dies of this."""
    index = Index()
    index.enter([1, 2, 3, 4, 5, 6, 7, 8])
    assert index.match([1, 2, 3, 4, 5, 6, 7, 8]) == Match(7, (0, 1))
    assert index.match([1, 2, 3, 4, 5]) == Match(4, (0,))
    assert index.match([1]) == Match(0, ())


def test_a_part_of_a_block_is_shared() -> None:
    """A conversation goes on in the middle of a block."""
    index = Index()
    index.enter([1, 2, 3, 4, 5, 6, 7, 8])
    assert index.match([1, 2, 3, 4, 5, 6, 9, 9, 9]) == Match(6, (0, 1))
    assert index.match([1, 2, 9]) == Match(2, (0,))


def test_tenants_do_not_see_each_other() -> None:
    """A hit is faster than a miss, and so tells what others have asked."""
    index = Index()
    index.enter([1, 2, 3, 4], tenant="a")
    assert index.match([1, 2, 3, 4, 5], tenant="b") == Match(0, ())
    assert index.match([1, 2, 3, 4, 5], tenant="a") == Match(4, (0,))
    assert index.index.root("ab", "c") != index.index.root("a", "bc")


def test_the_same_tokens_after_another_beginning_are_another_prefix() -> None:
    """Keys and values depend on everything before them."""
    index = Index()
    index.enter([1, 2, 3, 4, 5, 6, 7, 8])
    assert index.match([5, 6, 7, 8, 9]) == Match(0, ())


def test_an_evicted_block_is_forgotten_and_its_chain_joins_again() -> None:
    """The end of a chain is evicted first; when its middle goes, what follows is found again after recomputing it."""
    index = Index(blocks=3)
    tokens = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert index.enter(tokens) == [0, 1, 2]
    index.pool.share(2)
    assert index.pool.allocate(1) == [1]
    assert index.match([*tokens, 13]) == Match(4, (0,))
    index.index.enter(index.chain(tokens)[1], tokens[4:8], 1)
    assert index.match([*tokens, 13]) == Match(12, (0, 1, 2))
    index.index.check()


def test_a_name_belongs_to_the_first_block_that_has_its_content() -> None:
    """Two sequences may compute the same; one of the two is enough."""
    index = Index()
    index.enter([1, 2, 3, 4])
    index.enter([1, 2, 3, 4])
    assert len(index.index) == 1
    assert index.pool.cached == 1


def test_a_popular_prefix_does_not_make_the_search_long() -> None:
    """Only the newest are compared; an old one costs at most a block of computing."""
    index = Index(blocks=SIBLINGS_MAX + 2)
    index.enter([9, 9, 9, 9])
    for number in range(SIBLINGS_MAX):
        index.enter([50 + number, 1, 1, 1])
    assert index.match([9, 9, 9, 8]).positions == 0
    assert index.match([9, 9, 9, 9, 8]).positions == 4
    assert index.match([50, 1, 8]).positions == 2


def test_nobody_can_foresee_digests() -> None:
    """The key is drawn at start, so collisions cannot be searched for."""
    pool = BlockPool(1, 4)
    assert PrefixIndex(pool).root("", "") != PrefixIndex(pool).root("", "")
