"""The template grammar: what is replaced, in which order, and how a template fails."""

import json
import random
import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.modules import MODULES
from generator.source import Source
from generator.template import MOST_CHARACTERS, Template, TemplateError, text_of


def said(*values):
    """Modules with `say.it`, which gives the values in turn, and `say.back`, which gives its argument."""
    turn = iter(values)
    return {
        "say": {
            "it": lambda source, argument: lambda: next(turn),
            "back": lambda source, argument: lambda: argument,
        }
    }


def made(text, modules=MODULES, seed=1):
    return Template(text, Source(seed), modules)()


def test_text_is_trimmed_and_newlines_are_deleted():
    assert made('  \n{"a": 1,\r\n "b":\n 2}\n\n ') == '{"a": 1, "b": 2}'


def test_newlines_inside_an_argument_are_deleted_too():
    text = 'x={{random.number(\n  {\n "min": 7,\n "max": 7\n }\n)}}'
    assert made(text) == "x=7"


def test_tags_are_replaced_from_left_to_right():
    assert made("{{say.it}}-{{ say.it }}-{{say.it}}", said("a", "b", "c")) == "a-b-c"


def test_argument_is_json_else_raw_text():
    assert made("{{say.back([1, 2.0, true, null])}}", said()) == "1,2,true,"
    assert made('{{say.back("x y")}}', said()) == "x y"
    assert made("{{say.back(x y)}}", said()) == "x y"
    assert made("{{say.back({not json)}}", said()) == "{not json"
    # NaN is none of JSON's numbers, though Python's parser would take it.
    assert made("{{say.back(NaN)}}", said()) == "NaN"


def test_argument_ends_at_the_first_closing_parenthesis():
    assert made("{{say.back(a(b)}}", said()) == "a(b"


@pytest.mark.parametrize("call", ["say.back", "say.back()", "say.back( )"])
def test_no_argument(call):
    assert made("{{" + call + "}}", said()) == "null"


def test_further_parts_of_the_path_do_not_matter():
    assert made("{{say.it.loudly}}", said("a")) == "a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{nobody.home}}", "Invalid module: nobody"),
        ("{{random.nothing(1)}}", "Invalid method: random.nothing"),
        ("{{fake.name}}", "Invalid module: fake"),
        ("{{random}}", "Invalid method: random."),
        ("{{}}", "Invalid module: "),
        # The first two braces open the tag.
        ("{{{random.number}}}", "Invalid module: {random"),
        # The first two closing braces end it, also inside an argument.
        ('{{random.number({"a": {"b": 1}})}}', "Invalid method: random.number({"),
    ],
)
def test_unknown_names(text, message):
    with pytest.raises(TemplateError, match=f"^{message.replace('{', '[{]').replace('(', '[(]')}"):
        made(text)


def test_braces_without_their_counterpart_are_text():
    assert made("a }} {{say.it}} {{ b", said("x")) == "a }} x {{ b"


def test_output_that_is_a_tag_is_evaluated_again():
    assert made("<{{say.it}}>", said("{{say.it}}", "done")) == "<done>"


def test_output_that_begins_a_tag_with_the_text_around_it():
    assert made("{{say.it}}{say.it}}", said("{", "done")) == "done"
    assert made("{{say.it}}say.it}}!", said("{{", "done")) == "done!"


def test_output_with_an_open_tag_takes_the_next_tags_end():
    with pytest.raises(TemplateError, match=r"Invalid module: oh \{\{say"):
        made("{{say.it}}{{say.it}}", said("{{oh ", "x"))


def test_output_with_braces_that_form_no_tag():
    assert made('{"a":{{say.it}},"b":{{say.it}}}', said('{"x":1}', "{}")) == '{"a":{"x":1},"b":{}}'


def test_escaped_braces_in_an_argument_make_a_tag():
    text = r'{{random.arrayElement(["\u007b\u007brandom.boolean\u007d\u007d"])}}'
    assert made(text) in {"true", "false"}


def test_a_template_that_makes_itself_again_ends_with_an_error():
    modules = {"say": {"again": lambda source, argument: lambda: "{{say.again}}"}}
    with pytest.raises(TemplateError, match="makes new tags forever"):
        made("{{say.again}}", modules)


def test_a_record_that_grows_without_end_ends_with_an_error():
    modules = {"say": {"more": lambda source, argument: lambda: "{{say.more}}" + "x" * 100_000}}
    with pytest.raises(TemplateError, match=f"at most {MOST_CHARACTERS} characters"):
        made("{{say.more}}", modules)


@pytest.mark.parametrize("text", ["{{" * 500_000, "{{random.number(" + "[" * 100_000 + ")}}", "}}" * 500_000])
def test_hostile_templates_end_soon(text):
    began = time.monotonic()
    with suppress(TemplateError):
        made(text)
    # Quadratic work on a megabyte would take minutes.
    assert time.monotonic() - began < 5


def test_a_template_that_is_too_long():
    with pytest.raises(TemplateError, match="at most 1048576 characters"):
        made("x" * (MOST_CHARACTERS + 1))


def test_thousands_of_tags_are_no_endless_template():
    assert made("{{say.it}} " + "{{say.back(x)}}" * 3000, said("{")) == "{ " + "x" * 3000


def test_the_same_seed_gives_the_same_records():
    text = "{{name.findName}} {{random.uuid}} {{internet.email}} {{random.number}} {{lorem.sentence}}"
    first, again, other = (
        [make() for _ in range(20)] for make in (Template(text, Source(seed), MODULES) for seed in (5, 5, 6))
    )
    assert first == again
    assert first != other
    assert len(set(first)) == 20


def test_values_as_javascript_writes_them():
    values = [True, False, None, 1, 1.0, -0.5, 1e300, [1, [2, None]], {"k": [1]}, "ü"]
    assert [text_of(v) for v in values] == [
        "true", "false", "null", "1", "1", "-0.5", "1e+300", "1,2,", '{"k":[1]}', "ü",
    ]  # fmt: skip


def reference(text, values):
    """The grammar word by word, slowly: replace the first tag by the next value until there is none."""
    values = iter(values)
    text = text.strip().replace("\r", "").replace("\n", "")
    while "{{" in text and "}}" in text[text.index("{{") + 2 :]:
        start = text.index("{{")
        end = text.index("}}", start + 2)
        if text[start + 2 : end] != "say.it":
            return None
        text = text[:start] + next(values) + text[end + 2 :]
    return text


PIECES = st.lists(st.sampled_from(["{{say.it}}", "{", "}", "say.it", "a", '"', " ", "\n"]), max_size=8)
VALUES = st.sampled_from(["x", "{", "}", "{{", "}}", "{{say.it}}", "{{say.it", "say.it}}", "{}"])


@given(PIECES, st.lists(VALUES, min_size=1, max_size=6))
def test_compiled_equals_the_grammar_word_by_word(pieces, values):
    text = "".join(pieces)
    values = values + ["end"] * 50
    expected = reference(text, values)
    try:
        assert made(text, said(*values)) == expected
    except TemplateError:
        assert expected is None


def test_shipped_clickstream_templates_are_json():
    from generator.scenario import template_text

    for name, kind in (("clickstream", str), ("clickstream-number", int)):
        event = json.loads(made(template_text(name), seed=random.randrange(1000)))
        assert type(event["event_timestamp"]) is kind
        assert event["user_id"] in {"user1", "user2", "user3"}
        assert event["event_name"] in {"checkout", "search", "category", "detail", "navigate"}
        assert (event["event_type"], event["device_type"]) == ("click", "desktop")
