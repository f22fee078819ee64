"""Lists of entity tags in headers."""

import subprocess
import sys

import pytest

from app.wire.tags import MOST_CHARACTERS, MOST_TAGS, Tags, read_tags


@pytest.mark.parametrize(
    ("header", "tags"),
    [
        ("*", Tags(everything=True)),
        (' "a" ,\tW/"b", , "c,d"', Tags(strong=("a", "c,d"), weak=("b",))),
        ('""', Tags(strong=("",))),
        ("", Tags()),
        (",".join(['"a"'] * MOST_TAGS), Tags(strong=("a",) * MOST_TAGS)),
    ],
)
def test_lists_are_read(header: str, tags: Tags):
    assert read_tags(header) == tags


@pytest.mark.parametrize(
    "header",
    [
        "a",
        '"a" "b"',
        '"a"x',
        'w/"a"',
        '"a b"',
        '"a',
        "*, *",
        ",".join(['"a"'] * (MOST_TAGS + 1)),
        '"' + "a" * MOST_CHARACTERS + '"',
    ],
)
def test_what_is_no_list_of_tags_is_none(header: str):
    assert read_tags(header) is None


def test_blanks_without_end_cost_their_number():
    """Each was tried with each before: a million would have taken days."""
    hostile = """
import app.wire.tags as tags
tags.MOST_CHARACTERS = 10**7
assert tags.read_tags('"a",' + ' ' * 10**6 + 'x') is None
"""
    subprocess.run([sys.executable, "-c", hostile], check=True, timeout=60)
