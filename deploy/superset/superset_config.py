"""Superset for one machine: its own data in SQLite, its secrets in files."""

import os
import pathlib

SECRETS = pathlib.Path(os.environ.get("SUPERSET_SECRETS_DIR", "/run/secrets"))
HOME = pathlib.Path(os.environ.get("SUPERSET_HOME", "/app/superset_home"))

# Signs sessions, and encrypts the passwords of databases that Superset stores. With another one these have to be given anew.
SECRET_KEY = (SECRETS / "superset_secret_key").read_text(encoding="utf-8").strip()
# A team of many puts this, and a cache, elsewhere: https://superset.apache.org/docs/configuration
SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME}/superset.db"

CACHE_CONFIG = DATA_CACHE_CONFIG = FILTER_STATE_CACHE_CONFIG = EXPLORE_FORM_DATA_CACHE_CONFIG = {
    "CACHE_TYPE": "FileSystemCache",
    "CACHE_DIR": str(HOME / "cache"),
    "CACHE_DEFAULT_TIMEOUT": 300,
    "CACHE_THRESHOLD": 1000,
}

SUPERSET_WEBSERVER_TIMEOUT = 60
