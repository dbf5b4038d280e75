"""What a package's users read of it agrees: requirements, their lock, version and citation."""

import configparser
import re
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


@pytest.fixture(scope="module")
def locked() -> dict[str, str]:
    """Versions by name."""
    pins = re.findall(r"^([\w.-]+)==([^\s;]+)", LOCK.read_text(encoding="utf-8"), flags=re.M)
    return {canonicalize_name(name): version for name, version in pins}


def requirements(listed: str) -> list[Requirement]:
    lines = (line.strip() for line in listed.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_the_lock_has_every_requirement(
    setup: configparser.ConfigParser, locked: dict[str, str]
) -> None:
    extras = setup["options.extras_require"]
    lists = setup["options"]["install_requires"], extras["test"], extras["lint"]
    for needed in (each for listed in lists for each in requirements(listed)):
        version = locked[canonicalize_name(needed.name)]
        assert needed.specifier.contains(version), f"{needed} but locked is {version}"


def test_withdrawn_releases_of_lightning_are_refused(setup: configparser.ConfigParser) -> None:
    needed = {each.name: each for each in requirements(setup["options"]["install_requires"])}
    accepted = needed["lightning"].specifier.filter(["2.6.3", "2.6.4", "2.6.5", "2.6.6", "2.7.0"])
    assert list(accepted) == ["2.6.5", "2.6.6"]


def test_the_lock_has_hashes_and_names_no_place(locked: dict[str, str]) -> None:
    text = LOCK.read_text(encoding="utf-8")
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.M)[1:]
    assert len(entries) == len(locked) > 100
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert re.search(r"://|--index-url|--find-links|^\s*/", text, flags=re.M) is None


def test_versions_agree(setup: configparser.ConfigParser) -> None:
    version = setup["metadata"]["version"]
    cited = yaml.safe_load(text_of("CITATION.cff"))
    assert cited["version"] == version
    assert cited["license"] == setup["metadata"]["license"]
    newest = re.search(r"^## \[(\S+)\] - (\S+)$", text_of("CHANGELOG.md"), flags=re.M)
    assert newest is not None and newest[1] == version


def test_both_papers_are_cited() -> None:
    """The README links them, too."""
    linked = re.findall(r"https://arxiv.org/abs/[\d.]+", text_of("README.md"))
    references = yaml.safe_load(text_of("CITATION.cff"))["references"]
    assert sorted(linked) == sorted(paper["url"] for paper in references)
    assert all(paper["authors"] and paper["year"] for paper in references)
