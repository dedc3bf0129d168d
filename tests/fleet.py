"""An application that is not a lab: a fleet's telemetry, as a user would write it in a folder of their own."""

from pathlib import Path

from pipeline.application import Application, read

DESCRIPTION = """\
title: Means of a fleet's temperatures by minute, and the doors that were opened
properties:
  alerts:
    limit: {default: 90.0, help: degrees Celsius above which a mean is reported}
sources:
  telemetry:
    stream: fleet-telemetry
    columns: {vehicle: VARCHAR(8) NOT NULL, temperature: DOUBLE}
  doors:
    type: firehose
    path: s3://fleet-landing/doors/
    columns: {vehicle: VARCHAR(8)}
relations:
  - averages
  - hot
destinations:
  - {of: hot, type: kinesis, stream: fleet-alerts, key: vehicle}
  - {name: archive, of: averages, type: firehose, delivery_stream: fleet-averages}
  - {name: newest, of: averages, type: dynamodb, table: fleet-newest, key: vehicle}
  - {name: opened, of: doors, type: s3, path: "s3://fleet-doors/opened/"}
  - {name: reported, of: hot, type: lambda, function: fleet-pager}
"""
AVERAGES = """\
-- A row for each vehicle and minute, when the minute is over. temperature in degrees Celsius.
SELECT vehicle, AVG(temperature) AS temperature, window_start
FROM TABLE(TUMBLE(TABLE telemetry, DESCRIPTOR(rowtime), INTERVAL '1' MINUTE))
GROUP BY vehicle, window_start, window_end
"""
HOT = "-- The averages above the limit.\nSELECT * FROM averages WHERE temperature > :alerts.limit\n"


def fleet(parent: Path, name: str = "fleet") -> Application:
    """Write the application's folder into ``folder``, and read it."""
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "application.yaml").write_text(DESCRIPTION)
    (folder / "averages.sql").write_text(AVERAGES)
    (folder / "hot.sql").write_text(HOT)
    return read(folder)
