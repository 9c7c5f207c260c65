"""The grammar of expressions, row by row, and anything else that somebody might write."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contrib.fuzz.expressions import check
from skep import Expression, ExpressionError, parse_expression

WELL_FORMED = {
    "node==n1": ("node", False, "n1", False),
    "node!=n1": ("node", True, "n1", False),
    "node==~n1": ("node", False, "n1", True),
    "node!=~n1": ("node", True, "n1", True),
    "_a==x": ("_a", False, "x", False),
    "a.b-c_9==x": ("a.b-c_9", False, "x", False),
    "key===x": ("key", False, "=x", False),
    "key==!x": ("key", False, "!x", False),
    "key==!~x": ("key", False, "!~x", False),
    "key==/x/": ("key", False, "/x/", False),
    "key==~/x/": ("key", False, "/x/", True),
    "key==//": ("key", False, "//", False),
    "key==/~x/": ("key", False, "/~x/", False),
    "key==/a/b/c": ("key", False, "/a/b/c", False),
    "key==a b\tc": ("key", False, "a b\tc", False),
    "key==*": ("key", False, "*", False),
    r"key==a:b-c_d.e*f/g(h)i?j+k[l]m\n^o$p|q": ("key", False, r"a:b-c_d.e*f/g(h)i?j+k[l]m\n^o$p|q", False),
    "image==app@sha256:ab,cd": ("image", False, "app@sha256:ab,cd", False),
}


@pytest.mark.parametrize(("text", "parts"), WELL_FORMED.items(), ids=[f"3.1 {text}" for text in WELL_FORMED])
def test_well_formed(text: str, parts: tuple[str, bool, str, bool]) -> None:
    found = parse_expression(text)
    assert (found.key, found.negated, found.value, found.soft) == parts
    assert str(found) == text


KEY = "expected a key of two or more letters"
VALUE = "expected a value of letters"


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "expected one of the operators"),
        ("node", 4, "expected one of the operators"),
        ("node=n1", 4, "expected one of the operators"),
        ("node=!n1", 4, "expected one of the operators"),
        ("==x", 0, KEY),
        ("a==x", 1, KEY),
        ("1a==x", 0, KEY),
        (".a==x", 0, KEY),
        ("-a==x", 0, KEY),
        ("a b==x", 1, KEY),
        ("key!==x", 3, KEY),
        ("a!=b==c", 1, KEY),  # the first == splits, whatever stands before it
        ("nodé==x", 3, KEY),
        ("node==", 6, "expected a value"),
        ("node==~", 7, "expected a value"),
        ("node==~~~", 9, "expected a value"),
        ("node===", 7, "expected a value"),
        ("node==!", 7, "expected a value"),
        ("node===~", 8, "expected a value"),
        ("node==~~x", 7, VALUE),
        ("node==x~y", 7, VALUE),
        ("node==a=b", 7, VALUE),
        ("node==a==b", 7, VALUE),
        ("node==a!b", 7, VALUE),
        ("node==é", 6, VALUE),
        ("node==/", 6, "expected a second /"),
        ("node==~/", 7, "expected a second /"),
        ("node==/(/", 6, "expected a regular expression (missing ): ()"),
        ("node==/*/", 6, "expected a regular expression"),
        (r"node==/(a)\1/", 6, "expected a regular expression"),
        ("node==/" + "a" * 600 + "/", 6, "expected a regular expression of at most 512 characters"),
        ("node==/" + r"\pL" * 170 + "/", 6, "expected a regular expression (pattern too large"),
        ("node==" + "x" * 5000, 4096, "expected at most 4096 characters"),
        *((f"node==a{character}", 7, VALUE) for character in "#%&;{}<>'\"`\v\0\x85\xa0"),
    ],
    ids=lambda value: f"3.1 {value[:20]!r}" if isinstance(value, str) and not value.startswith("expected") else None,
)
def test_malformed(text: str, position: int, expected: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert (caught.value.expression, caught.value.position) == (text, position)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("value", "fits", "fits_not"),
    [
        ("web", ["web"], ["", "web1", "aweb", "Web", "web\n"]),
        ("*", ["", "anything", "two\nlines"], []),
        ("web*", ["web", "web1"], ["aweb", "we"]),
        ("*web", ["web", "aweb"], ["web1"]),
        ("*web*", ["web", "aweb1"], ["we-b"]),
        ("a*a", ["aa", "aba"], ["a"]),
        ("a*b*a", ["aba", "abba", "aba-ba"], ["aa", "ab"]),
        ("**", ["", "x"], []),
        ("a.c", ["a.c"], ["abc"]),
        ("a?", ["a?"], ["a", "ab"]),
        ("a|b", ["a|b"], ["a", "b"]),
        ("[ab]*", ["[ab]", "[ab]c"], ["a"]),
        ("/we/", ["web", "awe"], ["w-e"]),
        ("/^web$/", ["web"], ["web\n", "aweb"]),
        ("/(?i)WEB/", ["web", "aWeB"], ["w"]),
        ("//", ["", "x"], []),
        ("/./", ["x"], ["", "\n"]),
        (r"/^\d+$/", ["12"], ["", "١٢"]),
        ("/abc/i", ["/abc/i"], ["abc"]),
        ("/a", ["/a"], ["a"]),
        (r"/(?s)^a.b$/", ["a\nb"], ["ab"]),
        (r"/\bweb\b/", ["a-web-b"], ["webs"]),
        (r"/^[[:alpha:]]+$/", ["abc"], ["ab1"]),
        (r"/^\pL+$/", ["é"], ["1"]),
        (r"/^.$/", ["\U0001f41d"], ["\U0001f41d\U0001f41d"]),
    ],
    ids=lambda value: f"3.2 {value}" if isinstance(value, str) else None,
)
def test_matching(value: str, fits: list[str], fits_not: list[str]) -> None:
    expression = parse_expression(f"key=={value}")
    assert [each for each in [*fits, *fits_not] if expression.equals(each)] == fits


@pytest.mark.parametrize(
    ("value", "fits", "fits_not"),
    [
        ("web", ["web"], ["", "webs"]),
        ("a.c", ["a.c", "abc"], ["ac"]),
        ("ab?", ["a", "ab"], ["abb"]),
        ("a|b", ["a", "abc", "b", "cb"], ["ca", "bc"]),
        ("a+", ["a", "aa"], [""]),
        ("[ab]*", ["a", "bc"], ["c"]),
        ("(a)", ["a"], ["(a)"]),
        ("a*", ["a", "ab"], ["ba", "a\n"]),
        (r"a\.c", ["a.c"], ["abc"]),
        ("/abc/i", ["/abc/i"], ["abc"]),
        ("/b/", ["abc"], ["ac"]),
        ("=x", ["=x"], ["x"]),
    ],
    ids=lambda value: f"3.2 as in Swarm {value}" if isinstance(value, str) else None,
)
def test_matching_as_in_the_original(value: str, fits: list[str], fits_not: list[str]) -> None:
    expression = parse_expression(f"key=={value}").as_in_swarm()
    assert [each for each in [*fits, *fits_not] if expression.equals(each)] == fits


@pytest.mark.parametrize("value", ["(", "a)", "[", "a**b(", r"\p"])
def test_a_glob_that_the_original_could_not_compile_is_refused(value: str) -> None:
    with pytest.raises(ExpressionError, match="expected a regular expression") as caught:
        parse_expression(f"key==~{value}").as_in_swarm()
    assert caught.value.position == 6


def test_the_error_points_at_the_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression("node=n1")
    assert str(caught.value) == (
        "invalid expression 'node=n1', at character 5: expected one of the operators == and !=, as in key==value\n"
        "  node=n1\n"
        "      ^"
    )
    assert str(caught.value.found_in("constraint", "environment entry 2")).startswith(
        "invalid constraint 'node=n1' (environment entry 2), at character 5: expected one"
    )


def test_the_error_points_into_a_long_text_and_past_what_cannot_be_printed() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression("node==" + "x" * 2000 + "\x1b\U0001f41d" + "y" * 2000)
    first, text, caret = str(caught.value).splitlines()
    assert first.isascii()
    assert first.isprintable()
    assert (text[2:42], text[42:44], caret) == ("x" * 40, "??", "  " + " " * 40 + "^")


def test_equal_needs_one_candidate_and_unequal_needs_none() -> None:
    same, other = parse_expression("key==a*"), parse_expression("key!=a*")
    for candidates, fits in ((("a1", "b"), True), (("b",), False), ((), False)):
        assert same.accepts(candidates) is fits
        assert other.accepts(candidates) is not fits


def test_equal_expressions_are_equal_and_hashable() -> None:
    assert {parse_expression("key==/a/"), parse_expression("key==/a/")} == {parse_expression("key==/a/")}
    assert parse_expression("key==/a/").is_regex
    assert not parse_expression("key==a*").is_regex
    assert not parse_expression("key==a").is_regex


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("/" + "(a*)*" * 100 + "b/", "a" * 4000),
        ("/" + "(a|a)*" * 80 + "$/", "a" * 4000 + "b"),
        ("/" + "(.*x)+" * 80 + "/", "ax" * 2000),
        ("/" + "(" * 100 + "a" + ")*" * 100 + "b/", "a" * 4000),
        ("a*" * 2000 + "b", "a" * 4000),
    ],
)
def test_nested_repetition_takes_no_time(value: str, text: str) -> None:
    began = time.perf_counter()
    parse_expression(f"key=={value}").equals(text)
    assert time.perf_counter() - began < 1


@given(st.text(max_size=200))
@example("\ud800==x")
@example("ab==\ud800")
def test_any_text_parses_or_is_refused(text: str) -> None:
    _parses_or_is_refused(text)


@given(st.from_regex(r"[A-Za-z_][\w.-]{0,8}[=!]=[=!/]?~?[-a-z0-9 :_.*/()?+\[\]\\^$|{}@,~=]{0,60}/?"))
def test_anything_like_an_expression_parses_or_is_refused(text: str) -> None:
    _parses_or_is_refused(text)


@given(
    st.text("ab*.", min_size=1, max_size=12),
    st.text("ab.é\n", max_size=12),
)
def test_a_glob_fits_what_a_plain_matcher_says(glob: str, text: str) -> None:
    check(f"key=={glob}\0{text}".encode())


def _parses_or_is_refused(text: str) -> None:
    found = _parsed(text)
    if isinstance(found, ExpressionError):
        assert 0 <= found.position <= len(text)
        assert "expected" in str(found)
        return
    assert text == f"{found.key}{'!=' if found.negated else '=='}{'~' if found.soft else ''}{found.value}"
    for candidate in ("", "x", found.value, "é\n"):
        assert found.accepts([candidate]) is (found.equals(candidate) is not found.negated)
    if found.pattern is None:
        assert found.equals(found.value)


def _parsed(text: str) -> Expression | ExpressionError:
    try:
        return parse_expression(text)
    except ExpressionError as error:
        return error
