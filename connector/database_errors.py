"""What a database that is away raises: through psycopg, through the ORM, or from the network."""

import django.db
import psycopg

DATABASE_ERRORS: tuple[type[Exception], ...] = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    django.db.OperationalError,
    django.db.InterfaceError,
    OSError,
    TimeoutError,
)
