"""Which media type a client wants."""

import pytest

from app.wire.media import best_media

JSON, HTML = "application/json", "text/html"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        (" , ", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        ("text/*", HTML),
        ("text/html", HTML),
        ("TEXT/HTML ; charset=utf-8", HTML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
        ("text/html;q=0.5, */*;q=0.8", JSON),
        ("application/json;q=0, */*", HTML),
        ("application/json;q=0, */*;q=0", None),
        ("application/*;q=0.1, text/*;q=0.2", HTML),
        ("text/html, application/json", JSON),
        ("text/html;level=1;q=0.3, application/json;q=0.2", HTML),
        ("text/html;q=0.000, application/json;q=0.001", JSON),
        ("image/png", None),
        ("application/problem+json", None),
        ("text/html;q=nan", JSON),
        ("text/html;q=2, application/json;q=0.5", JSON),
        ("nonsense", None),
    ],
)
def test_the_media_type_that_is_wanted_most(accept: str, media: str | None):
    assert best_media(accept, (JSON, HTML)) == media
