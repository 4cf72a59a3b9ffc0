"""What surrounds the code: dependencies, workflows, licence, citation, and what is tracked."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import precmark
from precmark import adapters

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PYTHONS = ("3.11", "3.12", "3.13")


def by_name(requirements):
    parsed = [Requirement(r) for r in requirements]
    return {canonicalize_name(r.name): r for r in parsed}


def declared():
    project = PYPROJECT["project"]
    return by_name([*project["dependencies"], *project["optional-dependencies"]["dev"]])


def locked():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if re.match(r"[A-Za-z0-9]", line)]
    versions = {}
    for pin in pins:
        (exact,) = pin.specifier
        assert exact.operator == "==", pin
        versions.setdefault(canonicalize_name(pin.name), []).append((exact.version, pin.marker))
    return versions


def pip_part():
    (part,) = [d["pip"] for d in ENVIRONMENT["dependencies"] if isinstance(d, dict)]
    return part


def tracked():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def text_of(path):
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_pins_every_dependency_within_its_range(python):
    pins = locked()
    environment = {"python_version": python, "python_full_version": f"{python}.5"}
    for name, requirement in declared().items():
        assert name in pins, f"requirements.lock lacks {name}: compile it anew"
        here = [v for v, marker in pins[name] if marker is None or marker.evaluate(environment)]
        assert len(here) == 1, f"{name} has {len(here)} pins for Python {python}"
        assert requirement.specifier.contains(here[0], prereleases=True), f"{name} {here[0]}"


def test_the_environment_for_conda_names_the_same_packages_and_ranges():
    listed = by_name([line for line in pip_part() if not line.startswith("--")])
    assert listed.keys() == declared().keys()
    for name, requirement in declared().items():
        assert listed[name].specifier == requirement.specifier, name
        assert listed[name].extras == requirement.extras, name
    assert "--constraint requirements.lock" in pip_part(), "conda gets the locked versions"
    assert "--editable ." in pip_part()


def test_every_place_names_the_same_python_versions():
    wanted = SpecifierSet(PYPROJECT["project"]["requires-python"])
    minors = [f"3.{n}" for n in range(8, 20)]
    assert tuple(v for v in minors if wanted.contains(f"{v}.0")) == PYTHONS
    (conda,) = [d for d in ENVIRONMENT["dependencies"] if str(d).startswith("python ")]
    assert SpecifierSet(conda.removeprefix("python ")) == wanted
    tests = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text())
    assert tuple(tests["jobs"]["test"]["strategy"]["matrix"]["python-version"]) == PYTHONS
    assert "(3, 11) <= v <= (3, 13)" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.name)
def test_workflows_follow_the_published_schema(path):
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows",
         str(path)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_run_the_readmes_commands_and_deploy_on_a_tag():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    commands = {}
    for path in WORKFLOWS:
        # YAML 1.1 reads the key `on` as true.
        workflow = yaml.safe_load(path.read_text())
        steps = [s for job in workflow["jobs"].values() for s in job["steps"]]
        commands[path.stem] = [s["run"] for s in steps if "run" in s]
        assert all(job["timeout-minutes"] for job in workflow["jobs"].values())
        if path.stem == "book":
            assert workflow[True]["push"] == {"tags": ["v*"]}
            assert any("deploy-pages" in s.get("uses", "") for s in steps)
            (page,) = [s["with"]["path"] for s in steps if "upload-pages" in s.get("uses", "")]
            assert page == "runs/sample/book/html"
    assert commands["tests"] == ["make test PYTHON=python"]
    assert commands["book"] == ["make book PYTHON=python"]
    assert {"test", "book", "bench", "clean"} <= targets


def test_the_citation_can_be_read_and_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    for key in ("cff-version", "message", "title", "authors", "version", "license"):
        assert citation[key], key
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert str(citation["version"]) == precmark.__version__
    assert set(citation["license"]) == set(PYPROJECT["project"]["license"].split(" AND "))


def test_the_licence_covers_code_and_prose():
    text = (ROOT / "LICENSE").read_text()
    assert "MIT License" in text and "Permission is hereby granted, free of charge" in text
    assert 'THE SOFTWARE IS PROVIDED "AS IS"' in text
    assert "Creative Commons Attribution 4.0 International" in text
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in text


def test_the_changelog_keeps_its_form():
    text = (ROOT / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## \[(.+?)\](?: - (\d{4}-\d{2}-\d{2}))?$", text, flags=re.M)
    assert versions[0] == ("Unreleased", "")
    released = [Version(v) for v, _ in versions[1:]]
    assert all(date for _, date in versions[1:]) and released == sorted(released, reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Numbers changed"}
    assert set(re.findall(r"^### (.+)$", text, flags=re.M)) <= kinds


def test_no_tracked_file_is_large_or_public_data():
    public = {name for a in adapters.names() for name in adapters.card(a).files}
    for path in tracked():
        assert path.stat().st_size < 20 * 2**20, path
        assert path.name not in public, f"{path} is a publisher's file"


def test_no_tracked_file_holds_a_path_or_index_of_this_machine():
    # Found out here, not listed, so that this test holds on every machine.
    own = {str(ROOT), str(Path.home())} - {"/"}
    own |= {os.environ[k] for k in ("PRECMARK_DATA", "PRECMARK_CACHE") if k in os.environ}
    for variable in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        own.add(urlsplit(os.environ.get(variable, "")).hostname or "")
    own -= {"", "pypi.org", "localhost"}
    own = {part for part in own if part.startswith("/") or "." in part}
    home = re.compile(r"(?<![\w.$}~/-])/(?:home|Users|root|tmp|mnt)/[A-Za-z0-9_.-]+|[A-Z]:\\Users")
    for path in tracked():
        text = text_of(path)
        if text is None or path == Path(__file__):
            continue
        for part in own:
            found = re.search(rf"(?<![\w.-]){re.escape(part)}(?![\w.-])", text)
            assert not (found and part in text), f"{path} holds {part}"
        found = home.search(text)
        assert not found, f"{path} holds the absolute path {found[0]}"


def test_no_tracked_file_holds_unfinished_work():
    marks = re.compile(r"\b(?:" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
    for path in tracked():
        text = text_of(path)
        # Pictures of stored outputs hold any three letters sooner or later.
        text = text and re.sub(r"[A-Za-z0-9+/=]{200,}", "", text)
        if text is not None and path.suffix in (".py", ".md", ".ipynb", ".toml", ".yml", ""):
            assert not marks.search(text), f"{path}: {marks.search(text)[0]}"


def modules():
    package = ROOT / "precmark"
    names = [p.stem for p in package.glob("*.py") if p.stem != "__init__"]
    names += [p.parent.name for p in package.glob("*/__init__.py")]
    # The command line describes itself.
    return sorted(f"precmark.{n}" for n in names if n != "cli")


def test_the_api_page_has_every_module():
    page = (ROOT / "book" / "api.md").read_text()
    shown = re.findall(r"automodule:: ([\w.]+)", page)
    assert len(shown) == len(set(shown))
    top = {".".join(name.split(".")[:2]) for name in shown}
    assert sorted(top) == modules(), "book/api.md lists each module of the package once"


def bibliography():
    text = (ROOT / "book" / "references.bib").read_text()
    return re.findall(r"^@\w+\{([^,]+),", text, flags=re.M)


def test_every_citation_is_in_the_bibliography():
    keys = bibliography()
    assert len(keys) == len(set(keys))
    cited = {}
    for path in [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]:
        for group in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", path.read_text()):
            for key in group.split(","):
                cited.setdefault(key.strip(), path.name)
    missing = {k: where for k, where in cited.items() if k not in keys}
    assert not missing


def test_every_glossary_term_in_use_is_defined_and_the_terms_are_in_order():
    text = (ROOT / "book" / "glossary.md").read_text()
    block = text.split("```{glossary}")[1].split("```")[0]
    terms = [line for line in block.splitlines() if line and not line.startswith(" ")]
    assert terms == sorted(terms, key=str.lower)
    for path in [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]:
        for used in re.findall(r"\{term\}`(?:[^`<]*<)?([^`>]+)>?`", path.read_text()):
            assert used.lower() in {t.lower() for t in terms}, f"{path.name}: {used}"
