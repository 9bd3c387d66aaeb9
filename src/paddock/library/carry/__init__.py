"""The same models elsewhere: `models.lock` and `sync`, folders carried by hand, bundles, registry files.

Pure planning over plain values, and the small blocking functions that carry plans out.
"""
