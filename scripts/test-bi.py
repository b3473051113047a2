"""The checks of scripts/test-bi.sh, which starts what they ask: a loaded PostgreSQL, and Superset. Each check is counted."""

import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import traceback
import urllib.request
import zipfile

import psycopg2
import yaml
from playwright.sync_api import sync_playwright

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = pathlib.Path(os.environ["WORK"])
sys.path.insert(0, str(ROOT / "deploy/superset"))
import bundle  # noqa: E402

READER = {
    "host": "127.0.0.1",
    "port": os.environ["PGPORT"],
    "user": "smartassist_reports",
    "password": bundle.secret("SMARTASSIST_BI_PASSWORD_FILE"),
    "dbname": "demo",
}
counts = {"passed": 0, "failed": 0}


@contextlib.contextmanager
def check(name):
    try:
        yield
    except Exception as error:
        counts["failed"] += 1
        last = traceback.extract_tb(error.__traceback__)[-1]
        print(f"FAILED  {name}: {type(error).__name__} in line {last.lineno}: {str(error).strip()[:1500]}", flush=True)
    else:
        counts["passed"] += 1
        print(f"ok      {name}", flush=True)


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, (done.stdout + done.stderr)[-1500:]
    return done.stdout


# --- SQL of the documents ---------------------------------------------------------------------------------------------


def documented_sql():
    for name in ["metrics.md", "bi.md"]:
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        for statement in re.findall(r"```sql\n(.*?)```", text, re.S):
            yield f"docs/{name}: {statement.splitlines()[0].removeprefix('-- ')}", statement


def check_sql():
    connection = psycopg2.connect(**READER)
    connection.autocommit = True
    for title, statement in documented_sql():
        with check(title), connection.cursor() as cursor:
            cursor.execute(statement)
            # The demo has no customer who lived through the end of daylight saving.
            assert cursor.fetchall() or "came twice" in title, "no rows"
    with check("the reader sees nothing but the views"), connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
            "where n.nspname in ('smartassist', 'smartassist_sync') and c.relkind in ('r', 'v') and has_table_privilege(c.oid, 'select')"
        )
        assert cursor.fetchone() == (0,)
    connection.close()


# --- dbt --------------------------------------------------------------------------------------------------------------


def check_dbt():
    programs = pathlib.Path(os.environ["DBT"]).parent
    # MetricFlow finds its files by its directory, and leaves its own there.
    project = WORK / "dbt/project"
    shutil.copytree(ROOT / "deploy/dbt", project)
    environment = {name: value for name, value in os.environ.items() if name != "DBT_TARGET_PATH"}
    environment["PATH"] = f"{programs}:{environment['PATH']}"
    for command in [["build"], ["source", "freshness"], ["docs", "generate"]]:
        with check(f"dbt {' '.join(command)}"):
            run(str(programs / "dbt"), "--no-use-colors", *command, cwd=project, env=environment)
    metrics = yaml.safe_load((project / "models/metrics.yml").read_text(encoding="utf-8"))["metrics"]
    ratios = [metric["name"] for metric in metrics if metric["type"] == "ratio"]
    for some in [ratios[at : at + 6] for at in range(0, len(ratios), 6)]:
        with check(f"MetricFlow: {', '.join(some)}"):
            table = WORK / "metrics.csv"
            run(str(programs / "mf"), "query", "--metrics", ",".join(some), "--csv", str(table), cwd=project, env=environment)
            header, values = table.read_text(encoding="utf-8").splitlines()
            assert sorted(header.split(",")) == sorted(some) and all(values.split(",")), values


# --- Superset ---------------------------------------------------------------------------------------------------------


class Superset(bundle.Superset):
    def json(self, path):
        return json.loads(self.ask(path))

    def delete(self, path):
        headers = dict(self.headers, Referer=self.url)
        with self.opener.open(urllib.request.Request(self.url + path, headers=headers, method="DELETE"), timeout=60):
            pass

    def all(self, kind):
        return self.json(f"/api/v1/{kind}/?q=(page_size:-1)")["result"]

    def data(self, dataset, query):
        """What a chart of these columns and metrics would get."""
        body = {"datasource": {"id": dataset["id"], "type": "table"}, "force": True, "queries": [query], "result_format": "json", "result_type": "full"}
        answer = json.loads(self.ask("/api/v1/chart/data", json.dumps(body).encode()))["result"][0]
        assert not answer["error"], answer["error"]
        return answer["data"]


