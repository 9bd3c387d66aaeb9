"""Pictures of requests: from what a caller gave (base64, an address, a path) to pixels that a runner takes.

Owns what is fetched, from where, and what is decoded, within the limits of its section of the settings. Handed a request
whose pictures have a `source`; gives it back with pixels, and says what it changed. Pillow comes with the first picture.
"""
