"""llama.cpp's own server on loopback, in a process of its own: `python own_server.py FILE ANSWER_TOKENS`.

Reads prompts as lists of tokens from stdin, asks for all at once, and writes the tokens of the greedy answers.
"""

import json
import os
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import xllamacpp


def main(path: str, tokens: int) -> None:
    prompts = json.load(sys.stdin)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.port = 0
    parameters.n_parallel = len(prompts)
    parameters.n_ctx = 1024 * len(prompts)
    parameters.warmup = False
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)

    def ask(prompt: list[int]) -> list[int]:
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
    main(sys.argv[1], int(sys.argv[2]))
