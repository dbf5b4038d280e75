"""Files that cannot be read, or hold what cannot be shown: each gives one line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lightning_modules.records.problems import Unreadable
from lightning_modules.records.reading import read_json, require_plain


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b'{"a": 1', "is damaged: it is not JSON"),
        (b'{"a": "\xff"}', "is damaged: it is not JSON"),
        (b"[" * 9999, "is damaged: it is not JSON"),
        (b"[" * 100 + b"]" * 100, "nested too deeply"),
        (b"[1" + b"0" * 400 + b"]", "a whole number has too many digits"),
        (b'{"a": ["\\ud800"]}', "text that is not Unicode"),
        (b'{"\\u0000": 1}', "text that is not Unicode"),
        (b'{"format": 2}', "was written by a newer version of this code: its format is 2"),
        (b'{"format": "1"}', "its format is not a number"),
        (b'{"format": true}', "its format is not a number"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: bytes, reason: str):
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(Unreadable, match=reason):
        read_json(tmp_path / "x.json")


def test_files_of_this_version_and_before_are_read(tmp_path: Path):
    for content in ({"format": 1, "a": "größer →"}, {"a": [1e308, None, 2**63]}):
        (tmp_path / "x.json").write_text(json.dumps(content), encoding="utf-8")
        assert read_json(tmp_path / "x.json") == content


def test_what_is_no_file_is_not_waited_for(tmp_path: Path):
    places = {name: tmp_path / name for name in ("folder", "pipe", "endless", "memory", "nowhere")}
    places["folder"].mkdir()
    os.mkfifo(places["pipe"])
    places["endless"].symlink_to("/dev/zero")
    places["memory"].symlink_to("/proc/self/mem")
    places["nowhere"].symlink_to("none")
    said = {}
    for name, path in places.items():
        with pytest.raises(Unreadable) as failure:
            read_json(path)
        said[name] = str(failure.value)
    assert said == {
        "folder": "is not a file",
        "pipe": "is not a file",
        "endless": "is not a file",
        "memory": "cannot be read: Input/output error",
        "nowhere": "cannot be read: No such file or directory",
    }


def test_a_few_lines_that_stand_for_millions_of_values_are_refused():
    content: list[Any] = ["x"]
    for _ in range(8):
        content = [content] * 9
    with pytest.raises(Unreadable, match="too many values"):
        require_plain(content)
    loop: dict[str, Any] = {}
    loop["memory"] = loop
    with pytest.raises(Unreadable, match="nested too deeply"):
        require_plain(loop)
    with pytest.raises(Unreadable, match="a key is not text, 3"):
        require_plain({"model": {3: 4}})
