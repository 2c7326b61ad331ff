"""The layout: who may import whom, what each heavy dependency's one home is, and how tests are laid out."""

import ast
import json
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("search_spaces", "data", "models", "metrics", "sweep", "reports", "benchmarks")
# What each package may use of the others; nobody uses an entry point.
MAY_USE = {
    "search_spaces": set(),
    "data": set(),
    "models": set(),
    "metrics": set(),
    "sweep": {"search_spaces", "data", "models", "metrics"},
    "reports": {"search_spaces", "data.sample_sheet"},
    "benchmarks": {"search_spaces", "data", "models", "metrics", "sweep"},  # used by nobody
}
# Entry points bring together what the packages keep apart.
ENTRY_POINTS = {
    "metrics/__main__.py": {"data"},
    "reports/__main__.py": {
        "sweep.storage",
        "sweep.command.console",
        "sweep.command.password",
        "sweep.command.parser",
        "sweep.command.version",
        "sweep.results.spreadsheet",
    },
}
# One heavy library, one folder (or a file that is named).
HOMES = {
    "ray": ["sweep/driver/tune.py", "sweep/driver/ray_session.py", "benchmarks/baselines/tune.py"],
    "sqlalchemy": ["sweep/storage/"],
    "alembic": ["sweep/storage/"],
    "torch": [
        "models/",
        "metrics/",
        "data/tensors.py",
        "sweep/worker/",
        "sweep/driver/tune.py",
        "sweep/results/rerun.py",
        "benchmarks/",
    ],
    "matplotlib": ["reports/figures/"],
    "argparse": [
        "metrics/__main__.py",
        "reports/__main__.py",
        "sweep/__main__.py",
        "sweep/command/parser.py",
        "benchmarks/options.py",
        "benchmarks/throughput/__main__.py",
        "benchmarks/precision.py",
        "benchmarks/scale.py",
    ],
    "optuna": ["reports/numbers/effects.py", "sweep/results/"],
    "pydantic": ["search_spaces/axis.py", "search_spaces/space_file.py", "search_spaces/experiments/"],
    "yaml": ["search_spaces/space_file.py"],
}
# What some rooms may use of their own package.
ROOMS = {
    "sweep/planning/": {"sweep.planning", "sweep.storage", "sweep.text"},
    "sweep/storage/": {"sweep.storage", "sweep.errors", "sweep.records"},
}
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LIGHT = (
    *(
        "search_spaces.space_file",
        "data.mnist.dataset",
        "metrics.classifier_card",
        "metrics.identity",
        "sweep.planning.plan",
        "sweep.storage",
        "sweep.worker.checkpoint_folder",
        "sweep.worker.memory",
    ),
    *("sweep.__main__", "reports", "reports.__main__"),
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Full names of what a file imports, wherever in the file: `from a import b` gives a.b."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(imported: str, module: str) -> bool:
    return imported == module or imported.startswith(f"{module}.")


def test_the_packages_are_these() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == set(PACKAGES)
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_run_one_way(path: Path) -> None:
    own = name_of(path).split("/")[0]
    allowed = MAY_USE[own] | ENTRY_POINTS.get(name_of(path), set()) | {own}
    for imported in imports(path):
        if imported.split(".")[0] in PACKAGES:
            assert any(within(imported, module) for module in allowed), imported
            assert ".__main__" not in imported
        assert imported.split(".")[0] != "tests"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_only_some_others(room: str) -> None:
    package = room.split("/")[0]
    own = [path for path in FILES if name_of(path).startswith(room)]
    used = {name for path in own for name in imports(path) if name.split(".")[0] == package}
    assert [name for name in sorted(used) if not any(within(name, one) for one in ROOMS[room])] == []
    assert [one for one in ROOMS[room] if not any(within(name, one) for name in used)] == []


@pytest.mark.parametrize("dependency", HOMES)
def test_a_heavy_dependency_has_one_home(dependency: str) -> None:
    users = [name_of(path) for path in FILES if any(within(name, dependency) for name in imports(path))]
    homes = HOMES[dependency]
    assert [name for name in users if not name.startswith(tuple(homes))] == []
    assert [home for home in homes if not any(name.startswith(home) for name in users)] == []


def test_entry_points_are_used_as_allowed() -> None:
    for name, modules in ENTRY_POINTS.items():
        for module in modules:
            assert any(within(imported, module) for imported in imports(ROOT / name)), (name, module)


def test_planning_and_reporting_load_neither_torch_nor_ray() -> None:
    script = (
        "import importlib, json, sys\n"
        "found = {}\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    found[name] = sorted({'torch', 'ray'} & set(sys.modules))\n"
        "print(json.dumps(found))"
    )
    done = subprocess.run([sys.executable, "-c", script, *LIGHT], capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(done.stdout) == {name: [] for name in LIGHT}


def test_every_file_says_what_it_is_for() -> None:
    silent = [name_of(path) for path in FILES if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


def test_lines_of_the_page_are_as_short_as_those_of_python() -> None:
    most = tomllib.loads((ROOT / "ruff.toml").read_text(encoding="utf-8"))["line-length"]
    files = [path for path in sorted((ROOT / "reports").rglob("*")) if path.suffix in (".js", ".css", ".html")]
    assert len(files) > 15
    lines = [(path, line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    assert [f"{name_of(path)}: {line}" for path, line in lines if len(line) > most] == []


def test_no_file_is_a_catch_all() -> None:
    names = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}
    assert [name_of(path) for path in FILES if path.stem in names] == []


def defined(node: ast.stmt) -> list[str]:
    """Names that a statement of a file gives to something."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    return [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]


def words(node: ast.AST) -> set[str]:
    """All names in a piece of code, those of arguments among them, for these are names of fixtures."""
    names = {found.id for found in ast.walk(node) if isinstance(found, ast.Name)}
    return names | {found.arg for found in ast.walk(node) if isinstance(found, ast.arg)}


def starts_ray(node: ast.AST) -> bool:
    """Whether a piece of code makes a command that begins with `python -m sweep run`, or calls `run_cohorts` itself."""
    for found in ast.walk(node):
        if isinstance(found, ast.Attribute) and found.attr == "run_cohorts":
            return True
        if isinstance(found, ast.List) and "'-m', 'sweep', 'run'" in ast.unparse(found):
            return True
    return False


def is_slow(node: ast.AST) -> bool:
    """Whether a test, or a file by its `pytestmark`, is marked as slow."""
    marks = [found.value for found in getattr(node, "body", []) if "pytestmark" in defined(found)]
    marks += getattr(node, "decorator_list", [])
    return any("pytest.mark.slow" in ast.unparse(mark) for mark in marks)


class TestTests:
    files = sorted((ROOT / "tests").rglob("*.py"))

    def test_basenames_are_unique(self) -> None:
        counts = Counter(path.name for path in self.files if path.name != "conftest.py")
        assert [name for name, n in counts.items() if n > 1] == []

    def test_folders_are_no_packages(self) -> None:
        assert [name_of(path) for path in self.files if path.name == "__init__.py"] == []

    def test_they_mirror_the_tree(self) -> None:
        folders = {path.relative_to(ROOT / "tests").parts[0] for path in self.files if path.parent.name != "tests"}
        assert folders <= {*PACKAGES, "benchmarks"}

    def test_they_catch_no_assertion_errors(self) -> None:
        for path in self.files:
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ExceptHandler):
                    assert node.type is not None, name_of(path)
                    caught = ast.unparse(node.type)
                    assert "AssertionError" not in caught, name_of(path)
                    assert caught not in ("Exception", "BaseException"), name_of(path)


class TestSlowOnes:
    """`make test` stays quick: what starts Ray is marked as slow, but for one real sweep."""

    quick_sweep = ("test_sweep_runs.py", "TestInterrupted")

    def starting_ray(self, tree: ast.Module) -> set[str]:
        """Names of the functions, classes and constants of a file that start Ray, or use another one that does."""
        parts = {name: node for node in tree.body for name in defined(node)}
        found: set[str] = set()
        while more := {name for name, node in parts.items() if starts_ray(node) or words(node) & found} - found:
            found |= more
        return found

    def test_what_starts_ray_is_slow(self) -> None:
        quick, n_starting = [], 0
        for path in TestTests.files:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            starting = self.starting_ray(tree)
            n_starting += bool(starting)
            for node in tree.body:
                is_test = isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.lower().startswith("test")
                if is_test and node.name in starting and not is_slow(tree) and not is_slow(node):
                    quick.append((path.name, node.name))
        assert quick == [self.quick_sweep]
        assert n_starting > 5

    def test_the_longest_files_are_there(self) -> None:
        """A parallel run begins with them; a file that is called otherwise now would be begun at its end."""
        tree = ast.parse((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
        (longest,) = [ast.literal_eval(node.value) for node in tree.body if "LONGEST" in defined(node)]
        assert set(longest) - {path.name for path in TestTests.files} == set()
