"""llama.cpp's own server, in the environment of `xllamacpp`: `python llamacpp_server.py FILE PORT STREAMS CONTEXT`.

Run by path in an interpreter that has nothing of Paddock, so it imports nothing of it.
"""

import signal
import sys

import xllamacpp


def main(path: str, port: int, streams: int, context: int) -> None:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.port = port
    parameters.n_parallel = streams
    parameters.n_ctx = streams * context
    parameters.ui = False
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
