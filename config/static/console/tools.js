/* The picker of an assistant's tools. Names of servers and tools are put into the page as text alone. */
"use strict";

const picker = document.getElementById("picker");
const texts = picker.dataset;
const mayChange = Boolean(texts.mayChange);
const limits = JSON.parse(document.getElementById("limits").textContent);
const uses = new Map(JSON.parse(document.getElementById("uses").textContent).map((use) => [use.id, use]));
const [find, found, chosen] = ["find", "found", "chosen"].map((id) => document.getElementById(id));
const stored = serialized();
let shownServers = [];
let isSaving = false;

function state(problem) {
  return problem ? pill(problem, "warning", "warning") : pill(texts.ready, "check_circle", "success");
}

function button(word, label, onClick, options = {}) {
  const made = element("button", "c-button", word);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.disabled = !mayChange || Boolean(options.disabled);
  if (options.pressed !== undefined) made.setAttribute("aria-pressed", String(options.pressed));
  if (options.key) made.dataset.key = options.key;
  made.addEventListener("click", onClick);
  return made;
}

function serialized() {
  const rows = [...uses.values()].map(({ id, functions, pinned }) => ({ server: id, functions, pinned }));
  return JSON.stringify(rows.sort((one, other) => one.server - other.server));
}

function tell(text) {
  document.getElementById("told").textContent = text;
}

/* --- changes --- */

function addServer(server) {
  uses.set(server.id, { ...server, functions: null, pinned: uses.get(server.id)?.pinned ?? [] });
  render();
}

function removeServer(id) {
  uses.delete(id);
  render();
}

function addFunction(server, name) {
  const use = uses.get(server.id);
  if (use && use.functions === null) return;
  const functions = [...(use?.functions ?? []), name];
  if (functions.length > limits.functions) return tell(texts.mostFunctions);
  uses.set(server.id, { ...server, pinned: use?.pinned ?? [], functions });
  render();
}

function removeFunction(id, name) {
  const use = uses.get(id);
  use.functions = use.functions.filter((each) => each !== name);
  use.pinned = use.pinned.filter((each) => each !== name);
  if (!use.functions.length) uses.delete(id);
  render();
}

function togglePin(id, name) {
  const use = uses.get(id);
  const isPinned = use.pinned.includes(name);
  if (!isPinned && use.pinned.length >= limits.pinned) return tell(texts.mostPinned);
  use.pinned = isPinned ? use.pinned.filter((each) => each !== name) : [...use.pinned, name];
  render();
}

/* --- what is shown --- */

function render() {
  const focused = document.activeElement?.dataset?.key;
  renderChosen();
  renderFound();
  document.getElementById("unsaved").hidden = serialized() === stored;
  if (focused) document.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
}

function heading(server, ...more) {
  const line = element("div", "c-server");
  const name = element("h3", "c-grow", server.name);
  line.append(name, state(server.problem), ...more);
  return line;
}

function renderChosen() {
  const cards = [...uses.values()].map(chosenServer);
  chosen.replaceChildren(...(cards.length ? cards : [element("p", "c-empty", texts.none)]));
}

function chosenServer(use) {
  const card = element("div", "c-card");
  const remove = button(texts.remove, fill(texts.removeName, { name: use.name }), () => removeServer(use.id));
  const names = use.functions ?? use.pinned;
  const about = use.functions === null ? texts.all : fill(texts.some, { count: names.length, all: use.count });
  card.append(heading(use, remove), element("p", "c-help", about));
  const list = element("ul", "c-list");
  for (const name of names) {
    const row = element("li");
    const isPinned = use.pinned.includes(name);
    const pin = button(isPinned ? texts.pinned : texts.pin, fill(texts.pinName, { name }), () => togglePin(use.id, name), {
      pressed: isPinned, key: `pin ${use.id} ${name}`,
    });
    row.append(element("code", "c-grow", name), pin);
    if (use.functions !== null) {
      row.append(button(texts.remove, fill(texts.removeName, { name }), () => removeFunction(use.id, name)));
    }
    list.append(row);
  }
  if (names.length) card.append(list);
  return card;
}

function renderFound() {
  const cards = shownServers.map(foundServer);
  const nothing = find.value.trim() ? texts.nothing : texts.noServer;
  found.replaceChildren(...(cards.length ? cards : [element("p", "c-empty", nothing)]));
}

function foundServer(server) {
  const card = element("div", "c-card");
  const isWhole = uses.get(server.id)?.functions === null;
  const add = button(isWhole ? texts.added : texts.addServer, fill(texts.addName, { name: server.name }), () => addServer(server), {
    disabled: isWhole, key: `server ${server.id}`,
  });
  card.append(heading(server, add));
  const about = element("div", "c-row");
  about.append(element("span", "c-help", fill(texts.tools, { count: server.count })));
  if (!server.functions.length && server.count) {
    const open = button(texts.show, "", () => showTools(server), { key: `show ${server.id}` });
    open.disabled = false;
    about.append(open);
  }
  card.append(about);
  if (server.functions.length) card.append(foundFunctions(server, isWhole));
  return card;
}

function foundFunctions(server, isWhole) {
  const list = element("ul", "c-list");
  const use = uses.get(server.id);
  for (const { name, description, problem } of server.functions) {
    const row = element("li");
    const about = element("div", "c-grow");
    about.append(element("code", "", name));
    if (problem) about.append(" ", state(problem));
    about.append(element("p", "c-help c-about", description));
    const isAdded = isWhole || Boolean(use?.functions?.includes(name));
    const add = button(isAdded ? texts.added : texts.add, fill(texts.addName, { name }), () => addFunction(server, name), {
      disabled: isAdded, key: `add ${server.id} ${name}`,
    });
    row.append(about);
    if (isWhole) {
      const isPinned = use.pinned.includes(name);
      row.append(button(isPinned ? texts.pinned : texts.pin, fill(texts.pinName, { name }), () => togglePin(server.id, name), {
        pressed: isPinned, key: `find-pin ${server.id} ${name}`,
      }));
    } else {
      row.append(add);
    }
    list.append(row);
  }
  return list;
}

/* --- the search --- */

let asked = 0;

async function ask(parameters) {
  const mine = ++asked;
  found.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(`${texts.search}?${new URLSearchParams(parameters)}`, { headers: { accept: "application/json" } });
    if (!response.ok) throw new Error(String(response.status));
    const { servers } = await response.json();
    return mine === asked ? servers : null;
  } catch {
    if (mine === asked) found.replaceChildren(element("p", "c-note c-danger", texts.failed));
    return null;
  } finally {
    if (mine === asked) found.setAttribute("aria-busy", "false");
  }
}

async function search() {
  const servers = await ask({ q: find.value.trim() });
  if (servers) {
    shownServers = servers;
    renderFound();
  }
}

async function showTools(server) {
  const servers = await ask({ server: server.id });
  if (servers?.length) {
    server.functions = servers[0].functions;
    render();
    found.querySelector(`[data-key^="add ${server.id} "], [data-key^="find-pin ${server.id} "]`)?.focus();
  }
}

let waiting;
find.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(search, 250);
});

picker.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !(event.target === find || found.contains(event.target))) return;
  const stops = [find, ...found.querySelectorAll("button:not(:disabled)")];
  const next = stops[stops.indexOf(event.target) + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
});

document.getElementById("save")?.addEventListener("submit", (event) => {
  isSaving = true;
  event.target.elements.uses.value = serialized();
});

addEventListener("beforeunload", (event) => {
  if (!isSaving && serialized() !== stored) event.preventDefault();
});

render();
search();