def bundled(folder):
    return [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted((bundle.BUNDLE / folder).rglob("*.yaml"))]


def ours(superset, kind):
    """Those of Superset's objects that the bundle brought, by their uuid."""
    known = {one["uuid"] for one in bundled({"dashboard": "dashboards", "chart": "charts", "dataset": "datasets", "database": "databases"}[kind])}
    found = {}
    for one in superset.all(kind):
        key = one.get("uuid") or superset.json(f"/api/v1/{kind}/{one['id']}")["result"]["uuid"]
        if key in known:
            found[key] = one
    return found


def check_metrics(superset, when):
    """Each saved metric and each reckoned column, one query a dataset."""
    found = ours(superset, "dataset")
    for dataset in bundled("datasets"):
        with check(f"{when}: all metrics of {dataset['table_name']}"):
            id_of = found[dataset["uuid"]]
            superset.data(id_of, {"metrics": [metric["metric_name"] for metric in dataset["metrics"]], "columns": [], "row_limit": 10})
            reckoned = [column["column_name"] for column in dataset["columns"] if column["expression"]]
            if reckoned:
                superset.data(id_of, {"metrics": [dataset["metrics"][0]["metric_name"]], "columns": reckoned, "row_limit": 10})


def browser_program():
    for name in ["chromium", "chromium-browser", "google-chrome"]:
        if found := shutil.which(name):
            return found
    sys.exit("test-bi: no browser was found: install chromium")


class Watched:
    """What one page asks and shows."""

    def __init__(self, page):
        self.charts, self.troubles = 0, []
        page.on("response", self.answered)
        page.on("pageerror", lambda error: self.troubles.append(f"script: {error}"))

    def answered(self, response):
        if "/api/v1/chart/data" in response.url and response.request.method == "POST":
            form_data = (json.loads(response.request.post_data or "{}")).get("form_data", {})
            self.charts += form_data.get("slice_id") is not None
        if "/api/" in response.url and response.status >= 400:
            self.troubles.append(f"{response.status} of {response.url}: {response.text()[:300]}")


def check_dashboards(when, modes):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_program(), args=["--no-sandbox", "--no-proxy-server"])
        for mode in modes:
            # So high that nothing waits to be scrolled to.
            context = browser.new_context(viewport={"width": 1600, "height": 2600})
            page = context.new_page()
            page.set_default_timeout(180_000)
            page.goto(f"{os.environ['SUPERSET_URL']}/login/")
            page.fill("#username", "admin")
            page.fill("#password", bundle.secret("SUPERSET_PASSWORD_FILE"))
            page.keyboard.press("Enter")
            page.wait_for_url("**/welcome/**")
            page.evaluate("mode => localStorage.setItem('superset-theme-mode', mode)", mode)
            for dashboard in bundled("dashboards"):
                with check(f"{when}: {dashboard['dashboard_title']} in a browser, {mode}"):
                    look_at(context, dashboard, WORK / f"{when}-{dashboard['slug']}-{mode}.png".replace(" ", "-"))
            context.close()
        browser.close()


def look_at(context, dashboard, picture):
    charts = sum(one.get("type") == "CHART" for one in dashboard["position"].values() if isinstance(one, dict))
    page = context.new_page()
    page.set_default_timeout(180_000)
    watched = Watched(page)
    page.goto(f"{os.environ['SUPERSET_URL']}/superset/dashboard/{dashboard['slug']}/")
    page.wait_for_function("charts => document.querySelectorAll('[data-test=chart-container]').length >= charts", arg=charts)
    # Each chart has drawn something, and none is being waited for.
    page.wait_for_function(
        "() => !document.querySelector('.loading, [data-test=loading-indicator]') && "
        "[...document.querySelectorAll('.dashboard-component-chart-holder .slice_container')].every(one => one.innerText || one.querySelector('canvas, svg, table'))"
    )
    page.wait_for_timeout(1000)
    page.screenshot(path=str(picture))
    shown = page.eval_on_selector_all(".ant-alert-error, [class*=error-message], [data-test=error-alert]", "all => all.map(one => one.innerText)")
    empty = page.get_by_text("No results were returned").count()
    page.close()
    assert not watched.troubles and not shown, (watched.troubles, shown)
    assert watched.charts >= charts, f"{watched.charts} of {charts} charts asked for data"
    assert empty == 0, f"{empty} charts are empty"


