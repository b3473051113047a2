#!/usr/bin/env python3
"""Checks Grafana's dashboard for the business. Without arguments its JSON alone; with those of psql each query is run, too:

  scripts/check-business-dashboard.py
  scripts/check-business-dashboard.py --host 127.0.0.1 --username bi demo
"""

import datetime
import json
import pathlib
import re
import subprocess
import sys

FILE = pathlib.Path(__file__).resolve().parent.parent / "deploy/grafana/dashboards/smartassist-business.json"
SOURCE = {"type": "grafana-postgresql-datasource", "uid": "smartassist"}


def fail(what):
    sys.exit(f"check-business-dashboard: FAILED: {what}")


def expanded(sql, dashboard, values):
    """The query as Grafana sends it: 40 days, and all values of each variable."""
    today = datetime.datetime.now(datetime.timezone.utc)
    begin, end = (f"'{today + datetime.timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}'" for days in (-40, 1))
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 between {begin} and {end}", sql)
    sql = re.sub(r"\$__timeGroup\((\w+), \$__interval\)", r"floor(extract(epoch from \1) / 86400) * 86400", sql)
    for name, found in values.items():
        quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in found) or "''"
        sql = sql.replace("${%s:sqlstring}" % name, quoted)
    if "$" in sql:
        fail(f"something of Grafana is left in: {sql}")
    return sql


def run(psql, sql):
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", *psql, "--command", sql]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"{done.stderr.strip()}\n{sql}")
    return done.stdout.splitlines()


def main(psql):
    dashboard = json.loads(FILE.read_text(encoding="utf-8"))
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(set(ids)) != len(ids):
        fail("two panels have the same id")
    variables = dashboard["templating"]["list"]
    values = {variable["name"]: [] for variable in variables}
    for variable in variables:
        if psql:
            values[variable["name"]] = run(psql, variable["query"])
            if not values[variable["name"]]:
                fail(f"no values of {variable['name']}")
    empty = []
    for panel in panels:
        title = panel["title"]
        if not panel.get("description") or not panel["targets"]:
            fail(f"{title} has no description or no query")
        for target in panel["targets"]:
            if panel["datasource"] != SOURCE or target["datasource"] != SOURCE:
                fail(f"{title} asks another data source")
            sql = expanded(target["rawSql"], dashboard, values)
            if psql and not run(psql, sql):
                empty.append(title)
    if empty:
        fail(f"no rows for {', '.join(empty)}")
    print(f"check-business-dashboard: {len(panels)} panels, {'each query was run' if psql else 'well-formed'}")


main(sys.argv[1:])
