"""Models that see: loading through mlx-vlm, pictures in prompts, their features in place of tokens.

`opening.open_model` is the way in. Text goes the way of every text model: the language part of such a model runs in the paged
lane, and a picture is a few hundred tokens whose embeddings come from the vision tower. `seam` is all that knows mlx-vlm's
functions; `architectures` names the models whose language part pages.
"""
