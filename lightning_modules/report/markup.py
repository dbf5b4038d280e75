"""HTML, with all text from runs escaped."""

import json
from collections.abc import Iterable
from html import escape
from typing import Any

VOID = ("img", "input", "meta", "link")


class Markup(str):
    """HTML that is already escaped."""


def tag(name: str, /, *children: str, **attributes: object) -> Markup:
    """Return an element; text among its children is escaped.

    Args:
        name: the element's name.
        *children: text, or Markup, which is not escaped again.
        **attributes: ``data_core`` becomes data-core, ``class_`` class; True gives an attribute
            without a value, False and None give none.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(parts: Iterable[str]) -> Markup:
    """Concatenate parts; text among them is escaped."""
    return Markup("".join(p if isinstance(p, Markup) else escape(p, quote=False) for p in parts))


def data(content: Any) -> Markup:
    """Return a JSON element for the page's scripts; its content cannot end the element."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return tag("script", Markup(safe), type="application/json")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
