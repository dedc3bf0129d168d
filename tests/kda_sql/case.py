"""A conformance case: KDA SQL and records, and the rows that must come. The format is in ``cases/README.md``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from kda_sql.description import Described, Input, Reference, schema_of


@dataclass(frozen=True)
class Record:
    """A record: when it arrives (milliseconds since 1970), its bytes, where it comes from."""

    at: int
    data: bytes
    partition_key: str
    shard: str


@dataclass(frozen=True)
class Case:
    """One case, as its file says it."""

    path: Path
    tree: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.tree["name"])

    @property
    def sql(self) -> str:
        text = str(self.tree["sql"])
        return text.replace("\n", "\r\n") if self.tree.get("sql_line_ends") == "crlf" else text

    @property
    def quiet_until(self) -> int:
        return milliseconds(self.tree["quiet_until"])

    def described(self, folder: Path) -> Described:
        """The application; reference tables are written into the folder."""
        inputs = tuple(
            Input(
                (name,),
                schema_of({"RecordFormat": s["record_format"], "RecordColumns": s["columns"]}, name),
                stream="cases",
            )
            for name, s in self.tree["sources"].items()
        )
        references = []
        for i, (name, table) in enumerate((self.tree.get("reference") or {}).items()):
            file = folder / f"reference_{i}.csv"
            file.write_text(table["csv"], encoding="utf-8")
            format_ = {"RecordFormatType": "CSV", "RecordColumnDelimiter": ",", "RecordRowDelimiter": "\n"}
            schema = schema_of({"RecordFormat": format_, "RecordColumns": table["columns"]}, name)
            references.append(Reference(name, schema, file.as_uri()))
        return Described(self.name.replace("-", "_"), self.sql, inputs, tuple(references))

    def records(self) -> dict[str, list[Record]]:
        """By source, in order of arrival; what a generator makes is made."""
        found: dict[str, list[Record]] = {name: [] for name in self.tree["sources"]}
        for name, records in (self.tree.get("records") or {}).items():
            for r in records:
                found[name].append(
                    Record(
                        milliseconds(r["at"]),
                        str(r["data"]).encode(),
                        str(r.get("partition_key", "p")),
                        str(r.get("shard_id", "shardId-000000000000")),
                    )
                )
        for name, generator in (self.tree.get("generator") or {}).items():
            made = _scattered(generator) if generator["kind"] == "scatter" else _grouped(generator)
            found[name] += [Record(at, data.encode(), "p", "shardId-000000000000") for at, data in made]
        return found


def read_cases(folder: Path) -> list[Case]:
    """The cases of a folder, by name.

    Raises
    ------
    ValueError
        There is none.
    """
    cases = [
        Case(path, yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
        for path in sorted(folder.glob("*.yaml"))
    ]
    if not cases:
        raise ValueError(f"{folder}: required *.yaml, got none")
    return cases


def milliseconds(text: str) -> int:
    """A time as the cases write it, in milliseconds since 1970."""
    moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def _scattered(generator: dict[str, Any]) -> list[tuple[int, str]]:
    start, made = milliseconds(generator["start"]), []
    for i in range(generator["count"]):
        row = {name: _field(spec, i) for name, spec in generator["fields"].items()}
        row |= (generator.get("changes") or {}).get(i, {})
        made.append((start + i * generator["every_ms"], json.dumps(row)))
    return made


def _field(spec: dict[str, Any], i: int) -> Any:
    for every, other in (spec.get("every") or {}).items():
        if i % every == 0:
            return _field(other, i)
    if "cycle" in spec:
        return spec["cycle"][i % len(spec["cycle"])]
    if "text" in spec:
        return f"{spec['text']}{i}"
    if "count_from" in spec:
        return spec["count_from"] + i
    value = round(spec["base"] + spec["spread"] * (((i + 1) * spec["step"]) % 1009) / 1009, 3)
    return int(value) if spec.get("whole") else value


def _grouped(generator: dict[str, Any]) -> list[tuple[int, str]]:
    made = [
        (milliseconds(g["from"]) + i * g["every_ms"], g["data"])
        for g in generator["groups"]
        for i in range(g["count"])
    ]
    return sorted(made, key=lambda record: record[0])
