"""A Kinesis stream on this machine, and the generator that fills it, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from base.aws import Aws
from infra import child, supervisor
from infra.loopback import free_port
from infra.paths import ROOT

NAME = "chain"
#: Seconds until the emulator answers.
_START_SECONDS = 60
#: ministack without work that it repeats at each call: it searches all records and iterators for expired ones (there
#: are none here), and all shards for each record's. It does not throttle.
_EMULATOR = """
import gc, runpy
from ministack.services import kinesis
gc.disable()
kinesis._expire_records = kinesis._expire_iterators = lambda *_: None
def route(key, stream):
    ids = list(stream["shards"])
    return ids[min(key // (2**128 // len(ids)), len(ids) - 1)]
kinesis._route_to_shard = route
runpy.run_module("ministack", run_name="__main__")
"""


class Stream:
    """A stream in an emulator.

    Parameters
    ----------
    shards : int
        Number of shards. On AWS each takes 1,000 records/s.
    folder : Path
        For logs and scenarios.

    Attributes
    ----------
    roles : dict of int to str
        ``emulator`` and ``generator`` by process id.
    """

    def __init__(self, shards: int, folder: Path) -> None:
        self._shards = shards
        self._folder = folder
        self._port = free_port()
        self.endpoint = f"http://127.0.0.1:{self._port}"
        self.roles: dict[int, str] = {}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the emulator with the stream until the block ends."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PY"))} | {
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": "127.0.0.1",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(self._folder),
            "TMPDIR": str(self._folder),
        }
        log = self._folder / "emulator.log"
        process = child.start([sys.executable, "-c", _EMULATOR], log, cwd=self._folder, env=environment)
        self.roles[process.pid] = "emulator"
        try:
            client = Aws.local(self.endpoint).client("kinesis")
            child.wait_until(process, lambda: _answers(client), _START_SECONDS, log)
            client.create_stream(StreamName=NAME, ShardCount=self._shards)
            yield
        finally:
            child.kill(process)

    def generate(
        self, templates: tuple[str, ...], count: int, rate: int, earlier: int | None = None
    ) -> subprocess.Popen[str]:
        """Start the generator.

        Parameters
        ----------
        templates : tuple of str
            Names or texts; each makes an equal share of the records.
        count, rate : int
            Records in all, and per second.
        earlier : int or None
            Send as fast as possible, with event times that begin this many seconds ago. None: send at ``rate``, with
            the clock as event time.
        """
        senders = []
        for number, template in enumerate(templates):
            if "{" in template:
                path = self._folder / f"{number}.template"
                path.write_text(template)
                template = str(path)
            senders.append({"template": template, "rate": rate / len(templates)})
        scenario = self._folder / "scenario.yaml"
        scenario.write_text(json.dumps({"count": count, "senders": senders}))
        command = [sys.executable, "-m", "cli.main", "generate", "--scenario", str(scenario), "--seed", "1"]
        command += ["--to", f"stream:{NAME}", "--endpoint", self.endpoint]
        if earlier is not None:
            start = datetime.now() - timedelta(seconds=earlier)
            command += ["--speed", "inf", "--start", f"{start:%Y-%m-%dT%H:%M:%S}"]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, preexec_fn=supervisor.die_with_parent
        )
        self.roles[process.pid] = "generator"
        return process


def sent(generator: subprocess.Popen[str]) -> int:
    """Records that an ended generator sent; RuntimeError unless it sent each exactly once."""
    reported = generator.communicate()[0].strip()
    found = re.fullmatch(r"([\d,]+) sent \(.*\), 0 sent again, 0 failed", reported)
    if generator.returncode or not found:
        raise RuntimeError(f"the generator must send each record once, got {reported!r}")
    return int(found[1].replace(",", ""))


def _answers(client: Any) -> bool:
    try:
        client.list_streams()
    except (BotoCoreError, ClientError):
        return False
    return True
