"""Getting models: the sources that know where files are, and the transfer that moves their bytes.

Owns references, sources, file selection, transfer and progress. Is handed settings (addresses, tokens, limits), a
`Placement` from `store`, and a clock. Everything here blocks; the library calls it from worker threads.
"""
