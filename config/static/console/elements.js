/* Makes elements. Whatever text they get becomes a text node. */
"use strict";

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function icon(name) {
  const made = element("span", "material-symbols-outlined", name);
  made.setAttribute("aria-hidden", "true");
  return made;
}

function pill(word, symbol, tone) {
  const made = element("span", `pill pill-${tone}`);
  made.append(icon(symbol), element("span", "pill-word", word));
  return made;
}

/** Changes the word, the icon and the tone of a pill. */
function setWord(state, word, symbol, tone) {
  state.className = `pill pill-${tone}`;
  state.replaceChildren(icon(symbol), element("span", "pill-word", word));
}

/** Puts values into the places of a text that are named like {this}. */
function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
