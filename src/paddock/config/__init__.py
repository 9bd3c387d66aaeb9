"""Settings: the schema, the order of sources, the paths. Resolved once into a frozen object that knows every value's source."""
