"""llama.cpp's own server on loopback, in a process of its own: `python own_server.py FILE ANSWER_TOKENS [PROJECTOR]`.

Reads prompts from stdin, asks for all at once, and writes the tokens of the greedy answers. A prompt is a list of tokens, or
`{"text": …, "pictures": […]}` with files in base64, each in the place of one `<picture>` of the text.
"""

import json
import os
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import xllamacpp


def main(path: str, tokens: int, projector: str | None = None) -> None:
    prompts = json.load(sys.stdin)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    if projector is not None:
        parameters.mmproj.path = projector
    parameters.port = 0
    parameters.n_parallel = len(prompts)
    parameters.n_ctx = 1024 * len(prompts)
    parameters.warmup = False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)

    with urllib.request.urlopen(f"{server.listening_address}/props", timeout=60) as answer:
        mark = json.load(answer).get("media_marker", "<__media__>")

    def ask(prompt: list[int] | dict[str, Any]) -> list[int]:
        if isinstance(prompt, dict):
            text = prompt["text"].replace("<picture>", mark)
            prompt = {"prompt_string": text, "multimodal_data": prompt["pictures"]}
        body = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "return_tokens": True, "ignore_eos": True}
        request = urllib.request.Request(
            f"{server.listening_address}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["tokens"]

    with ThreadPoolExecutor(len(prompts)) as threads:
        print(json.dumps(list(threads.map(ask, prompts))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
