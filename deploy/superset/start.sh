#!/bin/sh
# Prepares Superset's own data, starts it, and imports the bundle once it answers. A bundle of a newer version is written over the
# one before; charts and dashboards of yours stay.
set -eu
here=$(dirname "$0")
bind=${SUPERSET_BIND:-0.0.0.0:8088}
# Where programs keep what they keep at home: the root file system is read-only.
export HOME="${SUPERSET_HOME:-/app/superset_home}"
superset db upgrade
superset init
python3 "$here/admin.py"
SUPERSET_URL=http://127.0.0.1:${bind##*:} SUPERSET_WAIT_SECONDS=300 python3 "$here/bundle.py" import &
exec gunicorn --bind "$bind" --workers "${SUPERSET_WORKERS:-2}" --worker-class gthread --threads 8 --timeout 120 \
    --worker-tmp-dir /tmp "superset.app:create_app()"
