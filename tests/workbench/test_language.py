"""Templates fit KDA's demo stream as the page discovers it, and each is an application that checks."""

import pytest

from discovery.output import input_schema
from discovery.schema import discover
from generator import runner, scenario
from workbench.checked import check
from workbench.language import known
from workbench.uploads import files_of_sql


@pytest.mark.parametrize("template", known()["templates"], ids=lambda t: t["name"])
def test_a_template_is_an_application(template: dict[str, str]) -> None:
    (sent,) = runner.preview(scenario.single("stock-ticker", 1.0), 50).values()
    records = [text.encode() for text in sent]
    schema = input_schema(discover(records), records)["InputSchema"]
    found = check("made", "Made", "kda", files_of_sql(template["sql"], "demo", schema))
    assert found.errors == ()
    assert found.application is not None
    assert template["title"]
    assert template["help"].endswith(".")


def test_an_editor_knows_the_functions() -> None:
    functions = {f["name"]: f["signature"] for f in known()["functions"]}
    assert functions["RANDOM_CUT_FOREST"].startswith("(CURSOR")
    assert functions["TSDIFF"] == "(argument 1, argument 2)"
    assert {"SELECT", "PUMP", "STAGGER"} <= set(known()["keywords"]["kda"])
