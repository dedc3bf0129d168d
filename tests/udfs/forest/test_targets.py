"""The forest's machine code on other processors than this one: the same bits, and no loop unrolled at run time."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import llvmlite.binding
import pytest

ROOT = Path(__file__).resolve().parents[3]

#: Processors, each with what a machine must have to run code made for it: the least, and one with all that could make
#: other bits. LLVM models both with a loop buffer, and where there is one it unrolls loops whose counts are known only
#: at run time, unless forbidden.
X86 = {"x86-64": "sse2", "sapphirerapids": "avx512f"}

# Compiled as udfs.compiled does it, but not from the cache, which keeps no IR.
COUNT = """
import json, re, sys
import llvmlite.binding as llvm, numba
from udfs.forest.stream import score_and_learn
from udfs.random_cut_forest import RandomCutForest
import numpy as np
options = dict(error_model="numpy", boundscheck=False, _nrt=False)
compiled = numba.njit(**options)(score_and_learn.py_func)
forest = RandomCutForest(2, 3, 10)
compiled(forest.arrays, forest._scratch, np.zeros(0, np.float32), 2, 0.1, True, np.zeros(0))
text = compiled.inspect_llvm(compiled.signatures[0])
"""

ON_A_TARGET = (
    COUNT
    + """
def unrolled(ir):
    return len(re.findall(r"^[\\w.]*\\.(?:unr|epil|prol)[\\w.-]*:", ir, re.M))
scores = []
if sys.argv[1] == "run":
    rng = np.random.default_rng(1)
    for columns, samples, shingle in ((1, 12, 1), (2, 64, 1), (3, 32, 1), (1, 40, 8)):
        for points in (rng.normal(size=(400, columns)), rng.integers(0, 9, (400, columns))):
            forest = RandomCutForest(columns, 20, samples, 100, shingle, seed=3)
            scores += forest.score_many(points[:390]).tolist()
            scores += [forest.score_many(point[None])[0] for point in points[390:]]
            attribution = forest.attribution(points[7])
            scores += attribution.high.tolist() + attribution.low.tolist()
print(json.dumps([numba.config.CPU_NAME, unrolled(text), [score.hex() for score in scores]]))
"""
)

FOR_ARM = (
    COUNT
    + """
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
machine = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu=sys.argv[1], opt=3)
text = re.sub(r'target triple = ".*"', 'target triple = "aarch64-unknown-linux-gnu"', text)
text = re.sub(r'target datalayout = ".*"', f'target datalayout = "{machine.target_data}"', text)
text = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text)
module = llvm.parse_assembly(text)
tuning = llvm.create_pipeline_tuning_options(speed_level=3)
tuning.loop_vectorization = False
builder = llvm.create_pass_builder(machine, tuning)
builder.getModulePassManager().run(module, builder)
unrolled = len(re.findall(r"^[\\w.]*\\.(?:unr|epil|prol)[\\w.-]*:", str(module), re.M))
assembly = machine.emit_assembly(module)
fused = re.findall(r"\\b(?:fn?madd|fn?msub|fmla|fmls)\\b", assembly)
print(json.dumps([unrolled, len(fused), assembly.count("\\n")]))
"""
)


def run(code: str, argument: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code, argument],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compiles for x86 processors")
def test_scores_are_equal_to_the_last_bit_on_every_target() -> None:
    here = llvmlite.binding.get_host_cpu_features()
    scores = {}
    for target, needed in X86.items():
        verb = "run" if here.get(needed) else "compile"
        found, unrolled, bits = run(ON_A_TARGET, verb, NUMBA_CPU_NAME=target, NUMBA_CPU_FEATURES="")
        assert (found, unrolled) == (target, 0)
        if verb == "run":
            scores[target] = bits
    assert all(bits == scores["x86-64"] for bits in scores.values())
    assert len(set(scores["x86-64"])) > 1000


@pytest.mark.parametrize("processor", ["generic", "neoverse-v1"])
def test_it_compiles_for_arm_without_unrolling_and_without_fused_arithmetic(processor: str) -> None:
    """Graviton, as far as it can be seen from here: a multiplication fused with an addition would round otherwise."""
    unrolled, fused, lines = run(FOR_ARM, processor)
    assert (unrolled, fused) == (0, 0)
    assert lines > 1000
