"""What the page shows of a job, here or on the service, and how it is started and stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

from base.errors import KdaError
from infra.flink_health import Health

#: The facts that the page shows of a running job.
FACTS = ("checkpoint", "checkpoints", "failed", "restored", "behind", "late")


class JobError(KdaError):
    """The job can't be started or stopped now; the message says why."""


@dataclass(frozen=True)
class JobView:
    """What the page shows of a job: its health, and the action under way.

    Attributes
    ----------
    health : Health
    asked : str
        The action under way: ``start``, ``stop`` or empty.
    trouble : str
        Why it ended, or why the action failed.
    measured : tuple of str
        The facts of its health that are known, of `FACTS`.
    left_behind : tuple of str
        Steps with saved state that the application no longer uses: to resume drops it.
    """

    health: Health
    asked: str = ""
    trouble: str = ""
    measured: tuple[str, ...] = ("checkpoint", "checkpoints", "restored", "behind", "late")
    left_behind: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain data for the page, without the process id."""
        found = asdict(self.health)
        del found["pid"]
        return found | {
            "asked": self.asked,
            "trouble": self.trouble,
            "measured": self.measured,
            "left_behind": self.left_behind,
        }


class Job(Protocol):
    """A job that can be shown, started and stopped, on this machine or on the service."""

    @property
    def view(self) -> JobView: ...
    def start(self, resume: bool, leave_state: bool = False) -> None: ...
    def stop(self) -> None: ...
    def run(self, leave_state: bool = False) -> None: ...
    def close(self) -> None: ...
