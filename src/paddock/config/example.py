"""The settings file that `paddock config init` writes: every section, mostly with the values that hold anyway."""

from typing import Final

EXAMPLE: Final = """\
# Paddock's settings. Flags and PADDOCK_* variables stand above this file; `paddock config show --source` tells what is
# in force and why. Every setting: docs/reference/configuration.md

# Which model answers when none is named, and how `auto` chooses one.
model:
  default: pony
  routing:
    enabled: true
    default_profile: general # fast, general, code or creative
    overrides: # this model for that profile, if it is here
      code: qwen2.5-coder

# How text is generated.
options:
  temperature: 0.7 # 0.0 to 2.0
  max_tokens: 4096
  top_p: 0.9 # 0.0 to 1.0

# What differs for one model.
models:
  qwen2.5-coder:
    options:
      temperature: 0.2
    keep_alive: 30m
    pin: false

# Others that can answer. Their options are passed on as they stand.
providers:
  ollama:
    host: "http://localhost:11434"
    options:
      num_ctx: 8192

# What happens when one who should answer cannot.
failover:
  attempts_max: 6 # all providers together
  budget_s: 900 # until the first word of the answer

# Models in memory.
pool:
  preset: default # or low-memory: 1 model in 4 GB; the next two stand above it
  max_models: 4
  memory: 75% # of what the device can use, or a size like 4GB
  policy: lru # lru, largest or idle
  keep_alive: 10m

# Models on disk.
disk:
  factor: 2.0 # a pull wants this many times the model's size free, else it asks
  auto_prune: off
  auto_prune_days: 90

# Where Paddock's server listens. Any other address than this machine's own wants keys or users.
server:
  host: 127.0.0.1
  port: 8484
  drain_s: 30 # seconds that running answers have once the server is told to end

# Pictures in requests. Larger ones are shrunk; addresses of private networks are refused.
images:
  side_px_max: 2048
  # folders: /srv/pictures # from where callers on this machine may name pictures by path

# What the server writes down: never prompts, never keys.
log:
  level: info # debug, info, warning or error
  format: auto # json, text; auto is text on a terminal, else JSON

# Where models come from. Tokens are taken from the environment (HF_TOKEN, KAGGLE_API_TOKEN), never from here.
hub:
  endpoint: "https://huggingface.co"
  offline: false
  connections: 4 # files fetched at the same time
  retries: 5

# How long, in seconds, lists of models and facts about one are remembered.
library:
  list_cache_s: 60
  info_cache_s: 300

# Conversations of `paddock chat`, and answers of /v1/responses that others go on from.
chats:
  keep: true
  count_max: 1000
responses:
  count_max: 1000
  days: 30

# A row of every request: who, when, which model, how long, how many tokens. Never what was asked, unless you say so.
audit:
  keep: true
  prompts: false # then sealed
  days: 90

# People who sign in.
accounts:
  session: 12h # how long a browser stays signed in

# Keys of providers are sealed; this is where the key to them is: auto, keyring or file.
vault:
  master_key: auto

# Empty is a SQLite file in the data folder. PostgreSQL: postgresql://user@host/name
database:
  url: ""

# What requests went through, for a collector of yours that takes OTLP over HTTP. Nothing is sent without an address:
# traces: {endpoint: "http://127.0.0.1:4318"}
traces:
  service: paddock

# Whether Paddock keeps to this machine: none of its processes reaches beyond loopback then, whoever asks.
airgap: false
"""
