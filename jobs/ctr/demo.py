"""The demo of lab 1: clicks, impressions, a burst of clicks and its message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from base.aws import Aws
from cli import report
from cli.demo_job import DemoJob
from infra import stacks
from jobs.ctr.course import BURST, SPEED, WINDOW, Course, Score, run


def show(aws: Aws, folder: Path, out: Console) -> bool:
    """Run lab 1 on a local AWS; return whether its expectations were met.

    Parameters
    ----------
    aws : Aws
        A local one.
    folder : Path
        Folder for the job's state and logs.
    out : Console
        Console to show the demo on.
    """
    since = datetime.now(UTC)
    with Live(console=out, refresh_per_second=4, transient=False) as live:
        live.update(Text("The job is starting …"))
        course = run(aws, folder, lambda course, job: live.update(_picture(course, job)))
    out.print()
    outputs = stacks.outputs(aws, "ctr")
    topic = aws.client("sns").list_subscriptions_by_topic(TopicArn=outputs["TopicArn"])
    people = [f"{s['Protocol']} {s['Endpoint']}" for s in topic["Subscriptions"] if s["Protocol"] != "sqs"]
    _summary(out, course, people)
    report.write(folder / "report.html", reported(course, report.tapped(aws, "ctr", since), since))
    return all(course.expectations.values())


def reported(
    course: Course, relations: Mapping[str, Sequence[Mapping[str, Any]]], since: datetime
) -> report.Report:
    """The report of a course. The burst is the one injected event; a message for any of its windows counts as found."""
    burst = f"burst of {course.begin + BURST.start * WINDOW:%H:%M:%S}" if course.begin else ""
    of = {n.window_start: burst for n in course.notified(BURST)}
    return report.Report(
        "ctr",
        relations,
        figures={
            "records": f"{course.counts.sent:,} sent, {course.counts.failed:,} failed",
            "windows scored": f"{len(course.scores):,}",
            "alerts": f"{len(course.anomalies):,}",
            "windows above the threshold, KDA's rule": f"{len(course.by_score):,}",
            "messages": f"{len(course.notifications):,}",
        },
        expectations=course.expectations,
        injected=[burst] if burst else [],
        found=sorted({of.get(n.window_start, f"{n.window_start:%H:%M:%S}") for n in course.notifications}),
        began=since,
    )


def _picture(course: Course, job: DemoJob) -> Group:
    sent = Text(f"{course.counts.sent:,} records sent, {course.counts.failed:,} failed")
    table = Table("window (UTC)", "CTR %", "expected", "score", "", box=None)
    for start in sorted(course.scores)[-14:]:
        table.add_row(*_row(course, course.scores[start]))
    messages = [Panel(n.message, title=n.subject) for n in course.notifications[-1:]]
    return Group(sent, table, *messages)


def _row(course: Course, found: Score) -> tuple[str | Text, ...]:
    number = course.number(found.start)
    color = "red" if found.start in course.anomalies else "green" if found.score else "dim"
    bar = "█" * round(found.score * 8) if found.score else "learning"
    return (
        f"{found.start:%H:%M:%S}{' burst' if number in BURST else ''}",
        f"{found.ctr:.0f}",
        f"{found.expected_ctr:.0f}",
        Text(f"{found.score:.2f}", style=color),
        Text(bar, style=color),
    )


def _summary(out: Console, course: Course, people: list[str]) -> None:
    for notification in course.notifications:
        delay = (notification.sent - notification.window_start - WINDOW).total_seconds()
        out.print(
            Panel(
                notification.message,
                title=notification.subject,
                subtitle=f"{delay:.1f} s after the window, to {', '.join(people)}",
                title_align="left",
                subtitle_align="left",
            )
        )
    table = Table("lab 1: click-through rate", "", title=f"time × {SPEED:g}", title_justify="left")
    table.add_row("records", f"{course.counts.sent:,} sent, {course.counts.failed:,} failed")
    table.add_row("windows", f"{len(course.scores)} of {WINDOW.total_seconds():g} s scored")
    table.add_row("alerts", f"{len(course.anomalies)}, messages {len(course.notifications)}")
    table.add_row("by KDA's rule", f"{len(course.by_score)} windows above the threshold")
    for expectation, held in course.expectations.items():
        table.add_row(expectation, Text("yes" if held else "NO", style="green" if held else "red"))
    out.print(table)
