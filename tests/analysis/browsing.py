"""What a browser shows of a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headless import wait
from selenium import webdriver


def show(browser: webdriver.Chrome, report: Path) -> None:
    """Load the page and wait until it has drawn everything."""
    browser.get(report.as_uri())
    wait(browser, lambda: browser.execute_script("return document.documentElement.dataset.ready") == "yes")


def marks(browser: webdriver.Chrome, chart: str) -> int:
    """Marks that a chart shows: bars, dots, lines, but no axes."""
    script = "return document.querySelectorAll(`#${arguments[0]} svg .role-mark > [aria-roledescription], " + (
        "#${arguments[0]} svg .role-mark > path`).length"
    )
    return int(browser.execute_script(script, chart))


def assert_it_asks_for_nothing(browser: webdriver.Chrome) -> None:
    """The page is all in its file. The empty page that the browser starts with does not count."""
    messages: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
    ]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    own = [url for url in asked if not url.startswith("chrome:")]
    assert own
    assert {url.split(":")[0] for url in own} <= {"file", "data"}
