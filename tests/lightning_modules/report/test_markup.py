"""Escaping: names of runs may contain anything, but never become HTML of the page."""

import json

from lightning_modules.report.marks import Marks
from lightning_modules.report.markup import Markup, data, tag

EVIL = '</script><script>alert("1")</script> & \' <b>'


def test_text_and_attributes_are_escaped():
    attributes = {"title": EVIL, "data_core": "a", "class_": "c", "hidden": True, "id": None}
    html = tag("td", EVIL, tag("b", "x"), **attributes)
    assert html == (
        '<td title="&lt;/script&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#x27;'
        ' &lt;b&gt;" data-core="a" class="c" hidden>&lt;/script&gt;&lt;script&gt;alert("1")'
        "&lt;/script&gt; &amp; ' &lt;b&gt;<b>x</b></td>"
    )


def test_empty_elements_have_no_end():
    assert tag("input", type="range", checked=False) == '<input type="range">'


def test_json_does_not_end_its_element():
    html = data({EVIL: [1.5, None]})
    inside = html.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert "<" not in inside
    assert json.loads(inside) == {EVIL: [1.5, None]}


def test_markup_stays_as_it_is():
    assert tag("p", Markup("<i>a</i>")) == "<p><i>a</i></p>"


def test_marks_of_elements():
    marks = Marks("DNC", ["0", "1"], within=["0", "1", "2"])
    assert marks.attributes() == {
        "data_core": "DNC",
        "data_seeds": '["0", "1"]',
        "data_within": '["0", "1", "2"]',
    }
    assert Marks().attributes() == {}
