"""An application imported from KDA SQL, and files of records for it."""

import json
import random
from pathlib import Path
from typing import Any

from kda_sql.importing import read
from kda_sql.translate import translate, write
from pipeline.application import Application
from pipeline.application import read as read_application
from udfs.random_cut_forest import RandomCutForest

PROGRAM = """\
CREATE OR REPLACE STREAM "DESTINATION_SQL_STREAM" (truck VARCHAR(8), celsius DOUBLE, ANOMALY_SCORE DOUBLE);
CREATE OR REPLACE PUMP "P" AS INSERT INTO "DESTINATION_SQL_STREAM"
SELECT STREAM truck, celsius, ANOMALY_SCORE FROM TABLE(RANDOM_CUT_FOREST(
  CURSOR(SELECT STREAM truck, celsius FROM "SOURCE_SQL_STREAM_001"), 100, 20, 100000, 1));
"""
DESCRIBED: dict[str, Any] = {
    "ApplicationDetail": {
        "ApplicationName": "trucks",
        "ApplicationCode": PROGRAM,
        "InputDescriptions": [
            {
                "NamePrefix": "SOURCE_SQL_STREAM",
                "InAppStreamNames": ["SOURCE_SQL_STREAM_001"],
                "KinesisStreamsInputDescription": {
                    "ResourceARN": "arn:aws:kinesis:us-east-1:1:stream/trucks"
                },
                "InputSchema": {
                    "RecordFormat": {"RecordFormatType": "JSON"},
                    "RecordColumns": [
                        {"Name": "TRUCK", "SqlType": "VARCHAR(8)", "Mapping": "$.truck.id"},
                        {"Name": "CELSIUS", "SqlType": "DOUBLE", "Mapping": "$.cargo.temperature"},
                    ],
                },
            }
        ],
        "OutputDescriptions": [
            {
                "Name": "DESTINATION_SQL_STREAM",
                "LambdaOutputDescription": {"ResourceARN": "arn:aws:lambda:us-east-1:1:function:reported"},
                "DestinationSchema": {"RecordFormatType": "JSON"},
            }
        ],
    }
}
NO_RECORD = "no JSON"


def imported(parent: Path) -> Application:
    """The application in a folder of another one."""
    (parent / "described.json").write_text(json.dumps(DESCRIBED))
    (found,) = read(parent / "described.json")
    write(translate(found), parent / "trucks")
    return read_application(parent / "trucks")


def properties(folder: Path) -> dict[str, dict[str, str]]:
    """Its groups with files in a folder for everything: ``landing`` is read, ``scored`` and ``errors`` are written."""
    return {
        "source": {"path": f"{(folder / 'landing').as_uri()}/"},
        "sink": {"type": "s3", "path": f"{(folder / 'scored').as_uri()}/"},
        "errors": {"path": f"{(folder / 'errors').as_uri()}/"},
    }


def temperatures(number: int) -> list[float]:
    """The same each time, a degree about 8."""
    rng = random.Random(3)
    return [rng.gauss(8, 1) for _ in range(number)]


def put(folder: Path, name: str, celsius: list[float], first: int) -> None:
    """A file of records, a second apart, which appears at once."""
    lines = [
        json.dumps(
            {
                "event_time": f"2024-01-31T12:{n // 60:02d}:{n % 60:02d}Z",
                "truck": {"id": f"t{n}"},
                "cargo": {"temperature": c},
            }
        )
        for n, c in enumerate(celsius, first)
    ]
    (folder / "landing").mkdir(exist_ok=True)
    part = folder / name
    part.write_text("\n".join([*lines, NO_RECORD, ""]))
    part.rename(folder / "landing" / name)


def found(folder: Path) -> list[dict[str, Any]]:
    """The rows of a folder that were written for good."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))]
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def scores(celsius: list[float]) -> dict[str, float]:
    """What one forest gives, by truck."""
    forest = RandomCutForest(1, number_of_trees=100, sub_sample_size=20)
    return {f"t{n}": s for n, s in enumerate(forest.score_many([[c] for c in celsius]).tolist())}
