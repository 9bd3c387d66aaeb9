"""GGUF models, through the llama.cpp library that xllamacpp brings.

The only room that knows llama.cpp, and only through its C interface (`seam`): batches, caches and logits. Scheduling, prefix
reuse, sampling, templates and forms of answers are ours, the same as for every other model. Is handed LoadOptions.

    seam       the C interface, checked before it is used
    files      a model's files, headers checked before llama.cpp reads them
    weights    a model in memory                          cache      keys and values, cut into slots
    words      its vocabulary                             sampling   logits to tokens
    tokenizer  text to tokens and back                    executor   steps
    bounds     how much cache there is room for           opening    from a file to a model that answers
    device     what computes, and its memory              embedding  vectors of texts

Models that come with a projector see:

    mtmd       the C interface for pictures               projector  one picture: what stands for it, its features
    seeing     conversations with pictures to tokens      pictures   where they stand, and how they get into the cache
    sight      the runner's Sight
"""
