"""The page in a real headless browser: it loads without errors or requests, draws, sorts, filters, suits the dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import assert_it_asks_for_nothing, marks, show
from decided_run import decided_run
from headless import NO_BROWSER, assert_it_fits, complaints, new_browser, wait
from run_writer import writer
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from testbed.analysis.page.page import write_page
from testbed.analysis.report import summarize
from testbed.records.finding import read_runs

pytestmark = NO_BROWSER


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two schedulers, both emulated and simulated."""
    folder = tmp_path_factory.mktemp("runs")
    write_run = writer(folder)
    write_run("fair", {1: 3.0, 2: 9.0})
    write_run("fair", {1: 3.1, 2: 9.1}, source="emulation")
    for source in ("simulation", "emulation"):
        decided_run(folder, source=source)
    runs, _ = read_runs([folder])
    return write_page(runs, summarize(runs), folder / "report")


@pytest.fixture(scope="module")
def browser(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    """A browser that shows the page, all charts drawn."""
    driver = new_browser(tmp_path_factory.mktemp("profile"))
    try:
        show(driver, report)
        yield driver
    finally:
        driver.quit()


def column(browser: webdriver.Chrome, table: str, place: int) -> list[str]:
    rows = browser.find_elements(By.CSS_SELECTOR, f"#{table} tbody tr")
    return [row.find_elements(By.XPATH, "*")[place].text for row in rows if row.is_displayed()]


def sort_by(browser: webdriver.Chrome, table: str, heading: str) -> None:
    browser.find_element(By.XPATH, f"//table[@id='{table}']//th/button[text()='{heading}']").click()


def test_it_loads_without_complaints_and_without_requests(browser: webdriver.Chrome) -> None:
    assert complaints(browser) == []
    assert_it_asks_for_nothing(browser)


def test_every_chart_has_content(browser: webdriver.Chrome) -> None:
    charts = browser.execute_script("return [...Object.keys(data.charts), ...Object.keys(data.runCharts)]")
    shown = [chart for chart in charts if browser.find_element(By.ID, chart).is_displayed()]
    assert {"cct-cdf-0", "emulated-vs-simulated-0", "factor-per-coflow-0", "coflows", "gantt", "links"} <= set(shown)
    assert [chart for chart in shown if marks(browser, chart) == 0] == []


def test_the_verdict_is_what_one_sees_first(browser: webdriver.Chrome) -> None:
    verdict = browser.find_element(By.ID, "verdict")
    assert verdict.rect["y"] < 400
    assert "WHAT CAN BE TRUSTED" in verdict.text.upper()


def test_tables_sort_both_ways(browser: webdriver.Chrome) -> None:
    sort_by(browser, "summary-table", "mean s")
    rising = [float(text) for text in column(browser, "summary-table", 4)]
    assert rising == sorted(rising)
    assert rising[0] < rising[-1]
    sort_by(browser, "summary-table", "mean s")
    assert [float(text) for text in column(browser, "summary-table", 4)] == rising[::-1]
    sort_by(browser, "summary-table", "scheduler")
    assert column(browser, "summary-table", 0) == ["fair", "fair", "sebf", "sebf"]


def test_a_click_on_a_scheduler_hides_it_everywhere(browser: webdriver.Chrome) -> None:
    before = marks(browser, "emulated-vs-simulated-0")
    button = browser.find_element(By.CSS_SELECTOR, '.legend button[data-scheduler="sebf"]')
    button.click()
    wait(browser, lambda: marks(browser, "emulated-vs-simulated-0") < before)
    assert column(browser, "summary-table", 0) == ["fair", "fair"]
    button.click()
    wait(browser, lambda: marks(browser, "emulated-vs-simulated-0") == before)


def test_a_run_and_a_coflow_can_be_chosen(browser: webdriver.Chrome) -> None:
    title = browser.find_element(By.ID, "gantt-title")
    Select(browser.find_element(By.ID, "run")).select_by_visible_text("sebf, emulated")
    wait(browser, lambda: title.text.endswith("sebf, emulated"))
    wait(browser, lambda: marks(browser, "decisions") == 3)
    wait(browser, lambda: marks(browser, "classes") > 0)
    Select(browser.find_element(By.ID, "coflow")).select_by_value("1")
    wait(browser, lambda: title.text == "Flows of coflow 1, sebf, emulated")
    wait(browser, lambda: "CCT 2.000 s, 2.00 times Gamma" in browser.find_element(By.ID, "gantt-caption").text)
    wait(browser, lambda: "h0" in browser.find_element(By.ID, "gantt").get_attribute("innerHTML"))


def test_checks_can_be_filtered(browser: webdriver.Chrome) -> None:
    every = len(column(browser, "check-table", 1))
    run = Select(browser.find_element(By.ID, "check-run"))
    run.select_by_index(1)
    assert 0 < len(column(browser, "check-table", 1)) < every
    browser.find_element(By.ID, "only-failed").click()
    assert "valid" not in column(browser, "check-table", 4)
    browser.find_element(By.ID, "only-failed").click()
    run.select_by_index(0)


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_and_the_dark_is_dark(browser: webdriver.Chrome, report: Path, width: int) -> None:
    assert_it_fits(browser, width, ".chart svg", lambda: show(browser, report))
