"""The database: tables, engine, migrations. SQLite in WAL mode by default, PostgreSQL by URL, the same for both.

    engine      `Database`: open, sessions, close            tables      the rows, as plain records
    sqlite      a file that is created, checked, repaired    postgres    a server that is reached, or said why not
    schema      which version a database is at               migrations  from each version to the next

Handed a place (`config.database.url or config.paths.database_file`). Knows no room above it: rows are records, and the
rooms that own them give them meaning. Raises `StorageError` for what a user can meet; anything else is our own mistake.
"""
