/* The tab Connect: tabs by arrow keys (WAI-ARIA Authoring Practices, "Tabs"), and copying. */
"use strict";

function chooseTab(tabs, chosen) {
  for (const tab of tabs) {
    const isChosen = tab === chosen;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !isChosen;
  }
}

function moveFrom(tabs, tab, key) {
  const at = tabs.indexOf(tab);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[key];
  return to === undefined ? null : tabs[(to + tabs.length) % tabs.length];
}

async function copyText(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    // Without TLS there is no clipboard: the older command still works in most browsers.
    getSelection().selectAllChildren(element);
    return document.execCommand("copy");
  }
}

function setUp() {
  const { copied, select } = document.getElementById("connect").dataset;
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const tab of tabs) {
    tab.addEventListener("click", () => chooseTab(tabs, tab));
    tab.addEventListener("keydown", (event) => {
      const next = moveFrom(tabs, tab, event.key);
      if (!next) return;
      event.preventDefault();
      chooseTab(tabs, next);
      next.focus();
    });
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    const word = button.textContent;
    button.addEventListener("click", async () => {
      const told = (await copyText(document.getElementById(button.dataset.copy))) ? copied : select;
      document.getElementById("copied").textContent = told;
      button.textContent = told;
      setTimeout(() => { button.textContent = word; }, 2000);
    });
  }
}

setUp();
