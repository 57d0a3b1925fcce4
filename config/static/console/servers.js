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
  consolePage.every(3, async () => {
    const response = await fetch(`${config.dataset.liveUrl}?ids=${ids.join(",")}`, { headers: { Accept: "application/json" } });
    if (!response.ok) return;
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
