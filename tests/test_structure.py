"""The structure of the repository: which folder may import which, and how long a file, a function, a folder may be."""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pytest

MAX_FILES = 12  # in a folder
MAX_FILE_LINES = 350
MAX_FUNCTION_LINES = 50

# From the lowest layer to the highest. A module may import its own layer and those below it.
TRAIN = (
    ("container",),
    ("train.job",),
    ("train.corpus",),
    ("train.model",),
    ("train.backends",),
    ("train.evaluation",),
    ("train.export",),
    ("train.training",),
    ("train.report",),
    ("train.__main__",),
)
SERVE = (
    ("container",),
    ("serve.settings", "serve.metrics", "serve.emf"),
    ("serve.engine",),
    ("serve.text",),
    ("serve.models",),
    ("serve.web",),
    ("serve.wsgi", "serve.__main__", "serve.worker", "serve.gunicorn.conf"),
)
LEAST = 5  # a check that looks at fewer modules or tests has lost what it should look at

# `file: function` -> why it is longer than MAX_FUNCTION_LINES.
LONG_FUNCTIONS: dict[str, str] = {
    "benchmarks/training/joeynmt_trainer.py: configuration": "one dictionary: JoeyNMT's configuration file",
}


@pytest.fixture(scope="module")
def files(repo: Path) -> list[PurePosixPath]:
    """The files of the repository, tracked or new, relative to its root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=repo, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(PurePosixPath(name) for name in set(listed) if name and (repo / name).is_file())


@pytest.fixture(scope="module")
def trees(repo: Path, files: list[PurePosixPath]) -> dict[PurePosixPath, ast.Module]:
    """The syntax tree of every Python file."""
    return {file: ast.parse((repo / file).read_text(encoding="utf-8")) for file in files if file.suffix == ".py"}


@pytest.fixture(scope="module")
def imports(trees: Mapping[PurePosixPath, ast.Module]) -> dict[str, set[str]]:
    """Module -> modules of this repository that it imports, at the top or inside a function."""
    named = {module_of(file): tree for file, tree in trees.items()}
    packages = {module_of(file) for file in trees if file.name == "__init__.py"}
    return {
        name: set(imported_modules(tree, name if name in packages else name.rpartition(".")[0], named.keys())) - {name}
        for name, tree in named.items()
    }


def module_of(file: PurePosixPath) -> str:
    """`train/job/__init__.py` is train.job, `train/job/paths.py` is train.job.paths."""
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_modules(tree: ast.Module, package: str, known: Iterable[str]) -> Iterator[str]:
    """The modules among `known` that the import statements in `tree` name. `package` is where relative ones begin."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                start = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*start, *filter(None, [node.module])])
            modules = {f"{base}.{alias.name}" for alias in node.names} & set(known)
            # `from package import module` needs the module; any other name makes it an import of the package itself.
            yield from modules
            if base in known and len(modules) < len(node.names):
                yield base


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def layer_of(module: str, layers: Iterable[tuple[str, ...]]) -> int | None:
    """The number of the layer of a module, counted from the lowest; None for a module that is in none."""
    return next((n for n, layer in enumerate(layers) if any(is_in(module, package) for package in layer)), None)


@pytest.mark.parametrize("layers", [TRAIN, SERVE], ids=["train", "serve"])
def test_no_module_imports_from_a_higher_layer(
    imports: Mapping[str, set[str]], layers: tuple[tuple[str, ...], ...]
) -> None:
    numbers = {module: number for module in imports if (number := layer_of(module, layers)) is not None}
    assert set(numbers.values()) == set(range(len(layers))), "a layer has no module: correct the list in this file"
    upwards = [
        f"{module} imports {target}"
        for module, number in numbers.items()
        for target in sorted(imports[module])
        if numbers.get(target, -1) > number
    ]
    assert not upwards, "\n".join(upwards)


@pytest.mark.parametrize(("package", "layers"), [("train", TRAIN), ("serve", SERVE)])
def test_every_module_has_a_layer(
    imports: Mapping[str, set[str]], package: str, layers: tuple[tuple[str, ...], ...]
) -> None:
    modules = [module for module in imports if is_in(module, package) and module != package]
    assert len(modules) >= LEAST
    assert not [module for module in modules if layer_of(module, layers) is None]


def test_container_imports_neither_train_nor_serve(imports: Mapping[str, set[str]]) -> None:
    assert not imports_between(imports, "container", "train")
    assert not imports_between(imports, "container", "serve")


def test_train_and_serve_never_import_each_other(imports: Mapping[str, set[str]]) -> None:
    assert not imports_between(imports, "train", "serve")
    assert not imports_between(imports, "serve", "train")


def test_only_the_job_publishes(imports: Mapping[str, set[str]]) -> None:
    """`train.job.publish` is the last step of the job and needs nothing but the job's own folders."""
    importers = {module for module, targets in imports.items() if "train.job.publish" in targets}
    assert {module for module in importers if is_in(module, "train")} == {"train.__main__"}
    assert all(is_in(target, "container") or is_in(target, "train.job") for target in imports["train.job.publish"])


def test_product_code_imports_no_tests_and_no_benchmarks(imports: Mapping[str, set[str]]) -> None:
    others = ("tests", "benchmarks", "data", "local_test", "notebooks")
    pairs = [(package, other) for package in ("container", "train", "serve") for other in others]
    assert not [found for package, other in pairs for found in imports_between(imports, package, other)]


def imports_between(imports: Mapping[str, set[str]], source: str, target: str) -> list[str]:
    return [
        f"{module} imports {other}"
        for module in imports
        if is_in(module, source)
        for other in sorted(imports[module])
        if is_in(other, target)
    ]


def test_no_import_goes_in_a_circle(imports: Mapping[str, set[str]]) -> None:
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail("a circle of imports: " + ", ".join(f"{one} <- {other}" for one, other in pairwise(error.args[1])))


def test_no_folder_has_more_than_a_dozen_files(files: list[PurePosixPath]) -> None:
    """`__init__.py` does not count: it makes a folder a package."""
    counts = Counter(str(file.parent) for file in files if file.name != "__init__.py")
    assert {folder: count for folder, count in counts.items() if count > MAX_FILES} == {}


def test_no_python_file_is_too_long(repo: Path, trees: Mapping[PurePosixPath, ast.Module]) -> None:
    lengths = {str(file): len((repo / file).read_text(encoding="utf-8").splitlines()) for file in trees}
    assert {file: lines for file, lines in lengths.items() if lines > MAX_FILE_LINES} == {}


def test_no_function_is_too_long(trees: Mapping[PurePosixPath, ast.Module]) -> None:
    long = {
        f"{file}: {node.name}": node.end_lineno - node.lineno + 1
        for file, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno
        and node.end_lineno - node.lineno >= MAX_FUNCTION_LINES
    }
    assert {name: lines for name, lines in long.items() if name not in LONG_FUNCTIONS} == {}
    assert LONG_FUNCTIONS.keys() <= long.keys(), "the list of long functions names one that is no longer long"


def test_tests_stand_where_their_code_stands(files: list[PurePosixPath]) -> None:
    """For tests/train/corpus/test_split.py there must be a folder train/corpus."""
    folders = {folder for file in files for folder in file.parents}
    mirrored = ("container", "train", "serve", "benchmarks", "data")
    tests = [file for file in files if file.parts[0] == "tests" and file.name.startswith("test_")]
    placed = [file for file in tests if file.parts[1] in mirrored]
    assert len(placed) >= LEAST
    assert not [str(file) for file in placed if PurePosixPath(*file.parts[1:-1]) not in folders]
