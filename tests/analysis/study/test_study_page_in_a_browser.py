"""The study's page in a real headless browser: no errors, no requests, every chart drawn, tables sort, dark is dark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browsing import assert_it_asks_for_nothing, marks, show
from headless import NO_BROWSER, assert_it_fits, complaints, new_browser
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
    assert complaints(browser) == []
    assert_it_asks_for_nothing(browser)


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
    assert_it_fits(browser, width, ".chart svg", lambda: show(browser, complete.page))
