/* A small Markdown: paragraphs, headings, lists, code, bold. It makes elements and text nodes, never HTML. */
"use strict";

const FENCE = /^\s*(```|~~~)/;
const HEADING = /^#{1,6}\s+(.*)$/;
const ITEM = /^\s*(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*/g;

function appendInline(parent, text) {
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    parent.append(text.slice(at, match.index));
    const element = document.createElement(match[1] !== undefined ? "code" : "strong");
    element.textContent = match[1] ?? match[2];
    parent.append(element);
    at = match.index + match[0].length;
  }
  parent.append(text.slice(at));
}

function block(tag, text) {
  const element = document.createElement(tag);
  appendInline(element, text);
  return element;
}

function codeBlock(lines, from) {
  const fence = lines[from].match(FENCE)[1];
  let to = from + 1;
  while (to < lines.length && !lines[to].trimStart().startsWith(fence)) to += 1;
  const pre = document.createElement("pre");
  const code = document.createElement("code");
  code.textContent = lines.slice(from + 1, to).join("\n");
  pre.append(code);
  return [pre, to + 1];
}

function list(lines, from) {
  const isOrdered = lines[from].match(ITEM)[1] !== undefined;
  const element = document.createElement(isOrdered ? "ol" : "ul");
  if (isOrdered) element.start = Number(lines[from].match(ITEM)[1]);
  let to = from;
  for (let item; to < lines.length && (item = lines[to].match(ITEM)); to += 1) {
    if ((item[1] !== undefined) !== isOrdered) break;
    element.append(block("li", item[2]));
  }
  return [element, to];
}

function paragraph(lines, from) {
  let to = from;
  while (to < lines.length && lines[to].trim() && !(to > from && startsBlock(lines[to]))) to += 1;
  return [block("p", lines.slice(from, to).join("\n")), to];
}

function startsBlock(line) {
  return FENCE.test(line) || HEADING.test(line) || ITEM.test(line);
}

/** Returns the elements for a text. */
function renderMarkdown(text) {
  const lines = text.split("\n");
  const elements = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at];
    let element;
    if (!line.trim()) {
      at += 1;
      continue;
    }
    if (FENCE.test(line)) [element, at] = codeBlock(lines, at);
    else if (HEADING.test(line)) [element, at] = [block("h4", line.match(HEADING)[1]), at + 1];
    else if (ITEM.test(line)) [element, at] = list(lines, at);
    else [element, at] = paragraph(lines, at);
    elements.push(element);
  }
  return elements;
}
