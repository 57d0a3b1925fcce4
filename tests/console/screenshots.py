"""Makes the pictures of docs/images: `make screenshots`, while `make up` runs.

It reads the address and the login from `demo.env` in DATA_DIR, chats once in the playground and calls one
tool in the inspector.
"""

import os
from pathlib import Path

from environ import Env
from playwright.sync_api import Browser, Page

from tests.console.browser import chromium

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs/images"
FOLDERS = {"en": IMAGES, "zh-CN": IMAGES / "zh-hans"}
QUESTION = "What time is it in Asia/Shanghai?"
SIZE = {"width": 1280, "height": 800}


def main() -> None:
    Env.read_env(Path(os.environ.get("DATA_DIR") or ROOT / ".data") / "demo.env")
    with chromium() as browser:
        for language, folder in FOLDERS.items():
            folder.mkdir(parents=True, exist_ok=True)
            take(browser, language, folder)


def take(browser: Browser, language: str, folder: Path) -> None:
    page = browser.new_context(viewport=SIZE, locale=language, base_url=os.environ["BASE_URL"]).new_page()
    page.goto("/admin/login/")
    page.fill("input[name=username]", os.environ["ADMIN_USERNAME"])
    page.fill("input[name=password]", os.environ["ADMIN_PASSWORD"])
    page.press("input[name=password]", "Enter")
    page.wait_for_url("**/admin/")
    for name, show in {
        "playground": chat,
        "inspector": call,
        "run": newest_run,
        "servers": lambda page: page.goto("/admin/tools/mcptool/"),
        "overview": lambda page: page.goto("/admin/"),
    }.items():
        show(page)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=folder / f"{name}.png")
    page.context.close()


def chat(page: Page) -> None:
    page.goto("/admin/playground/?assistant=demo")
    page.fill("#question", QUESTION)
    page.click("#send")
    page.wait_for_selector("#send:not([disabled]):not([hidden])")
    page.wait_for_timeout(1500)


def call(page: Page) -> None:
    page.goto("/admin/tools/mcptool/?q=time")
    page.click("#result_list a >> text=Time")
    page.goto(f"/admin/servers/{page.url.split('/')[-3]}/inspector/")
    page.click("text=time__get_current_time")
    page.fill("#inspector-fields input, #inspector-fields textarea", "Asia/Shanghai")
    page.click("#inspector-run")
    page.wait_for_selector("#inspector-result:not([hidden]), #inspector-confirm[open]")
    if page.is_visible("#inspector-confirm"):
        page.click("#inspector-confirm [data-answer=yes]")
    page.wait_for_selector("#inspector-result:not([hidden])")


def newest_run(page: Page) -> None:
    page.goto("/admin/assistants/run/")
    page.click("#result_list tbody a >> nth=0")


if __name__ == "__main__":
    main()
