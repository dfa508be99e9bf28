"""The page of what each searcher can express is what the searchers do."""

import pytest

from tests.searchers import refusals


@pytest.mark.slow
def test_the_page_is_what_the_searchers_do():
    assert refusals.PAGE.read_text() == refusals.page(), "run python -m tests.searchers.refusals"
