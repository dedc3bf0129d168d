"""The three labs as an operator sees them: streams, flow, senders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Node:
    """One box of the flow.

    Parameters
    ----------
    label : str
        What a person calls it.
    relation : str or None
        The in-application stream whose rows it shows; None: a thing outside the job.
    note : str
        One line of what it is.
    """

    label: str
    relation: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Sender:
    """Something that sends records to a lab's stream.

    Parameters
    ----------
    id : str
        Unique in its lab.
    label : str
        What a person calls it.
    kind : {"template", "scenario", "trades"}
        What makes the records.
    source : str
        The template's or scenario's name.
    rate : float or None
        Records a second to begin with; None: the scenario has rates of its own.
    """

    id: str
    label: str
    kind: Literal["template", "scenario", "trades"]
    source: str = ""
    rate: float | None = 1.0


@dataclass(frozen=True)
class Lab:
    """One lab.

    Parameters
    ----------
    name : str
        As the commands take it; also the job's short name.
    title, tab : str
        One line, and the two words of it that fit a phone.
    input, taps, errors : str
        Its Kinesis streams.
    flow : tuple of tuple of Node
        Stages from source to destination; nodes of one stage stand side by side.
    senders : tuple of Sender
    results : {"messages", "items", "objects"}
        What arrives at the destination.
    """

    name: str
    title: str
    tab: str
    input: str
    taps: str
    errors: str
    flow: tuple[tuple[Node, ...], ...]
    senders: tuple[Sender, ...]
    results: Literal["messages", "items", "objects"]
    relations: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        shown = tuple(node.relation for stage in self.flow for node in stage if node.relation)
        object.__setattr__(self, "relations", shown)


#: The relation that every job has: what could not be used.
ERRORS = "error_stream"

LABS = {
    lab.name: lab
    for lab in (
        Lab(
            "ctr",
            "Click-through-rate anomalies",
            "Click-through rate",
            "ctr-clickstream",
            "ctr-taps",
            "ctr-errors",
            (
                (Node("ctr-clickstream", None, "Kinesis stream"),),
                (Node("source_sql_stream", "source_sql_stream", "clicks and impressions"),),
                (
                    Node("clickstream", "clickstream", "clicks by window"),
                    Node("impressionstream", "impressionstream", "impressions by window"),
                ),
                (Node("ctrstream", "ctrstream", "clicks ÷ impressions × 100"),),
                (Node("scores", "scores", "random cut forest"),),
                (Node("destination_sql_stream", "destination_sql_stream", "above the threshold"),),
                (Node("CSEBeconAnomalyResponse", None, "Lambda → e-mail and SMS"),),
            ),
            (
                Sender("impressions", "Impressions", "template", "impression"),
                Sender("clicks-1", "Clicks 1", "template", "click"),
                Sender("clicks-2", "Clicks 2", "template", "click"),
                Sender("clicks-3", "Clicks 3", "template", "click"),
                Sender("clicks-4", "Clicks 4", "template", "click"),
            ),
            "messages",
        ),
        Lab(
            "sessions",
            "Sessions of a clickstream",
            "Sessions",
            "lab-stream",
            "lab-stream-taps",
            "lab-stream-errors",
            (
                (Node("lab-stream", None, "Kinesis stream"),),
                (Node("source_sql_stream", "source_sql_stream", "clicks as they come"),),
                (Node("intermediate_sql_stream", "intermediate_sql_stream", "where a session starts"),),
                (Node("destination_sql_stream", "destination_sql_stream", "one row a session"),),
                (Node("lab-function", None, "Lambda → DynamoDB"),),
            ),
            (Sender("simulator", "Click simulator", "scenario", "clickstream", None),),
            "items",
        ),
        Lab(
            "trades",
            "Anomalous stock trades",
            "Trades",
            "Demo-samples",
            "Demo-samples-taps",
            "Demo-samples-errors",
            (
                (Node("Demo-samples", None, "Kinesis stream"),),
                (Node("source_sql_stream", "source_sql_stream", "trades"),),
                (Node("temp_stream", "temp_stream", "random cut forest"),),
                (Node("anomalous_trades", "anomalous_trades", "above the threshold"),),
                (Node("destination_sql_stream", "destination_sql_stream", "by second, then by score"),),
                (Node("anomalous_stock_trades_firehose_stream", None, "Firehose → S3"),),
            ),
            (Sender("trades", "Trades, 5 % anomalous", "trades", rate=20),),
            "objects",
        ),
    )
}
