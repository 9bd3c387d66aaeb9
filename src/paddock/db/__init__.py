"""The database: tables, engine, migrations. SQLite in WAL mode by default, PostgreSQL by URL, the same for both.

Knows no room above it: rows are records, and the rooms that own them give them meaning.
"""
