"""The numbers behind the promises: `make bench`, or one of them: `python -m benchmarks startup`.

Each module measures one promise and returns rows. Timings are medians; where there is something to compare with, both run
interleaved on the same machine and the ratio is what counts.
"""
