#!/bin/sh
# Run once by the image of PostgreSQL, on an empty volume: makes the role that the daemon loads as. It owns its databases, and may do
# nothing else: neither make roles or databases, nor read or run anything on the server. What it may not make is made here.
set -eu
PASSWORD_FILE=${PASSWORD_FILE:-/run/secrets/database_password}
export PASSWORD_FILE
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<'SQL'
\set password `cat "$PASSWORD_FILE"`
create role smartassist login password :'password';
create role smartassist_reader;
create role smartassist_bi_reader;
create database smartassist owner smartassist;
create database demo owner smartassist;
-- A login of one database has no business in another.
revoke connect, temporary on database postgres, smartassist, demo from public;
-- The superuser comes in by the socket within the container alone: docker compose exec postgres psql -U postgres
alter role postgres password null;
SQL
