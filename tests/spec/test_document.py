"""YAML to nodes: lines, plain data only, and bounds on what a file can make us build."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testbed.errors import SpecError
from testbed.spec.document import Source, parse_document, path_text, read_document

SOURCE = Source("a.yml", Path("specs"))


def test_scalars_are_read_as_plain_values() -> None:
    text = "[1, -2, 1.5, 1e3, .5, true, false, null, ~, yes, on, '3', 20 Mbit/s, 0x10, 2024-01-01, 1:30, .inf, 1_000]"
    expected = [1, -2, 1.5, 1000.0, 0.5, True, False, None, None, "yes", "on", "3", "20 Mbit/s", "0x10", "2024-01-01",
                "1:30", float("inf"), "1_000"]  # fmt: skip
    assert parse_document(text, SOURCE).plain() == expected


def test_every_value_knows_its_line() -> None:
    document = parse_document("a: 1\nb:\n  - x: 1\n    y: 2\n  - 3\n", SOURCE)
    places = [
        document.place_of(path) for path in [("a",), ("b",), ("b", 0, "y"), ("b", 1), ("b", 0, "missing"), ("z",)]
    ]
    assert places == ["a.yml:1", "a.yml:2", "a.yml:4", "a.yml:5", "a.yml:3", "a.yml:1"]


def test_aliases_are_expanded() -> None:
    assert parse_document("a: &x [1, 2]\nb: *x\n", SOURCE).plain() == {"a": [1, 2], "b": [1, 2]}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 60))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.yml: empty; expected a YAML document"),
        ("a: 1\na: 2\n", "a.yml:2: key 'a' is given twice; the first is on line 1"),
        ("a: 1\n---\nb: 2\n", "a.yml:2: a second document; expected one"),
        ("a: [1\n", "a.yml:2: not valid YAML: did not find expected ',' or ']'"),
        ("a: !!python/object/apply:os.system [ls]\n",
         "a.yml:1: tag 'tag:yaml.org,2002:python/object/apply:os.system' is not understood; "
         "expected plain values without tags"),
        ("a: *b\n", "a.yml:1: alias '*b' has no anchor before it"),
        ("a: &a [*a]\n", "a.yml:1: alias '*a' has no anchor before it"),
        ("[1]: 2\n", "a.yml:1: key [...] is neither text nor a whole number"),
        ("true: 2\n", "a.yml:1: key True is neither text nor a whole number"),
        ("a: \x07\n", "a.yml: not valid YAML: unacceptable character #x0007: control characters are not allowed "
         'in "<unicode string>", position 3'),
        ("[" * 1000 + "]" * 1000, "a.yml:1: nested deeper than 40 levels"),
        (CHAIN, "a.yml:40: nested deeper than 40 levels"),
        (BOMB, "a.yml:7: more than 1000000 keys and values once aliases are expanded"),
    ],
)  # fmt: skip
def test_what_is_not_plain_yaml_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as error:
        parse_document(text, SOURCE)
    assert str(error.value) == message


def test_files_that_cannot_be_read_say_why(folder: Path) -> None:
    Path("binary.yml").write_bytes(b"a: \xff\n")
    Path("huge.yml").write_bytes(b"#" * 8_000_001)
    for name, message in {
        "missing.yml": "missing.yml: no such file; expected a YAML file",
        ".": ".: a folder; expected a YAML file",
        "binary.yml": "binary.yml: not UTF-8 text (byte 3); expected a YAML file",
        "huge.yml": "huge.yml: file has 8000001 bytes; expected at most 8000000",
        "/dev/zero": "/dev/zero: not a regular file; expected a YAML file",
    }.items():
        with pytest.raises(SpecError) as error:
            read_document(Path(name))
        assert str(error.value) == message


def test_paths_read_as_one_writes_them() -> None:
    assert path_text(("coflows", 2, "flows", 0, "to")) == "coflows[2].flows[0].to"


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{}&*!|>'\"#,?\n 01.~%@\\\t\x00é", max_size=60))
def test_any_text_gives_a_document_or_a_spec_error(text: str) -> None:
    message = "a.yml"
    try:
        parse_document(text, SOURCE).plain()
    except SpecError as error:
        message = str(error)
    assert message.startswith("a.yml")
