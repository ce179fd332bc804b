"""A real headless browser that shows one page of a report."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def show(browser: webdriver.Chrome, report: Path) -> None:
    """Load the page and wait until it has drawn everything."""
    browser.get(report.as_uri())
    wait(browser, lambda: browser.execute_script("return document.documentElement.dataset.ready") == "yes")


def wait(browser: webdriver.Chrome, condition: Callable[[], object]) -> None:
    WebDriverWait(browser, PATIENCE_S, poll_frequency=0.05).until(lambda _: condition())


def marks(browser: webdriver.Chrome, chart: str) -> int:
    """Marks that a chart shows: bars, dots, lines, but no axes."""
    script = "return document.querySelectorAll(`#${arguments[0]} svg .role-mark > [aria-roledescription], " + (
        "#${arguments[0]} svg .role-mark > path`).length"
    )
    return int(browser.execute_script(script, chart))


def requests(browser: webdriver.Chrome) -> list[str]:
    """What the page asked for, but for the empty page that the browser starts with."""
    messages: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
    ]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in asked if not url.startswith("chrome:")]
