"""Measurements correct a prediction: what is known stays, what is guessed is fitted, what is odd is passed over."""

from dataclasses import replace

import pytest

from paddock.catalog.correcting import MemoryFacts, corrected
from paddock.catalog.facts import Facts
from paddock.catalog.sizing import Device, MemoryEstimate, estimate_memory
from paddock.vocabulary import ModelFormat

MIB = 1024 * 1024
SMALL = {
    "model_type": "qwen3", "hidden_size": 512, "num_hidden_layers": 11, "num_attention_heads": 8, "num_key_value_heads": 4,
    "head_dim": 64, "intermediate_size": 1536, "vocab_size": 4096, "max_position_embeddings": 4096,
}  # fmt: skip


def guess(device: Device = Device.CPU) -> MemoryEstimate:
    found = estimate_memory(facts=Facts(format=ModelFormat.MLX, context_window=4096), device=device, config=SMALL)
    assert found
    return found


def fact_of(truth: MemoryEstimate, context: int, streams: int = 1) -> MemoryFacts:
    """What a load would tell on a machine of which `truth` is true."""
    tokens = context * streams
    return MemoryFacts(
        loaded_bytes=truth.weights_bytes + truth.process_bytes,
        peak_bytes=truth.peak_bytes(context, streams),
        kv_bytes=truth.kv_bytes(context, streams),
        context=context,
        tokens=tokens,
        step_tokens=truth.work.chunk(context, tokens, truth.products_per_s),
    )


def test_nothing_measured_changes_nothing() -> None:
    """A first plan and a plan of something never loaded are the same."""
    assert corrected(guess(), (), with_process=True) == guess()


@pytest.mark.parametrize("factor", [0.5, 1.7])
@pytest.mark.parametrize("speed", [5e9, 200e9])
def test_three_loads_find_process_speed_and_work(factor: float, speed: float) -> None:
    """A machine twice as slow, a tokenizer twice as large, model code that wastes: the fourth load is known."""
    truth = replace(guess(), process_bytes=211 * MIB, work_factor=factor, products_per_s=speed)
    facts = [fact_of(truth, 4096), fact_of(truth, 1024), fact_of(truth, 512, 4)]
    found = corrected(guess(), facts, with_process=True)
    assert found.basis == "measured"
    for context, streams in ((256, 1), (2048, 1), (3000, 1), (1024, 4)):
        assert found.peak_bytes(context, streams) == pytest.approx(truth.peak_bytes(context, streams), rel=0.02)


def test_one_odd_measurement_moves_nothing() -> None:
    """Somebody attached a debugger to the process, or the machine swapped."""
    truth = replace(guess(), work_factor=0.8)
    facts = [fact_of(truth, context) for context in (1024, 2048, 4096)]
    right = corrected(guess(), facts, with_process=True).peak_bytes(3000)
    odd = replace(facts[1], peak_bytes=facts[1].peak_bytes * 5, loaded_bytes=facts[1].loaded_bytes * 2)
    for others in ([*facts, odd], [odd, *facts]):
        assert corrected(guess(), others, with_process=True).peak_bytes(3000) == pytest.approx(right, rel=0.02)


def test_a_load_without_work_corrects_the_process_only() -> None:
    """What is known from loading alone is used at once."""
    found = corrected(guess(), [MemoryFacts(loaded_bytes=guess().weights_bytes + 150 * MIB)], with_process=True)
    assert (found.process_bytes, found.work_factor) == (150 * MIB, 1.0)
    assert found.peak_bytes(1024) - guess().peak_bytes(1024) == 150 * MIB - guess().process_bytes


def test_a_gpu_tells_of_arrays_and_the_process_stays_predicted() -> None:
    """Metal's and CUDA's numbers do not know of the interpreter beside them."""
    plain = guess(Device.CUDA)
    found = corrected(plain, [MemoryFacts(loaded_bytes=plain.weights_bytes + MIB)], with_process=False)
    assert (found.weights_bytes, found.process_bytes) == (plain.weights_bytes + MIB, plain.process_bytes)


def test_less_than_the_weights_is_believed() -> None:
    """They lie in a narrower type than was thought: what was measured counts."""
    found = corrected(guess(), [MemoryFacts(loaded_bytes=80 * MIB)], with_process=True)
    assert found.weights_bytes + found.process_bytes == 80 * MIB


def test_what_was_measured_is_never_multiplied_without_bound() -> None:
    """A peak from something else than this model's work does not make a plan for a hundred times the memory."""
    mad = MemoryFacts(loaded_bytes=400 * MIB, peak_bytes=10**15, kv_bytes=0, context=4096, tokens=4096, step_tokens=128)
    assert corrected(guess(), [mad], with_process=True).work_factor <= 5
    assert corrected(guess(), [replace(mad, peak_bytes=400 * MIB + 1)], with_process=True).work_factor >= 0.2
