"""The labs' own KDA SQL, imported, beside the labs' applications: the same rows of the same records."""

from typing import Any

import pytest

from pipeline import trial
from pipeline.catalog import find
from pipeline.settings import override, settings
from tests.jobs.conftest import Flink
from tests.kda_sql.case import Case, read_cases
from tests.kda_sql.run import CASES
from tests.kda_sql.together import Rows, rows_of, tried

pytestmark = pytest.mark.flink
LABS = {c.name: c for c in read_cases(CASES) if c.name.startswith("lab-")}


@pytest.fixture(scope="module")
def imported(mini_flink: Flink, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows | Exception]:
    folder = tmp_path_factory.mktemp("labs")
    trials = [tried(case, folder / name, f"c{i}_") for i, (name, case) in enumerate(LABS.items())]
    return rows_of(trials, folder / "job", mini_flink.environment)


def of_the_lab(
    mini_flink: Flink, name: str, case: Case, relations: tuple[str, ...], *properties: str
) -> list[list[dict[str, Any]]]:
    lab = find(name)
    [(source, _)] = lab.sources.items()
    [records] = case.records().values()
    arrivals = [*((r.at, r.data) for r in records), (case.quiet_until, None)]
    given = settings(lab, override({}, properties))
    found = trial.rows_of(mini_flink.environment(), lab, given, {source: arrivals}, relations)
    return [[row.values for row in found[relation]] for relation in relations]


def test_trades(mini_flink: Flink, imported: dict[str, Any]) -> None:
    case = LABS["lab-trade-anomalies"]
    rows = imported[case.name]
    scored, found = of_the_lab(mini_flink, "trades", case, ("temp_stream", "destination_sql_stream"))
    for ours, labs in ((rows["TEMP_STREAM"], scored), (rows["DESTINATION_SQL_STREAM"], found)):
        assert [(r["id"], r["ANOMALY_SCORE"]) for r in ours] == [(r["id"], r["anomaly_score"]) for r in labs]
    assert len(found) >= 4


def test_click_through_rate(mini_flink: Flink, imported: dict[str, Any]) -> None:
    case = LABS["lab-click-through-rate"]
    rows = imported[case.name]
    rates, scores = of_the_lab(mini_flink, "ctr", case, ("ctrstream", "scores"))
    assert [r["CTR"] for r in rows["CTRSTREAM"]] == pytest.approx([r["ctr"] for r in rates])
    above = [(r["ctr"], r["anomaly_score"]) for r in scores if r["anomaly_score"] > 2]
    found = [(r["CTRPERCENT"], r["ANOMALY_SCORE"]) for r in rows["DESTINATION_SQL_STREAM"]]
    assert found == [pytest.approx(row) for row in above]
    assert len(found) >= 1


def test_sessions_of_orderly_clicks(mini_flink: Flink, imported: dict[str, Any]) -> None:
    case = LABS["lab-sessionization"]
    rows = imported[case.name]["DESTINATION_SQL_STREAM"]
    [sessions] = of_the_lab(
        mini_flink,
        "sessions",
        case,
        ("destination_sql_stream",),
        "sessions.rows=events",
        "sessions.user=user1",
    )
    assert [(r["session_id"], r["latest_time"]) for r in rows] == [
        (r["session_id"], r["latest_time"]) for r in sessions
    ]
    assert len(rows) == 5
