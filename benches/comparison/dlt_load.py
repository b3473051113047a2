"""Loads a simulated account with dlt, as dlt's documentation teaches: a resource over a RESTClient with a paginator, merged by a primary key.

In windows of WINDOW_HOURS, since the API takes a range and not a cursor. Its address and the database are in the environment: see compare.sh.
"""

import os
from datetime import datetime, timedelta, timezone

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

WINDOW = timedelta(hours=int(os.environ["WINDOW_HOURS"]))
FIELDS = ["skills", "customerinfo", "userleveltags", "sessionleveltags", "campaigninfo", "snoozeinfo"]


@dlt.resource(name="interactions", primary_key="sessionId", write_disposition="merge")
def interactions(start: datetime, end: datetime):
    account = os.environ["ACCOUNT_ID"]
    client = RESTClient(
        base_url=os.environ["API"],
        headers={"auth": os.environ["TOKEN"], "accountId": account, "iId": os.environ["STREAM_ID"]},
        # The API counts offsets in pages, and refuses more than ten.
        paginator=PageNumberPaginator(base_page=0, page_param="offset", total_path=None, maximum_page=11),
        data_selector="data",
    )
    path = f"agentassist/api/public/analytics/account/{account}/v2/interactionDetails"
    while start < end:
        until = min(start + WINDOW, end)
        body = {
            "startDate": start.strftime("%Y-%m-%d %H:%M:%S"),
            "endDate": until.strftime("%Y-%m-%d %H:%M:%S"),
            "timeZoneOffset": 0,
            "selectedFields": FIELDS,
        }
        yield from client.paginate(path, method="POST", params={"limit": 100}, json=body)
        start = until


if __name__ == "__main__":
    instants = (datetime.fromisoformat(os.environ[name]) for name in ("FROM", "TO"))
    start, end = (instant.replace(tzinfo=timezone.utc) for instant in instants)
    pipeline = dlt.pipeline(pipeline_name="smartassist", destination="postgres", dataset_name="dlt")
    print(pipeline.run(interactions(start, end)))
