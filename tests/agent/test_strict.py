"""JSON that every decoder reads the same; all else is refused with its reason."""

from __future__ import annotations

import pytest

from skep import RequestError, strict_json

REFUSED = {
    b'{"a": 1, "a": 2}': "the key 'a' comes twice",
    b'{"a": {"b": 1, "\\u0062": 2}}': "the key 'b' comes twice",
    b'\xef\xbb\xbf{"a": 1}': "byte order mark",
    b'{"a": 1} {}': "trailing",
    b'{"a": 1},': "trailing",
    b"[]": "Expected `object`",
    b"": "truncated",
    b'{"a": 1e400}': "too large",
    b'{"a": ' + b"9" * 5000 + b"}": "digits",
    b'{"a": NaN}': "invalid character",
    b'{"a": -Infinity}': "invalid",
    b'{"a": "\xff"}': "invalid",
    b'{"a": "\\ud800"}': "invalid",
    b'{"a": [01]}': "invalid",
    b"{'a': 1}": "JSON is malformed",
    b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}": "nested too deeply",
    b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}": "nested too deeply",
    '{"a": 1}'.encode("utf-16"): "invalid thing",
}


@pytest.mark.parametrize("data", REFUSED, ids=range(len(REFUSED)))
def test_what_can_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        strict_json(data, "thing")
    assert caught.value.status == 400
    assert str(caught.value).startswith("invalid thing: ")
    assert REFUSED[data].lower() in str(caught.value).lower()


def test_what_is_clear_is_read() -> None:
    text = b' {"a": [1, -2.5, true, null, "\\u00e9\\ud83d\\ude00"], "A": {}, "n": 18446744073709551615}\n'
    assert strict_json(text, "thing") == {"a": [1, -2.5, True, None, "é😀"], "A": {}, "n": 2**64 - 1}
