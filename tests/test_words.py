"""Names that the project has given up for the field's own (docs/design.md, Words): none of them comes back."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = ("search_spaces", "data", "models", "metrics", "sweep", "reports", "benchmarks")
MODULES = """
analysis card collector course curves database devices dispatch factors findings first_part floor fragment fresh
grids journal lanes notice output panel plate replay scoring sheet stages statistics studies
cohort_way loop_way tune_way vmap_way
"""
NAMES = """
Making Judging Rebuilding Classifying Stack Statistics Matrices Replay Schedule Marks Journal Panel Plate Lone Way Lane
Limit
learns teaches learn teach judge fooled pulled noise rules JUDGED
_pulled _both _fooled _slots _kept
_Flight _Trouble _guard _mind_errors _again heard_at beat put_back end_empty BEAT_S
on_the_way earlier first_part course lanes ways findings
Task CohortShelf shelf _Ended FRUITLESS fruitless _mourn _hear _put_back _listen _asked abandon _rests _too_late
_interrupts _catch_errors _mind_other_spaces _add_looking _facts _pace
"""
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def identifiers(path: Path) -> Iterator[str]:
    """What a file names: classes, functions, arguments, variables, attributes that it sets."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def test_no_module_is_called_by_a_retired_name() -> None:
    retired = MODULES.split()
    assert [path.relative_to(ROOT).as_posix() for path in FILES if path.stem in retired] == []


def test_nothing_is_called_by_a_retired_name() -> None:
    retired = NAMES.split()
    found = {(path.relative_to(ROOT).as_posix(), name) for path in FILES for name in identifiers(path)}
    assert sorted((path, name) for path, name in found if name in retired) == []
