"""`python -m bench.generator`: records per second that the generator makes on one core, to the sinks without AWS."""

import argparse
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from generator import runner, scenario, sinks

#: Records per second that every template must reach with every sink.
REQUIRED = 20_000

TEMPLATES = {
    "lab 1: click": "click",
    "lab 2: clickstream": "clickstream",
    "sensor: numbers, a choice, a date": """
        {"sensorId": {{random.number(50)}},
         "temperature": {{random.number({"min": 10, "max": 150})}},
         "humidity": {{random.number({"min": 0, "max": 1, "precision": 0.01})}},
         "status": "{{random.weightedArrayElement({"weights": [0.9, 0.1], "data": ["OK", "FAIL"]})}}",
         "at": "{{date.utc("YYYY-MM-DDTHH:mm:ss.SSS")}}"}""",
    "person: names by Faker": """
        {"id": "{{random.uuid}}", "first": "{{name.firstName}}", "last": "{{name.lastName}}",
         "country": "{{address.country}}", "job": "{{name.jobTitle}}", "ip": "{{internet.ip}}",
         "age": {{random.number(99)}}, "at": "{{date.now}}"}""",
}


def measured(chosen: scenario.Scenario, sink: sinks.Sink) -> float:
    """Run a scenario as fast as possible; return records per CPU second."""
    began = time.process_time()
    counts = runner.run(chosen, sink, speed=float("inf"), seed=1)
    sink.close()
    return counts.sent / (time.process_time() - began)


def main() -> None:
    """Measure each template with each sink; exit code 1 if one is too slow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="records per measurement")
    count = parser.parse_args().count
    table = Table("template", "null", "file", title="Records a second of one core's time")
    slowest = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, text) in enumerate(TEMPLATES.items()):
            path = Path(folder) / f"{number}.template"
            path.write_text(text)
            chosen = scenario.single(text if "{" not in text else str(path), rate=1000, count=count)
            rates = [
                measured(chosen, sinks.NullSink()),
                measured(chosen, sinks.FileSink(Path(folder) / f"{number}.out")),
            ]
            slowest = min(slowest, *rates)
            table.add_row(name, *[f"{rate:,.0f}" for rate in rates])
    Console().print(table)
    if slowest < REQUIRED:
        raise SystemExit(f"the slowest makes {slowest:,.0f} records a second, {REQUIRED:,} are required")


if __name__ == "__main__":
    main()
