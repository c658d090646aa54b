"""Import directions: the packages meet in contracts, not in one another's code."""

from __future__ import annotations

import ast
import io
import zipfile
from graphlib import CycleError, TopologicalSorter

import pytest

from architecture.sources import PACKAGES, ROOT, Source, imported_modules, imports, sources
from sre_agent_deploy.instance.release_archive import build_archive

AWS_LIBRARIES = {"boto3", "botocore"}
# The deciding half: it takes values and returns values.
PURE = {
    "sre_agent_deploy": {
        *("blueprint", "agentcore", "network", "monitoring", "alarms", "names", "later", "policies"),
        *("deployer_policy", "deployer_scopes", "deployment_tags", "plan", "graph", "guide"),
    },
    "sre_agent": {"evidence", "finding", "reasoners"},
}
# A language model answers over a network. What it claims is judged in the files beside this folder.
ASKS_MODELS = "src/sre_agent/reasoners/models/"
IO_LIBRARIES = {"aiohttp", "boto3", "botocore", "http", "requests", "socket", "ssl", "subprocess", "urllib", "tempfile"}


# The sample's scripts are a client of the deployer: they call its commands. No package imports them.
CLIENTS = {"agentcore_sample": {"sre_agent_deploy"}}


def top(module: str) -> str:
    return module.partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_do_not_import_one_another(package: str) -> None:
    """Everything may import sre_core, and a client what it calls; nothing else of ours is imported across packages."""
    foreign = set(PACKAGES) - {package, "sre_core"} - CLIENTS.get(package, set())
    crossing = [
        f"{source}:{line} imports {module}"
        for source in sources("src")
        if source.package == package
        for line, module in imports(source)
        if top(module) in foreign
    ]
    assert not crossing


@pytest.mark.parametrize("package", PACKAGES)
def test_no_import_circle(package: str) -> None:
    """Each module can be read after those that it imports, also where it imports them late. Packages' own `__init__` files are left out."""
    ours = {module_name(source): source for source in sources("src") if source.package == package}
    graph = {name: {each for each in imported_modules(source) if each in ours and each != package} for name, source in ours.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as circle:
        pytest.fail(f"import circle: {' -> '.join(circle.args[1])}")


def module_name(source: Source) -> str:
    return ".".join(source.path.relative_to(ROOT / "src").with_suffix("").parts)


@pytest.mark.parametrize("package", PACKAGES)
def test_boto3_has_one_importer_per_package(package: str) -> None:
    """One module or folder of a package imports boto3 or botocore, so AWS is reached from one place.

    What runs on the machine, `instance/`, is a program of its own: the rest of the deployer is not there.
    """
    importers = {
        source.area
        for source in sources("src")
        if source.package == package and source.area != "instance" and any(top(module) in AWS_LIBRARIES for _, module in imports(source))
    }
    assert len(importers) <= 1, importers


# It describes the machine for the deployer, and is not run there.
ON_DEPLOYER = {"src/sre_agent_deploy/instance/user_data.py"}


def test_the_release_has_what_it_imports() -> None:
    """A module that a machine runs finds each of our modules that it imports: a moved one is packed, too."""
    packed = {f"src/{name}" for name in zipfile.ZipFile(io.BytesIO(build_archive().bytes)).namelist()} - ON_DEPLOYER
    lacking = [
        f"{source}:{line} imports {module}"
        for source in sources("src")
        if str(source) in packed
        for line, module in imports(source)
        if top(module) in PACKAGES and not {f"src/{module.replace('.', '/')}{end}" for end in (".py", "/__init__.py")} & packed
    ]
    assert not lacking


def test_deciding_modules_do_no_io() -> None:
    """Plan, blueprint, guide and reasoning import nothing that reaches a network, a process or AWS."""
    reaching = [
        f"{source}:{line} imports {module}"
        for source in sources("src")
        if source.area in PURE.get(source.package, ()) and not str(source).startswith(ASKS_MODELS)
        for line, module in imports(source)
        if top(module) in IO_LIBRARIES
    ]
    assert not reaching


def test_expiry_does_no_io() -> None:
    """The expiry of a certificate is decided from values."""
    expiry = [source for source in sources("src") if str(source).endswith("sre_agent_deploy/tls/expiry.py")]
    assert not [module for source in expiry for _, module in imports(source) if top(module) in IO_LIBRARIES]


def test_tests_do_not_patch_our_modules() -> None:
    """Tests use real parts: no unittest.mock anywhere, and monkeypatch only for the environment and the working directory."""
    allowed = {"setenv", "delenv", "chdir", "syspath_prepend"}
    patching = [
        f"{source}:{node.lineno} {ast.unparse(node.func)}"
        for source in sources("tests")
        for node in source.nodes
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
        if node.func.value.id in {"monkeypatch", "mocker"} and node.func.attr not in allowed
    ]
    mocking = [f"{source}:{line} {module}" for source in sources("tests") for line, module in imports(source) if module == "unittest.mock"]
    assert not patching + mocking


def test_one_file_writes_atomically() -> None:
    """Nothing else syncs a file to disk, so each file that must survive a crash is replaced by the same code."""
    syncing = {
        str(source.path.name)
        for source in sources("src")
        for node in source.nodes
        if isinstance(node, ast.Attribute) and node.attr == "fsync"
    }
    assert syncing == {"atomic_file.py"}
