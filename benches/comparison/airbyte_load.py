"""Loads a simulated account with Airbyte, as its documentation teaches: a declarative source with an incremental cursor and a paginator, and PyAirbyte.

In windows of WINDOW_HOURS, since the API takes a range and not a cursor. Its address and the database are in the environment: see compare.sh.
"""

import os

import airbyte
from airbyte.caches import PostgresCache

ACCOUNT = os.environ["ACCOUNT_ID"]
FIELDS = ["skills", "customerinfo", "userleveltags", "sessionleveltags", "campaigninfo", "snoozeinfo"]
TEXTS = [
    "sessionId", "conversationId", "channel", "sessionStartTime", "sessionEndTime", "userId", "channelSpecificUserId", "botId", "orgId",
    "smartStatus", "finalStatus", "reason", "disconnectingEvent", "Direction", "surveyType", "csatFeedback",
]
LISTS = ["destinations", "dispositions", "dispositionRemarks", "skills", "userleveltags", "sessionleveltags", "automationBotIDs"]

MANIFEST = {
    "version": "6.0.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["interactions"]},
    "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    "streams": [
        {
            "type": "DeclarativeStream",
            "name": "interactions",
            "primary_key": ["sessionId"],
            "schema_loader": {
                "type": "InlineSchemaLoader",
                "schema": {
                    "type": "object",
                    "additionalProperties": True,
                    "properties": {
                        **{name: {"type": ["null", "string"]} for name in TEXTS},
                        **{name: {"type": ["null", "object"]} for name in ["customerinfo", "campaigninfo", "metaInfo"]},
                        **{name: {"type": ["null", "array"]} for name in LISTS},
                    },
                },
            },
            "incremental_sync": {
                "type": "DatetimeBasedCursor",
                "cursor_field": "sessionStartTime",
                "cursor_datetime_formats": ["%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S"],
                "datetime_format": "%Y-%m-%d %H:%M:%S",
                "start_datetime": {"type": "MinMaxDatetime", "datetime": f"{os.environ['FROM']} 00:00:00", "datetime_format": "%Y-%m-%d %H:%M:%S"},
                "end_datetime": {"type": "MinMaxDatetime", "datetime": f"{os.environ['TO']} 00:00:00", "datetime_format": "%Y-%m-%d %H:%M:%S"},
                "step": f"PT{os.environ['WINDOW_HOURS']}H",
                "cursor_granularity": "PT1S",
            },
            "retriever": {
                "type": "SimpleRetriever",
                "requester": {
                    "type": "HttpRequester",
                    "url_base": os.environ["API"],
                    "path": f"/agentassist/api/public/analytics/account/{ACCOUNT}/v2/interactionDetails",
                    "http_method": "POST",
                    "request_headers": {"auth": os.environ["TOKEN"], "accountId": ACCOUNT, "iId": os.environ["STREAM_ID"]},
                    "request_parameters": {"limit": "100"},
                    "request_body_json": {
                        "startDate": "{{ stream_interval.start_time }}",
                        "endDate": "{{ stream_interval.end_time }}",
                        "timeZoneOffset": 0,
                        "selectedFields": FIELDS,
                    },
                    # The API counts offsets in pages, and refuses more than ten.
                    "error_handler": {
                        "type": "DefaultErrorHandler",
                        "response_filters": [{"type": "HttpResponseFilter", "http_codes": [400], "action": "IGNORE"}],
                    },
                },
                "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["data"]}},
                "paginator": {
                    "type": "DefaultPaginator",
                    "page_token_option": {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "offset"},
                    "pagination_strategy": {"type": "PageIncrement", "page_size": 100, "start_from_page": 0},
                },
            },
        }
    ],
}

if __name__ == "__main__":
    source = airbyte.get_source("source-declarative-manifest", config={}, source_manifest=MANIFEST)
    source.select_all_streams()
    cache = PostgresCache(
        host="127.0.0.1",
        port=int(os.environ["PGPORT"]),
        username="postgres",
        password="none",
        database=os.environ["PGDATABASE"],
        schema_name="airbyte",
    )
    print(source.read(cache=cache, write_strategy="merge").processed_records)
