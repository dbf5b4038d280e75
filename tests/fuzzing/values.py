"""Damage to content that is still JSON, YAML or a table: odd values in odd places."""

import csv
import io
import json
import math
from random import Random
from typing import Any

import yaml

#: Values that some file somewhere holds where another was expected.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 7, 10**400, -(10**30), 2**63, 0.5, -0.0, 1e308, 1e-320),
    *(math.nan, math.inf, -math.inf, "", "x", "3", "nan", "a.b", ".", "größer →", "\ud800", "\x00"),
    *("<script>", "%s{}", "#00000", "x" * 5000, [], {}, [None], [[1.0]], [1, "x"], [{}], {"a": 1}),
    *(
        {"class_path": "x"},
        {"class_path": 3, "init_args": []},
        {"class_path": "a.", "init_args": 3},
    ),
    *({"class_path": "lightning_modules.VRNN", "init_args": None}, [1.0] * 300, {"": {"": {}}}),
)
#: Texts that only YAML reads in its own way.
ODD_YAML = (
    *("a: &a [*a]", "? [1, 2]\n: 3", "- x\n- y", "!!python/object/apply:os.getcwd []", "a: b: c"),
    *("2026-01-01", "!!binary aGFsbG8=", "!!set {a, b}", "{1: 2, null: 3, 2026-01-01: x}", "\t"),
    "model: &m {class_path: a.B, init_args: *m}\ndata: *m",
    "a: &a {class_path: a.B, init_args: {memory: *a}}\nmodel: *a\ndata: *a",
    "\n".join(
        ["a0: &a0 [x]", *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))]
    ),
    "[" * 5000,
    "model: {class_path: a.B}\ndata: {class_path: a.C}\ntrainer: 3",
    "model: {class_path: a.B}\ndata: {class_path: a.C}\ntrainer: {1: 2}\nseed_everything: [1]",
    "seed_everything: .nan\nmodel: {class_path: lightning_modules.GTMM}\ndata: {class_path: C}",
)
ODD_COLUMNS = (
    *("val/kl_t/", "val/kl_t/x", "val/kl_t/-1", "val/kl_t/01", "val/kl_t/1e3", "val/_t/1", "val/"),
    *(
        "",
        "step",
        "seconds",
        "val/bound",
        "val/größer",
        "val/kl_t/" + "9" * 5000,
        "val/kl_t/٣",
        "\x00",
    ),
)
ODD_CELLS = (
    *("", "x", "nan", "inf", "-inf", "1e400", "-1", "0", "1_0", " 7 ", "٣", "1e308", '"', "\x00"),
    *("x" * 200_000, "9" * 5000, "0x10", "True", "\ufeff", "1,2,3", "\r"),
)


def damaged_json(text: str, random: Random) -> str:
    """Replace, remove or rename some values of a JSON text."""
    return json.dumps(_damaged(json.loads(text), random))


def damaged_yaml(text: str, random: Random) -> str:
    """Replace, remove or rename some values of a YAML text, or write what only YAML can hold."""
    if random.random() < 0.3:
        return random.choice(ODD_YAML)
    return yaml.safe_dump(_damaged(yaml.safe_load(text), random), allow_unicode=True)


def _damaged(content: Any, random: Random) -> Any:
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        places = list(_places(content))
        if not places or random.random() < 0.02:
            return random.choice(ODD)
        holder, key = random.choice(places)
        what = random.random()
        if what < 0.6:
            holder[key] = random.choice(ODD)
        elif what < 0.75:
            del holder[key]
        elif what < 0.85:
            holder[key] = str(holder[key])
        elif what < 0.95 and isinstance(holder[key], list):
            holder[key] = random.choice((holder[key][:-1], holder[key] * 2, [holder[key]]))
        elif isinstance(holder, dict):
            holder[random.choice(("", "x", "class_path", "format"))] = holder.pop(key)
    return content


def _places(content: Any) -> Any:
    """Yield every place of a value, each level of nesting as often as the ones above it."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in list(pairs):
        yield content, key
        if isinstance(value, dict | list):
            inner = list(_places(value))
            # Long curves would else hide all others.
            yield from inner[:: max(1, len(inner) // 60)]


def damaged_table(text: str, random: Random) -> str:
    """Replace names of columns and cells, and take cells, rows and columns away or add some."""
    header, *rows = list(csv.reader(io.StringIO(text)))
    for _ in range(random.choice((1, 1, 2, 5))):
        column = random.randrange(len(header))
        row = random.choice(rows)
        what = random.randrange(7)
        if what < 2:
            header[column] = random.choice(ODD_COLUMNS)
        elif what < 4:
            row[column % len(row)] = random.choice(ODD_CELLS)
        elif what == 4:
            row.extend("123")
        elif what == 5 and len(row) > 1:
            row.pop()
        else:
            rows.remove(row)
            rows = rows or [["1"]]
    ending = random.choice(("\n", "\n", "\r\n"))
    lines = [",".join(row) for row in (header, *rows)]
    return ending.join(lines) + random.choice((ending, ending, "", "\n\n"))
