"""An application of KDA SQL, made and saved through the console's interface."""

from typing import Any

from tests.console.bench import Ask

SQL = """\
CREATE OR REPLACE STREAM "OUT" ("TICKER" VARCHAR(4), "N" INTEGER);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "OUT"
SELECT STREAM "TICKER", COUNT(*) FROM "SOURCE_SQL_STREAM_001"
GROUP BY "TICKER", STEP("SOURCE_SQL_STREAM_001".ROWTIME BY INTERVAL '10' SECOND);
"""
SCHEMA = {
    "RecordFormat": {"RecordFormatType": "JSON"},
    "RecordColumns": [{"Name": "TICKER", "SqlType": "VARCHAR(4)", "Mapping": "$.t"}],
}
FROM_SQL = {"kind": "sql", "sql": SQL, "stream": "ticks", "schema": SCHEMA}


def made(ask: Ask, name: str = "mine", origin: Any = FROM_SQL) -> dict[str, Any]:
    answer = ask("POST", "/api/applications", json={"name": name, "title": "Mine", "from": origin})
    assert answer.status_code == 201, answer.text
    return ask("GET", f"/api/applications/{name}/document").json()


def saved(ask: Ask, document: dict[str, Any], **changed: Any) -> Any:
    asked_for = {"files": document["files"], "revision": document["revision"], **changed}
    return ask("POST", f"/api/applications/{document['name']}/save", json=asked_for)
