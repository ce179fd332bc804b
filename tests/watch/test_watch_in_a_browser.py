"""The page in a real headless browser: links take colours, bars progress, the end is shown, nothing complains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from headless import NO_BROWSER, assert_it_fits, complaints, new_browser, wait
from scene import Scene, plans_of
from selenium import webdriver
from selenium.webdriver.common.by import By

from testbed.fidelity.verdict import Verdict, at_most
from testbed.watch.watch import Watch, watching

pytestmark = NO_BROWSER


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    driver = new_browser(tmp_path_factory.mktemp("profile"))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(autouse=True)
def quiet(browser: webdriver.Chrome) -> Iterator[None]:
    """No test leaves a complaint of the page behind."""
    complaints(browser)
    yield
    assert complaints(browser) == []


def text(browser: webdriver.Chrome, selector: str) -> str:
    return str(browser.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector))


def colours(browser: webdriver.Chrome) -> dict[str, int]:
    """Colour -> links that have it."""
    script = "return [...document.querySelectorAll('#network line')].map((line) => getComputedStyle(line).stroke)"
    found: dict[str, int] = {}
    for colour in browser.execute_script(script):
        found[colour] = found.get(colour, 0) + 1
    return found


def bars(browser: webdriver.Chrome) -> dict[str, float]:
    """Active coflow -> percent of the bar's width that is filled, as drawn."""
    script = """return [...document.querySelectorAll('#active li')].map((item) => {
        const bar = item.querySelector('.bar');
        return [item.dataset.coflow, 100 * bar.firstChild.getBoundingClientRect().width / bar.clientWidth];
    })"""
    return dict(browser.execute_script(script))


def show(browser: webdriver.Chrome, watch: Watch) -> None:
    browser.get(watch.url)
    wait(browser, lambda: text(browser, "#link") == "live")


def test_links_take_colours_and_bars_progress(browser: webdriver.Chrome, watch: Watch, scene: Scene) -> None:
    show(browser, watch)
    assert text(browser, "h1") == "Waiting for a run"
    run = watch.run(scene.plan, scene.gammas)
    wait(browser, lambda: text(browser, "h1") == "quickstart: sebf")
    assert colours(browser) == {"rgb(205, 211, 218)": len(scene.plan.fabric.links)}
    scene.play(run, 5.0)
    wait(browser, lambda: text(browser, "#figures dd") == "5 s")
    assert len(colours(browser)) > 3
    state = scene.standing(5.0)
    before = bars(browser)
    assert before
    assert text(browser, "#phases .now") == "replay"
    assert text(browser, "#busiest").startswith("Busiest: ")
    coflow = next(iter(before))
    mine = scene.plan.flows.coflow == int(coflow)
    share = 100 * state.received[mine].sum() / scene.plan.flows.bytes[mine].sum()
    assert before[coflow] == pytest.approx(share, abs=1.5)
    assert text(browser, "#faults") == ""
    run.standing(replace(scene.standing(5.1), faults=((4.0, "link e0-a0 down"), (5.0, "link e0-a0 up"))))
    wait(browser, lambda: text(browser, "#figures dd") == "5.1 s")
    assert text(browser, "#faults") == "Faults: 4 s link e0-a0 down; 5 s link e0-a0 up"
    after = bars(browser)
    both = before.keys() & after.keys()
    assert all(after[coflow] >= before[coflow] for coflow in both)
    assert any(after[coflow] > before[coflow] for coflow in both)


def test_the_end_of_a_run_and_the_next_one(browser: webdriver.Chrome, scene: Scene) -> None:
    slow = at_most("start skew p99", 4.2, "ms", degraded=3, words="close other programs")
    with watching(0, 2, lambda _: None) as watch:
        show(browser, watch)
        run = watch.run(scene.plan, scene.gammas)
        scene.play(run, scene.end_s)
        run.phase("take-down")
        run.ended(Verdict((slow,)), Path("results/first"))
        wait(browser, lambda: text(browser, "#verdict h2") == "This run is degraded")
        assert text(browser, "#verdict li") == (
            "start skew p99: 4.2 ms (at most 3 ms): degraded; close other programs"
        )  # fmt: skip
        assert text(browser, "#verdict .note") == "Records: results/first"
        done = len(scene.plan.coflows)
        assert f"{done} of {done}" in text(browser, "#figures")
        second = watch.run(scene.plan, scene.gammas)
        wait(browser, lambda: text(browser, "#run-number") == "run 2 of 2")
        assert not browser.find_element(By.ID, "verdict").is_displayed()
        scene.play(second, 3.0)
        second.failed(KeyboardInterrupt())
        wait(browser, lambda: text(browser, "#verdict h2") == "This run failed: interrupted")
    wait(browser, lambda: text(browser, "#link") == "run ended; this page keeps what it has")
    rows = browser.find_elements(By.CSS_SELECTOR, "#runs tr")
    assert [row.find_elements(By.TAG_NAME, "td")[-1].text for row in rows] == ["degraded", "failed"]
    assert len(browser.find_elements(By.CSS_SELECTOR, "#cct .curve")) == 2


def test_who_comes_late_or_again_sees_the_same(browser: webdriver.Chrome, watch: Watch, scene: Scene) -> None:
    scene.play(watch.run(scene.plan, scene.gammas), 6.0)
    show(browser, watch)
    wait(browser, lambda: text(browser, "#figures dd") == "6 s")
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "#goodput .curve"))
    seen = [text(browser, part) for part in ("#figures", "#finished", "#runs")]
    browser.refresh()
    wait(browser, lambda: text(browser, "#figures dd") == "6 s")
    assert [text(browser, part) for part in ("#figures", "#finished", "#runs")] == seen


def test_names_are_never_markup(browser: webdriver.Chrome, watch: Watch, scene: Scene) -> None:
    show(browser, watch)
    run = watch.run(replace(scene.plan, experiment="<img src=x onerror=alert(1)>"), scene.gammas)
    run.say("<script>alert(2)</script>")
    wait(browser, lambda: text(browser, "#said") == "<script>alert(2)</script>")
    assert text(browser, "h1") == "<img src=x onerror=alert(1)>: sebf"
    assert browser.find_elements(By.TAG_NAME, "img") == []


@pytest.mark.parametrize("override", ["topology=topologies/leaf-spine.yml", "topology.k=8", ""])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_sticks_out_and_the_dark_is_dark(
    browser: webdriver.Chrome, watch: Watch, width: int, override: str
) -> None:
    scene = Scene(plans_of("quickstart.yml", *([override] if override else []))[1])
    scene.play(watch.run(scene.plan, scene.gammas), 2.0)
    parts = "#network line, #network rect, .bar, #figures dd, .words span, #phases li, .chart path"

    def load() -> None:
        show(browser, watch)
        wait(browser, lambda: text(browser, "#figures dd") == "2 s")

    assert_it_fits(browser, width, parts, load)
