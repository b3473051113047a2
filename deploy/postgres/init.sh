#!/bin/sh
# Run once by the image of PostgreSQL, on an empty volume: makes the role that the daemon loads as. It owns its databases, and may do
# nothing else: neither make roles or databases, nor read or run anything on the server. What it may not make is made here. So is the
# login of Superset and Grafana, which reads the views for BI tools alone.
set -eu
PASSWORD_FILE=${PASSWORD_FILE:-/run/secrets/database_password}
REPORTS_PASSWORD_FILE=${REPORTS_PASSWORD_FILE:-/run/secrets/reports_password}
export PASSWORD_FILE REPORTS_PASSWORD_FILE
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres <<'SQL'
\set password `cat "$PASSWORD_FILE"`
\set reports_password `cat "$REPORTS_PASSWORD_FILE"`
create role smartassist login password :'password';
create role smartassist_reader;
create role smartassist_bi_reader;
create role smartassist_reports login password :'reports_password' in role smartassist_bi_reader;
-- Its queries are short: compiling them costs more than it saves.
alter role smartassist_reports set jit = off;
alter role smartassist_reports set statement_timeout = '60s';
alter role smartassist_reports set default_transaction_read_only = on;
create database smartassist owner smartassist;
create database demo owner smartassist;
-- A login of one database has no business in another.
revoke connect, temporary on database postgres, smartassist, demo from public;
grant connect on database smartassist, demo to smartassist_reports;
-- The superuser comes in by the socket within the container alone: docker compose exec postgres psql -U postgres
alter role postgres password null;
SQL
