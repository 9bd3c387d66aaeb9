"""From each version of the schema to the next. A migration runs in one transaction, so a killed one never happened.

`REVISIONS` repeats what `versions/` holds, oldest first, so that opening a database needs no Alembic to see that it is up
to date; a test holds the two together.
"""

from typing import Final

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011", "0012")
HEAD: Final = REVISIONS[-1]
# A name of our own: a PostgreSQL database may be shared with a program that uses Alembic, too.
VERSION_TABLE: Final = "paddock_version"
