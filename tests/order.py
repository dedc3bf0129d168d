"""In which order test files run, and which worker runs them."""

from functools import cache
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
    "console/test_preview.py",
    "console/test_backtests.py",
}
_RANKS = {HERE / name: rank for rank, name in enumerate(LONGEST)}


def rank(path: Path, flink: bool) -> int:
    """A file's place among all; ``flink`` says whether its tests need Flink."""
    return _RANKS.get(path, len(_RANKS) + (not flink))


def turned(worker: int) -> list[str]:
    """All that is to be collected, from another place on for each of three workers."""
    all_ = sorted(str(path) for path in HERE.iterdir() if path.is_dir() or path.name.startswith("test_"))
    first = worker * len(all_) // 3
    return all_[first:] + all_[:first]


class OneWorkerApart(LoadFileScheduling):  # type: ignore[misc]
    """A file is one worker's. Of three workers the last takes the files whose Flink runs apart, which wait the most.

    The other two start Flink in the worker. Each has a JVM of its own, which spends twenty seconds of CPU time on
    loading and compiling what the other's has loaded and compiled, too.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        if len(self.nodes) > 2:
            last = node == self.nodes[-1]
            wanted = [name for name in self.workqueue if (_kind(name) == "apart") == last]
            wanted += [name for name in self.workqueue if _kind(name) == "without"] if last else []
            for name in wanted[:1]:
                self.workqueue.move_to_end(name, last=False)
        super()._assign_work_unit(node)


@cache
def _kind(name: str) -> str:
    """Whether a file's tests run Flink in the worker, ``apart`` or not at all; ``name`` is from the project's root."""
    path = HERE.parent / name
    if path.relative_to(HERE).as_posix() in APART:
        return "apart"
    return "in" if "mark.flink" in path.read_text() else "without"
