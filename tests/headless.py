"""A real headless browser, and what has to hold of every page that it shows."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
NO_BROWSER = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="no chromium or no chromedriver: scripts/system-packages browser"
)
PATIENCE_S = 60
_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip


def new_browser(profile: Path) -> webdriver.Chrome:
    """A browser that keeps what it logs and asks for; the caller quits it."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for option in (*_OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(str(DRIVER)))


def wait(browser: webdriver.Chrome, condition: Callable[[], object]) -> None:
    WebDriverWait(browser, PATIENCE_S, poll_frequency=0.05).until(lambda _: condition())


def complaints(browser: webdriver.Chrome) -> list[str]:
    """What a page has complained of since it was last asked."""
    said = [entry["message"] for entry in browser.get_log("browser")]
    return [words for words in said if not words.startswith("chrome://")]  # its own first page talks too


def assert_it_fits(browser: webdriver.Chrome, width: int, parts: str, load: Callable[[], None]) -> None:
    """Of a page that `load` shows: nothing sticks out of a window so wide (`parts` are asked), and the dark is dark."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    back = {}
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        load()
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        ends = "return [...document.querySelectorAll(arguments[0])].map((part) => part.getBoundingClientRect().right)"
        assert max(browser.execute_script(ends, parts)) <= width
        style = "return getComputedStyle(document.body).backgroundColor"
        back[scheme] = sum(int(part) for part in browser.execute_script(style)[4:-1].split(","))
    assert back["light"] > 600
    assert back["dark"] < 150
