"""The forest's machine code for other processors than this one: the same bits, and no loop unrolled at run time."""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
X86_64 = platform.machine() == "x86_64"

#: Processors that code is made for, by LLVM's names of their kind: those that could make other bits, and for which LLVM
#: models a loop buffer: where there is one it unrolls loops whose counts are known only at run time, unless forbidden.
#: Graviton is seen as far as it can be from elsewhere.
TARGETS = {
    "x86_64-unknown-linux-gnu": ("sapphirerapids", "znver4"),
    "aarch64-unknown-linux-gnu": ("generic", "neoverse-v1"),
}
#: A multiplication fused with an addition, which rounds otherwise.
FUSED = re.compile(r"\b(?:fn?madd|fn?msub|fmla|fmls|vfn?m(?:add|sub)\w*)\b")


def bits() -> list[str]:
    """Scores and attributions of forests of several shapes, exactly."""
    from udfs.random_cut_forest import RandomCutForest

    scores: list[float] = []
    rng = np.random.default_rng(1)
    for columns, samples, shingle in ((1, 12, 1), (2, 64, 1), (3, 32, 1), (1, 40, 8)):
        for points in (rng.normal(size=(400, columns)), rng.integers(0, 9, (400, columns))):
            forest = RandomCutForest(columns, 20, samples, 100, shingle, seed=3)
            scores += forest.score_many(points[:390]).tolist()
            scores += [float(forest.score_many(point[None])[0]) for point in points[390:]]
            attribution = forest.attribution(points[7])
            scores += attribution.high.tolist() + attribution.low.tolist()
    return [score.hex() for score in scores]


def compiled(triples: list[str]) -> dict[str, Any]:
    """What LLVM makes of the forest, for the processor that numba takes this one for, and for others of these kinds."""
    import udfs.compiled

    # Nothing from the cache, which keeps no code of LLVM's.
    udfs.compiled.CACHED = False
    import llvmlite.binding as llvm
    import numba

    from udfs.forest.call import learn_records
    from udfs.random_cut_forest import RandomCutForest

    RandomCutForest(2, 3, 10).score_many(np.zeros((1, 2)))
    text = learn_records.inspect_llvm(learn_records.signatures[0])
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    plain = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text)
    found = {}
    for triple in triples:
        for processor in TARGETS[triple]:
            machine = llvm.Target.from_triple(triple).create_target_machine(cpu=processor, opt=3)
            of_target = re.sub(r'target triple = ".*"', f'target triple = "{triple}"', plain)
            layout = f'target datalayout = "{machine.target_data}"'
            module = llvm.parse_assembly(re.sub(r'target datalayout = ".*"', layout, of_target))
            tuning = llvm.create_pipeline_tuning_options(speed_level=3)
            tuning.loop_vectorization = False
            builder = llvm.create_pass_builder(machine, tuning)
            builder.getModulePassManager().run(module, builder)
            assembly = machine.emit_assembly(module)
            found[processor] = [_unrolled(str(module)), len(FUSED.findall(assembly)), assembly.count("\n")]
    return {"for": numba.config.CPU_NAME, "unrolled": _unrolled(text), "others": found, "bits": bits()}


def _unrolled(ir: str) -> int:
    return len(re.findall(r"^[\w.]*\.(?:unr|epil|prol)[\w.-]*:", ir, re.M))


def in_a_process(triples: list[str], **environment: str) -> dict[str, Any]:
    code = f"import json; from {__name__} import compiled; print(json.dumps(compiled({triples})))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def test_all_processors_get_the_same_bits_without_loops_unrolled_or_arithmetic_fused() -> None:
    # Of x86 the least, of which all others have more: this machine's own code, of the cache, is made for all it has.
    least = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": ""} if X86_64 else {}
    triples = [triple for triple in TARGETS if X86_64 or triple.startswith("aarch64")]
    made = in_a_process(triples, **least)
    assert not X86_64 or made["for"] == "x86-64"
    assert made["unrolled"] == 0
    assert list(made["others"]) == [processor for triple in triples for processor in TARGETS[triple]]
    for unrolled, fused, lines in made["others"].values():
        assert (unrolled, fused) == (0, 0)
        assert lines > 1000
    assert made["bits"] == bits()
    assert len(set(made["bits"])) > 1000
