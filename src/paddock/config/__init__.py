"""Settings: schema, order of sources, paths. Resolved once into a frozen object that knows every value's source.

    flags  >  PADDOCK_*  >  HF_*, OLLAMA_*, KAGGLE_*  >  .paddock/config.yaml  >  the user's config.yaml  >  defaults

    schema      what may be set, one frozen model a section      units      "30m", "4GB", "75%" as exact values
    rules       what a value must be, in words                   keys       dotted keys, camelCase, the nearest one
    sources     `load_config`: all layers, one result            layers     one layer: values that know where they stand
    environment PADDOCK_* and what other tools' variables say    yaml_file  a settings file, with lines and limits
    paths       the folders, ours and other tools'               edit       `config set` that keeps comments
    lookup      `config get`, `config show`                      example    the text that `config init` writes
    reference   docs/reference/configuration.md, its JSON Schema credentials  tokens, from where other tools keep them

The room is handed everything it reads (flags, environment, folders), so that a test chooses them. It knows no room but
`vocabulary` and `errors`; each other room receives its own section: `config.hub`, `config.disk`, `config.paths`.
"""
