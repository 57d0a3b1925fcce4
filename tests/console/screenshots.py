"""Makes the pictures of docs/images: `make screenshots`, while `make up` runs.

It reads the address and the login from `demo.env` in DATA_DIR, chats in the playground, calls one tool in the
inspector, and leaves a rule and a webhook behind. Of the calls that the rule asks about, none is made.
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
ASKED_ABOUT = "Convert the time 14:30 from Asia/Shanghai to Europe/Berlin"
RULE = "Somebody looks at conversions"
WEBHOOK = "On-call pager"
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
        "rules": rules,
        "approval-in-chat": chat_that_waits,
        "needs-you": lambda page: page.context.new_page().goto("/admin/needs-you/"),
        "approval": lambda page: page.context.pages[-1].click(".inbox-remedies a >> nth=0"),
        "webhooks": webhooks,
    }.items():
        show(page)
        shown = page.context.pages[-1]
        # The network never rests: what waits is followed by a stream.
        shown.wait_for_load_state("load")
        shown.wait_for_timeout(1500)
        shown.screenshot(path=folder / f"{name}.png", full_page=name == "approval")
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


def rules(page: Page) -> None:
    page.goto("/admin/assistants/rule/")
    if page.get_by_text(RULE).count():
        return
    page.goto("/admin/assistants/rule/add/")
    page.fill("#id_name", RULE)
    page.fill("#id_functions", "time__convert_time")
    page.click("[name=_save]")
    page.goto("/admin/assistants/rule/")


def chat_that_waits(page: Page) -> None:
    page.goto("/admin/playground/?assistant=demo")
    page.fill("#question", ASKED_ABOUT)
    page.click("#send")
    page.wait_for_selector(".c-approval")


def webhooks(page: Page) -> None:
    page.context.pages[-1].close()
    # In the chat, which is told so: else an equal call would still be told, instead of waiting.
    page.click(".c-approval button >> nth=1")
    page.wait_for_selector("#send:not([disabled]):not([hidden])")
    page.goto("/admin/assistants/webhook/")
    if page.get_by_text(WEBHOOK).count():
        return
    page.goto("/admin/assistants/webhook/add/")
    page.fill("#id_name", WEBHOOK)
    page.fill("#id_url", "https://hooks.example.com/mcp")
    for event in ("server.down", "server.up", "tool.changed"):
        page.check(f"[name=events][value='{event}']")
    page.click("[name=_save]")
    page.goto("/admin/assistants/webhook/")


def newest_run(page: Page) -> None:
    page.goto("/admin/assistants/run/")
    page.click("#result_list tbody a >> nth=0")


if __name__ == "__main__":
    main()
