#!/usr/bin/env bash
# Makes up the secrets of docker-compose.yml that can be made up, as files under secrets/, and says which are left to you. Puts
# .env there to be filled in: compose asks for it whatever is started. What is there is never written over.
set -euo pipefail
cd "$(dirname "$0")/.."

# The containers' users (65532 and others) have to read the files, and see them under another path; on this machine nobody
# else gets through the directory.
mkdir -p secrets
chmod 700 secrets

made_up() {
    if command -v openssl >/dev/null 2>&1; then
        openssl rand -hex 24
    else
        od -An -tx1 -N24 /dev/urandom | tr -d ' \n'
    fi
}

for name in database_password http_token reports_password grafana_admin_password superset_admin_password superset_secret_key; do
    file=secrets/$name
    if [ -s "$file" ]; then
        echo "$file: is there, stays as it is"
    else
        # Whole or not at all: an empty secret would be taken for one.
        made_up >"$file.unfinished"
        mv "$file.unfinished" "$file"
        echo "$file: made up"
    fi
    chmod 444 "$file"
done

# Empty until you fill it. Written into, not replaced: a container sees the file that it was started with.
file=secrets/main_client_secret
[ -e "$file" ] || : >"$file"
chmod 644 "$file"
if [ -s "$file" ]; then
    echo "$file: is there, stays as it is"
else
    echo "$file: EMPTY. Write the client secret of your app into it (the demo needs none)"
fi

if [ -e .env ]; then
    echo ".env: is there, stays as it is"
else
    cp .env.example .env
    echo ".env: a copy of .env.example. Fill in the account (the demo needs none)"
fi
