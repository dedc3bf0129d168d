"""In which order test files run, and which worker runs them."""

from pathlib import Path

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

HERE = Path(__file__).parent
#: The longest test files, which start first, so that workers end at about the same time. Those that wait the most come
#: before those that compute the most.
LONGEST = (
    "deployed/test_standalone.py",
    "console/test_browser.py",
    "cli/test_run.py",
    "torture/test_chaos.py",
    "jobs/test_ctr_scenario.py",
    "jobs/test_sessions_scenario.py",
    "kda_sql/test_cases.py",
    "pipeline/test_tutorial.py",
    "connectors/test_kinesis.py",
    "console/test_preview.py",
    "connectors/lambda_sink/test_flink.py",
    "jobs/test_forest_failure.py",
    "udfs/forest/test_targets.py",
    "infra/test_package.py",
)
#: Files whose Flink runs in processes that they start.
APART = {
    "deployed/test_standalone.py",
    "console/test_browser.py",
    "cli/test_run.py",
    "torture/test_chaos.py",
    "console/test_preview.py",
    "console/test_backtests.py",
}
_RANKS = {HERE / name: rank for rank, name in enumerate(LONGEST)}


def rank(path: Path, flink: bool) -> int:
    """A file's place among all; ``flink`` says whether its tests need Flink."""
    return _RANKS.get(path, len(_RANKS) + (not flink))


class OneWorkerWithoutFlink(LoadFileScheduling):  # type: ignore[misc]
    """A file is one worker's, and the last worker leaves files that start Flink in the worker to the others.

    Each worker that starts it has a JVM of its own, which spends twenty seconds of CPU time on loading and compiling
    what the others' have loaded and compiled, too.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        if len(self.nodes) > 2 and node == self.nodes[-1]:
            others = [name for name in self.workqueue if not _in_worker(name)]
            for name in others[:1]:
                self.workqueue.move_to_end(name, last=False)
        super()._assign_work_unit(node)


def _in_worker(name: str) -> bool:
    """Whether a file's tests run Flink in the worker; ``name`` is the file's, from the project's root."""
    path = HERE.parent / name
    return path.relative_to(HERE).as_posix() not in APART and "mark.flink" in path.read_text()