# --- export, delete, import -------------------------------------------------------------------------------------------

# What Superset adds or numbers anew.
OF_THIS_SUPERSET = {"chartId", "datasource", "datasource_id", "datasource_name", "datasource_type", "slice_id", "dashboards", "query_context", "chartsInScope", "tabsInScope"}


def comparable(value):
    if isinstance(value, dict):
        return {key: comparable(one) for key, one in value.items() if key not in OF_THIS_SUPERSET and one not in (None, {}, [], "")}
    if isinstance(value, list):
        return [comparable(one) for one in value]
    return value


def exported(superset):
    archive = zipfile.ZipFile(io.BytesIO(superset.ask("/api/v1/assets/export/")))
    files = [yaml.safe_load(archive.read(name)) for name in archive.namelist() if name.endswith(".yaml") and not name.endswith("metadata.yaml")]
    return {file["uuid"]: file for file in files if "uuid" in file}, archive


def delete_all(superset):
    for kind in ["dashboard", "chart", "dataset", "database"]:
        for one in ours(superset, kind).values():
            superset.delete(f"/api/v1/{kind}/{one['id']}")
        assert not ours(superset, kind), kind


def check_round_trip(superset):
    with check("the export has every file of the bundle, as it is"):
        files, archive = exported(superset)
        for folder in ["datasets", "charts", "dashboards"]:
            for one in bundled(folder):
                back, shipped = comparable(files[one["uuid"]]), comparable(one)
                for key in shipped:
                    if key == "metadata":
                        shipped[key] = {k: v for k, v in shipped[key].items() if k in back[key] and k != "chart_configuration"}
                        back[key] = {k: v for k, v in back[key].items() if k in shipped[key]}
                    if key in ("columns", "metrics"):
                        name = "column_name" if key == "columns" else "metric_name"
                        shipped[key] = sorted(shipped[key], key=lambda x: x[name])
                        back[key] = sorted(back[key], key=lambda x: x[name])
                    assert back.get(key) == shipped[key], f"{folder}: {one.get('slice_name') or one.get('table_name') or one.get('dashboard_title')}: {key}: {back.get(key)} is not {shipped[key]}"
    with check("all of it can be deleted"):
        delete_all(superset)
    with check("the zip for the browser has no password, and can be imported with one"):
        target = WORK / "smartassist.zip"
        run(sys.executable, str(ROOT / "deploy/superset/bundle.py"), "zip", str(target))
        zipped = zipfile.ZipFile(target)
        assert not any(READER["password"].encode() in zipped.read(name) for name in zipped.namelist())
        superset.upload("/api/v1/dashboard/import/", "formData", target.read_bytes(), READER["password"])
        assert len(ours(superset, "chart")) == len(bundled("charts"))
        delete_all(superset)
    with check("the export can be imported"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as again:
            for name in archive.namelist():
                again.writestr(name, archive.read(name))
        superset.import_assets(buffer.getvalue(), READER["password"])
        for kind, folder in [("dashboard", "dashboards"), ("chart", "charts"), ("dataset", "datasets")]:
            assert len(ours(superset, kind)) == len(bundled(folder)), kind
    with check("a second import of the bundle changes nothing else"):
        superset.import_assets(bundle.zipped("assets"), READER["password"])
        assert len(ours(superset, "chart")) == len(bundled("charts"))


def main():
    check_sql()
    with check("Grafana: each query"):
        psql = ["--host", "127.0.0.1", "--port", READER["port"], "--username", READER["user"], "demo"]
        run(sys.executable, str(ROOT / "scripts/check-business-dashboard.py"), *psql, env=dict(os.environ, PGPASSWORD=READER["password"]))
    check_dbt()
    os.environ["SUPERSET_WAIT_SECONDS"] = "600"
    superset = Superset()
    superset.wait()
    superset.sign_in()
    with check("the bundle is imported at the start"):
        for _ in range(120):
            if len(ours(superset, "dashboard")) == len(bundled("dashboards")):
                break
            time.sleep(1)
        assert len(ours(superset, "dashboard")) == len(bundled("dashboards"))
    check_metrics(superset, "imported")
    check_dashboards("imported", ["light", "dark"])
    check_round_trip(superset)
    check_metrics(superset, "imported again")
    check_dashboards("imported again", ["light"])
    print(f"{counts['passed']} passed, {counts['failed']} failed")
    sys.exit(counts["failed"] > 0)


main()
