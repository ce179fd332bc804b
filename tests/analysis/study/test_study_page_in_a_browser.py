"""The study's page in a real headless browser: no errors, no requests, every chart drawn, tables sort, dark is dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import NO_BROWSER, marks, new_browser, requests, show
from selenium import webdriver
from selenium.webdriver.common.by import By

from testbed.analysis.study.report import StudyReport

pytestmark = NO_BROWSER


@pytest.fixture(scope="module")
def browser(complete: StudyReport, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    driver = new_browser(tmp_path_factory.mktemp("profile"))
    try:
        show(driver, complete.page)
        yield driver
    finally:
        driver.quit()


def test_it_loads_without_complaints_and_without_requests(browser: webdriver.Chrome) -> None:
    said = [entry["message"] for entry in browser.get_log("browser")]
    assert [words for words in said if not words.startswith("chrome://")] == []
    asked = requests(browser)
    assert asked
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}


def test_every_chart_has_content(browser: webdriver.Chrome) -> None:
    charts = browser.execute_script("return Object.keys(data.charts)")
    assert len(charts) == 8
    assert [chart for chart in charts if marks(browser, chart) == 0] == []


def test_tables_sort(browser: webdriver.Chrome) -> None:
    browser.find_element(By.XPATH, "//table[@id='a-behind-table']//th/button[text()='mean s']").click()
    rows = browser.find_elements(By.CSS_SELECTOR, "#a-behind-table tbody tr td:nth-child(6)")
    seconds = [float(cell.text) for cell in rows]
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[-1]


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_and_the_dark_is_dark(browser: webdriver.Chrome, complete: StudyReport, width: int) -> None:
    page: Path = complete.page
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    back = {}
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        show(browser, page)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        ends = "return [...document.querySelectorAll('.chart svg')].map((svg) => svg.getBoundingClientRect().right)"
        assert max(browser.execute_script(ends)) <= width
        style = "return getComputedStyle(document.body).backgroundColor"
        back[scheme] = sum(int(part) for part in browser.execute_script(style)[4:-1].split(","))
    assert back["light"] > 600
    assert back["dark"] < 150
