"use strict";

// The list of servers: what moves is fetched every few seconds, and changed in place.
document.addEventListener("DOMContentLoaded", () => {
  const config = document.querySelector("[data-live-url]");
  if (!config) return;
  const cells = [...document.querySelectorAll("[data-server][data-live]")];
  const ids = [...new Set(cells.map((cell) => cell.dataset.server))];
  if (ids.length === 0) return;
  const show = (cell, value) => {
    if (cell.dataset.live === "state") {
      consolePage.setPill(cell.querySelector(".pill"), value);
    } else if (cell.dataset.live === "checked") {
      const time = cell.querySelector("time");
      time.textContent = value.text;
      time.title = value.title;
    } else if (cell.textContent !== value) {
      cell.textContent = value;
    }
  };
  consolePage.live(`${config.dataset.liveUrl}?ids=${ids.join(",")}`, async (response) => {
    const { servers } = await response.json();
    for (const cell of cells) {
      const server = servers[cell.dataset.server];
      if (server) show(cell, server[cell.dataset.live]);
    }
  });
});

// Rows of names and values in the form: see templates/console/widgets/pairs.html.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pairs] [data-add], [data-pairs] [data-remove]");
  if (!button) return;
  const rows = button.closest("[data-pairs]");
  if ("add" in button.dataset) addRow(rows);
  else removeRow(button.closest("[data-row]"));
});

// Enter in a row adds the next one, instead of saving the form.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("[data-pairs] input")) return;
  event.preventDefault();
  const next = event.target.closest("[data-row]").nextElementSibling;
  if (next && next.matches("[data-row]")) next.querySelector("input").focus();
  else addRow(event.target.closest("[data-pairs]"));
});

function addRow(rows) {
  const all = rows.querySelectorAll("[data-row]");
  if (all.length >= Number(rows.dataset.most)) return;
  const last = all[all.length - 1];
  const added = last.cloneNode(true);
  for (const input of added.querySelectorAll("input")) {
    input.value = "";
    input.removeAttribute("id");
  }
  last.after(added);
  added.querySelector("input").focus();
}

function removeRow(row) {
  const rows = row.closest("[data-pairs]");
  if (rows.querySelectorAll("[data-row]").length > 1) {
    const near = row.nextElementSibling.matches("[data-row]") ? row.nextElementSibling : row.previousElementSibling;
    row.remove();
    near.querySelector("input").focus();
  } else {
    for (const input of row.querySelectorAll("input")) input.value = "";
    row.querySelector("input").focus();
  }
}

// The connection test of the form: see connector/admin/server_test.py. What the server says is put in by textContent.
document.addEventListener("DOMContentLoaded", () => {
  const panel = document.getElementById("server-test");
  if (!panel) return;
  const part = (name) => panel.querySelector(`[data-${name}]`);
  const texts = panel.dataset;
  const element = (tag, className, text) => Object.assign(document.createElement(tag), { className, textContent: text });

  function notice(kind, ...pairs) {
    const list = document.createElement("dl");
    for (const [term, text] of pairs) list.append(element("dt", "", term), element("dd", "", text));
    const box = element("div", `notice notice-${kind}`, "");
    box.append(list);
    return box;
  }

  function show(answer) {
    const place = part("result");
    place.replaceChildren();
    if (answer.errors) {
      place.append(notice("danger", [texts.settings, ""], ...answer.errors.map((each) => [each.field, each.messages.join(" ")])));
      return;
    }
    if (answer.ok) {
      place.append(notice("success", [`${texts.works} ${answer.count}`, `${answer.seconds} s`]));
    } else {
      place.append(notice("danger", [texts.cause, answer.message], [texts.remedy, answer.remedy]));
    }
    if (answer.warning) place.append(notice("warning", ["", answer.warning]));
    const list = element("ul", "plain-list", "");
    for (const tool of answer.tools || []) {
      const item = element("li", "", "");
      item.append(element("strong", "", tool.name), element("span", "", tool.description ? `: ${tool.description}` : ""));
      list.append(item);
    }
    if ((answer.tools || []).length < answer.count) list.append(element("li", "", texts.more));
    if (list.children.length) place.append(list);
    if (answer.output && !answer.ok) place.append(element("h3", "section-title", texts.output), element("div", "output", answer.output));
  }

  part("test").addEventListener("click", async () => {
    const abort = new AbortController();
    part("cancel").onclick = () => abort.abort();
    part("test").disabled = true;
    part("busy").hidden = false;
    part("result").replaceChildren();
    try {
      const form = document.getElementById("mcptool_form");
      const response = await fetch(texts.url, { method: "POST", body: new FormData(form), signal: abort.signal });
      if (!(response.headers.get("Content-Type") || "").startsWith("application/json")) throw new Error(String(response.status));
      show(await response.json());
    } catch (error) {
      part("result").replaceChildren(notice("danger", ["", abort.signal.aborted ? texts.cancelled : texts.lost]));
    } finally {
      part("test").disabled = false;
      part("busy").hidden = true;
    }
  });
});
