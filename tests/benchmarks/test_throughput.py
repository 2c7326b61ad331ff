"""The command from end to end, tiny."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.findings import Findings

ROOT = Path(__file__).parent.parent.parent


def test_a_tiny_run(tmp_path: Path) -> None:
    options = ["--grid", "laptop", "--shapes", "1", "--seconds", "0.01", "--repeats", "2", "--lanes", "1"]
    ways = ["--ways", "loop", "vmap", "cohort", "--no-sweep", "--no-document", "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.throughput", *options, *ways],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.json")
    findings = Findings.read(file)
    (grid,) = findings.grids
    assert grid.ways == ["loop", "vmap", "cohort"]
    for way in grid.ways:
        assert all(len(case.rates[way]) == 2 and min(case.rates[way]) > 0 for case in grid.cases)
        assert 0 < grid.share(way) < 1
        assert grid.memory[way] > 0
    assert len(grid.stages) == 2  # a GAN and an EBGAN
    for shares in grid.stages.values():
        assert sum(shares.values()) == pytest.approx(1, abs=0.01)
        assert shares["products"] > 0.1
        assert all(share > 0 for share in shares.values())
    assert "laptop: cohort over loop" in done.stdout
    assert "laptop: cohort over tune" in done.stdout
    assert "not measured" in done.stdout
