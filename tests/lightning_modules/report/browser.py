"""Headless Chromium, used like a reader of the page."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None, reason="Chromium or its driver is not installed"
)
OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


class Browser:
    """One window.

    Args:
        driver: of Chromium.
    """

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def js(self, script: str, *arguments: Any) -> Any:
        """Evaluate an expression."""
        return self.driver.execute_script(f"return {script}", *arguments)

    def look(self, width: int, dark: bool = False) -> None:
        """Set the window's width and the colour scheme."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        taste = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [taste]})

    def open(self, page: Path | str) -> None:
        """Open a file or an address."""
        self.driver.get(page.as_uri() if isinstance(page, Path) else page)

    def scroll_through(self) -> None:
        """Scroll everything into view once, so that all charts are drawn."""
        for place in self.driver.find_elements("css selector", ".plot"):
            # Not Selenium's is_displayed: an undrawn chart may be without a size for a moment.
            if self.js("!!arguments[0].offsetParent", place):
                self.js("arguments[0].scrollIntoView({block: 'center'})", place)
                self.wait(lambda place=place: self.js("!!arguments[0]._fullData", place))

    def click(self, selector: str) -> None:
        """Click the first matching element, even outside the view."""
        self.js("document.querySelector(arguments[0]).click()", selector)

    def shown(self, selector: str) -> list[str]:
        """Texts of the visible elements."""
        elements = f"[...document.querySelectorAll({selector!r})]"
        return self.js(f"{elements}.filter((e) => e.offsetParent).map((e) => e.innerText.trim())")

    def wait(self, until: Callable[[], Any]) -> None:
        """Wait until the condition holds, at most 20 seconds."""
        WebDriverWait(self.driver, 20, poll_frequency=0.05).until(lambda _: until())

    def complaints(self) -> list[str]:
        """Return the console's messages."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser, and end it afterwards."""
    options = webdriver.ChromeOptions()
    for option in OPTIONS:
        options.add_argument(option)
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(DRIVER))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def seconds_to_paint(browser: Browser) -> float:
    """Seconds until the first content of the open page was painted."""
    paints = "performance.getEntriesByName('first-contentful-paint')"
    deadline = time.monotonic() + 20
    while not browser.js(f"{paints}.length") and time.monotonic() < deadline:
        time.sleep(0.05)
    return browser.js(f"{paints}[0].startTime") / 1000
