"""The page for people at `/`, in a real browser: Debian's chromium without a window."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from container.artifact import Calibration
from serve.settings import SIGNS_OF_SAGEMAKER, Settings
from serve.web.page import FOLDER
from tests.engine import skip_or_fail
from tests.serve.server import DEADLINE, Server
from tests.serve.tiny_model import write_tiny_model

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, PHONE = (900, 900), (390, 800)
TEXT = "I see the big red dog."
Start = Callable[..., Server]


class Page:
    """The page in a browser, and what a person does with it."""

    def __init__(self, browser: webdriver.Chrome, url: str, size: tuple[int, int] = WIDE) -> None:
        self.browser = browser
        self.resize(size)
        browser.get(f"{url}/")

    def resize(self, size: tuple[int, int]) -> None:
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def the(self, identifier: str) -> WebElement:
        return self.browser.find_element(By.ID, identifier)

    def all(self, selector: str) -> list[WebElement]:
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, until: Callable[[], object]) -> None:
        WebDriverWait(self.browser, DEADLINE, 0.02).until(lambda _: until())

    def translate(self, text: str = TEXT) -> str:
        """Type a text, press the button, wait for the translation."""
        self.the("text").clear()
        self.the("text").send_keys(text)
        self.all("button.main")[0].click()  # the answer is busy from here on
        self.wait(lambda: self.the("answer").get_attribute("aria-busy") == "false")
        return self.the("translation").text

    def keys(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()

    def focused(self) -> str:
        return self.browser.switch_to.active_element.text

    def complaints(self) -> list[str]:
        """What the browser wrote to its console: a blocked script or style, an uncaught error."""
        return [entry["message"] for entry in self.browser.get_log("browser")]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        skip_or_fail("chromium or chromium-driver is not installed, so the page is not tested here.")
    options = webdriver.ChromeOptions()
    options.binary_location = str(program)
    for flag in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(driver)))
    yield running
    running.quit()


@pytest.fixture
def page(browser: webdriver.Chrome, server: Server) -> Iterator[Page]:
    opened = Page(browser, server.url)
    yield opened
    assert opened.complaints() == []


def test_a_sentence_becomes_a_translation_with_links_drawn(page: Page, server: Server, tmp_path: Path) -> None:
    parameters = {"return_alignment": True, "num_hypotheses": 4}
    answer = server.invoke({"instances": [TEXT], "parameters": parameters}).json()["predictions"][0]
    assert page.translate() == answer["translation"]
    assert [button.text for button in page.all("#source-words button")] == TEXT.split()
    assert [button.text for button in page.all("#target-words button")] == answer["translation"].split()
    assert len(page.all("#lines path")) == len(answer["alignment"])
    for path, link in zip(page.all("#lines path"), answer["alignment"], strict=True):
        ends = page.all("#source-words button")[link[0]].rect, page.all("#target-words button")[link[1]].rect
        middles = sorted(end["x"] + end["width"] / 2 for end in ends)
        assert path.rect["x"] == pytest.approx(middles[0], abs=3)
        assert path.rect["x"] + path.rect["width"] == pytest.approx(middles[1], abs=3)
        assert path.rect["height"] > 40
    others = {each["translation"] for each in answer["hypotheses"]} - {answer["translation"]}
    assert {item.text for item in page.all("#hypotheses li span")} == others
    picture = tmp_path / "page.png"
    assert page.browser.save_screenshot(str(picture))
    assert struct.unpack(">II", picture.read_bytes()[16:24]) == WIDE


def test_confidence_is_shown_where_the_model_has_one(
    browser: webdriver.Chrome, page: Page, start: Start, tmp_path: Path
) -> None:
    page.translate()
    assert not page.the("confidence").is_displayed()
    calibration = Calibration(good_chrf=60, intercept=1.0, slope=0.5, sentences=100)
    write_tiny_model(tmp_path / "ml" / "model", calibration=calibration)
    server = start(tmp_path / "ml")
    server.wait_until_ready()
    calibrated = Page(browser, server.url)
    calibrated.translate()
    body = {"instances": [TEXT], "parameters": {"return_confidence": True, "num_hypotheses": 4}}
    answer = server.invoke(body).json()["predictions"][0]
    assert calibrated.the("percent").text == f"{100 * answer['confidence']:.0f} %"
    assert calibrated.the("percent").is_displayed()
    assert calibrated.all("#hypotheses li small")[0].text.endswith(" %")


def test_a_model_of_both_directions_has_a_switch(
    browser: webdriver.Chrome, page: Page, start: Start, both_ways: Path
) -> None:
    assert not page.the("switch").is_displayed()
    assert "target_lang" not in str(page.translate() and page.the("request").get_attribute("textContent"))
    server = start(both_ways)
    server.wait_until_ready()

    def answer(text: str, target: str) -> str:
        body = {"instances": [text], "parameters": {"target_lang": target, "num_hypotheses": 4}}
        return " ".join(server.invoke(body).json()["predictions"][0]["translation"].split())

    both = Page(browser, server.url)
    both.wait(lambda: both.the("switch").is_displayed())
    assert both.the("title").text == "English to Spanish"
    spanish = both.translate()
    assert spanish == answer(TEXT, "es")
    assert both.the("confidence").is_displayed()
    both.the("switch").click()  # what was translated is what is read now
    both.wait(lambda: both.the("translation").text == answer(spanish, "en"))
    assert both.the("title").text == "Spanish to English"
    assert both.the("text").get_attribute("value") == spanish
    assert (both.the("text").get_attribute("lang"), both.the("translation").get_attribute("lang")) == ("es", "en")
    assert not both.the("confidence").is_displayed()  # the way back has none
    both.translate("la casa")  # the tiny model wrote signs alone, which come back as they are, without links
    both.all("#target-words button")[0].click()
    both.wait(lambda: both.the("words-here").is_displayed())
    both.the("switch").click()
    both.wait(lambda: both.the("title").text == "English to Spanish")
    assert both.complaints() == []


def test_the_command_that_is_shown_gives_the_answer_that_is_shown(page: Page, server: Server) -> None:
    page.translate("the dog's house")
    command = str(page.the("request").get_attribute("textContent"))
    body = command.partition(" -d '")[2].removesuffix("'").replace("'\\''", "'")
    assert command.startswith(f"curl {server.url}/invocations ")
    assert server.invoke(json.loads(body)).json() == json.loads(str(page.the("response").get_attribute("textContent")))


def test_on_a_phone_the_words_stand_in_columns_and_nothing_sticks_out(
    browser: webdriver.Chrome, server: Server
) -> None:
    page = Page(browser, server.url, PHONE)
    page.translate(f"{TEXT} {TEXT}")
    links = page.the("links")
    assert links.get_attribute("class") == "links tall"
    lefts, rights = (page.all(f"#{side}-words button") for side in ("source", "target"))
    assert len({button.rect["y"] for button in lefts}) == len(lefts)
    assert max(button.rect["x"] + button.rect["width"] for button in lefts) < min(each.rect["x"] for each in rights)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE[0]


def test_rows_become_columns_when_the_window_narrows(page: Page) -> None:
    page.translate()
    assert page.the("links").get_attribute("class") == "links"
    page.resize((330, 800))
    page.wait(lambda: page.the("links").get_attribute("class") == "links tall")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.the("text").send_keys(TEXT, Keys.ENTER)
    page.wait(lambda: page.all("#source-words button"))
    while page.focused() != TEXT.split()[0]:  # the first word is one stop of the Tab key
        page.keys(Keys.TAB)
    assert page.all("#lines path.on") or "no word" in str(
        page.browser.switch_to.active_element.get_attribute("aria-label")
    )
    page.keys(Keys.ARROW_RIGHT)
    assert page.focused() == TEXT.split()[1]
    page.keys(Keys.END)
    assert page.focused() == TEXT.split()[-1]
    page.keys(Keys.TAB)  # the next stop is the translation's first word
    assert page.browser.switch_to.active_element == page.all("#target-words button")[0]
    page.keys(Keys.ENTER)
    page.wait(lambda: page.all("#alternatives button"))


def test_another_word_leads_to_another_translation(page: Page, server: Server) -> None:
    before = page.translate()
    page.all("#target-words button")[0].click()
    page.wait(lambda: page.all("#alternatives button"))
    wanted = server.invoke({"instances": [TEXT], "parameters": {"alternatives_at": 0}}).json()["predictions"][0]
    page.all("#alternatives button")[0].click()
    page.wait(lambda: page.the("translation").text != before)
    assert page.the("translation").text == wanted["alternatives"][0]["translation"]


def test_a_refusal_is_shown_as_its_sentence_and_goes_away(browser: webdriver.Chrome, start: Start) -> None:
    server = start(NMT_MAX_BODY_MB="1")
    server.wait_until_ready()
    page = Page(browser, server.url)
    put = "const text = document.getElementById('text'); text.hidden = {}; text.value = 'a'.repeat({})"
    browser.execute_script(put.format("true", 2**20))  # hidden, because a browser takes a minute to lay that word out
    page.all("button.main")[0].click()
    page.wait(lambda: page.the("problem").is_displayed())
    browser.execute_script(put.format("false", 0))
    assert page.the("problem").text == "The body is larger than 1 MB: send fewer texts at a time."
    page.translate()
    assert not page.the("problem").is_displayed()
    server.stop()
    page.all("button.main")[0].click()
    page.wait(lambda: page.the("problem").text == "The server does not answer: is it still running?")
    page.complaints()  # the browser's own lines about the two


def test_a_warning_is_shown(page: Page) -> None:
    page.translate("你好世界")
    assert "do not trust" in page.the("warning").text


def test_markup_in_a_text_stays_text(page: Page) -> None:
    page.translate("<img src=x onerror=alert(1)> the dog")
    assert page.all("img") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(page: Page, scheme: str) -> None:
    wish = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)
    ground, ink = (page.all("body")[0].value_of_css_property(name) for name in ("background-color", "color"))
    assert (_light(ground) > _light(ink)) == (scheme == "light")


def _light(colour: str) -> float:
    return sum(float(part) for part in colour.partition("(")[2].rstrip(")").split(",")[:3])


# ---- what is served --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/page/page.js", "/page/page.css", "/page/icon.svg", "/page/model.json"])
def test_every_part_has_a_strict_policy(server: Server, path: str) -> None:
    response = requests.get(f"{server.url}{path}", timeout=DEADLINE)
    assert response.status_code == 200
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy and "*" not in policy and ":" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/page/", "/page/nothing", "/page/..%2fapp.py", "/page/%2e%2e/app.py"])
def test_nothing_but_the_page_is_served(server: Server, path: str) -> None:
    response = requests.get(f"{server.url}{path}", timeout=DEADLINE)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_nothing_comes_from_another_host() -> None:
    for file in FOLDER.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")  # a name, never fetched
        assert "://" not in text and 'src="//' not in text, file.name


@pytest.mark.parametrize("sign", SIGNS_OF_SAGEMAKER)
def test_sagemaker_gets_no_page_unless_asked(sign: str) -> None:
    assert Settings.from_environment({}).page
    assert not Settings.from_environment({"NMT_UI": "0"}).page
    assert not Settings.from_environment({sign: "true"}).page
    assert Settings.from_environment({sign: "true", "NMT_UI": "1"}).page == (sign != "SAGEMAKER_MULTI_MODEL")


def test_without_the_page_its_address_is_a_404_and_nothing_tells_of_it(start: Start) -> None:
    server = start(NMT_UI="0")
    server.wait_until_ready()
    assert requests.get(f"{server.url}/", timeout=DEADLINE).status_code == 404
    assert "page" not in server.output()


def test_the_address_is_printed_at_the_start(server: Server) -> None:
    assert f"http://localhost:{server.port}/\n" in server.output()
