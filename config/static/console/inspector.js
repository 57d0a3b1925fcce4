"use strict";

// The inspector: a form (schema_form.js), the call, and its result. Everything that a server wrote is put into
// the page by textContent or value.

function start() {
  const holder = document.getElementById("inspector-data");
  if (!holder) return;
  const data = JSON.parse(holder.textContent);
  const texts = { ...document.getElementById("inspector-texts").dataset, ...document.getElementById("inspector-more-texts").dataset };
  const part = (name) => document.getElementById(`inspector-${name}`);
  const note = (text) => { part("note").textContent = text; };

  let field = null;
  let asJson = false;

  function showForm(value) {
    asJson = false;
    part("json").hidden = true;
    part("fields").hidden = false;
    part("fields").replaceChildren();
    const builder = new FormBuilder(data.schema, texts);
    field = builder.object(builder.resolved(data.schema), value, 0, true);
    part("fields").append(field.element);
    part("as-form").setAttribute("aria-pressed", "true");
    part("as-json").setAttribute("aria-pressed", "false");
    note(builder.isFull ? texts.tooLarge : field.isEmpty ? texts.noArguments : "");
    if (builder.isFull) showJson(value || {});
  }

  function showJson(value) {
    asJson = true;
    part("fields").hidden = true;
    part("json").hidden = false;
    part("json").value = JSON.stringify(value, null, 2);
    part("as-form").setAttribute("aria-pressed", "false");
    part("as-json").setAttribute("aria-pressed", "true");
  }

  function read() {
    if (!asJson) return field.read() ?? {};
    let value;
    try {
      value = JSON.parse(part("json").value || "{}");
    } catch (error) {
      throw new InputError(`${texts.invalidJson}: ${error.message}`);
    }
    if (value === null || typeof value !== "object" || Array.isArray(value)) throw new InputError(texts.notObject);
    return value;
  }

  /** Runs `work`, and tells what is wrong with the input. */
  function guarded(work) {
    try {
      note("");
      return work();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      note(error.message);
      return undefined;
    }
  }

  if (data.schema === null) {
    showJson({});
    note(texts.tooLarge);
    part("as-form").disabled = true;
  } else {
    showForm(undefined);
  }
  part("as-json").addEventListener("click", () => { if (!asJson) guarded(() => showJson(read())); });
  part("as-form").addEventListener("click", () => { if (asJson) guarded(() => showForm(read())); });

  part("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = guarded(read);
    if (given === undefined) return;
    const needsConsent = data.kind === "tool" && !data.is_read_only;
    if (needsConsent && !(await confirmed(part("confirm")))) return;
    await run(given, needsConsent);
  });

  async function run(given, isConfirmed) {
    const abort = new AbortController();
    const cancel = () => abort.abort();
    const began = performance.now();
    const tick = () => { part("clock").textContent = `${((performance.now() - began) / 1000).toFixed(0)} ${texts.seconds} ${data.deadline_s} s`; };
    const timer = setInterval(tick, 500);
    tick();
    part("run").disabled = true;
    part("busy").hidden = false;
    part("cancel").addEventListener("click", cancel);
    try {
      const response = await fetch(data.address, {
        method: "POST",
        signal: abort.signal,
        headers: { "Content-Type": "application/json", "X-CSRFToken": consolePage.csrfToken() },
        body: JSON.stringify({ kind: data.kind, id: data.id, arguments: given, confirmed: isConfirmed }),
      });
      const answer = await response.json();
      showResult(part("result"), response.ok ? answer : { refused: answer.message || texts.lost }, texts);
    } catch (error) {
      showResult(part("result"), { refused: abort.signal.aborted ? texts.cancelled : texts.lost }, texts);
    } finally {
      clearInterval(timer);
      part("run").disabled = false;
      part("busy").hidden = true;
      part("cancel").removeEventListener("click", cancel);
    }
  }
}

/** Asks in a dialog; Escape means no. */
function confirmed(dialog) {
  return new Promise((resolve) => {
    const answer = (event) => {
      const button = event.target.closest("[data-answer]");
      if (button) dialog.close(button.dataset.answer);
    };
    dialog.returnValue = "no";
    dialog.addEventListener("click", answer);
    dialog.addEventListener("close", () => {
      dialog.removeEventListener("click", answer);
      resolve(dialog.returnValue === "yes");
    }, { once: true });
    dialog.showModal();
  });
}

function showResult(place, answer, texts) {
  const word = answer.refused ? texts.refused : answer.failure ? texts.failed : answer.is_error ? texts.isError : texts.result;
  const isBad = Boolean(answer.refused || answer.failure || answer.is_error);
  const head = make("div", { className: "card-head" }, make("h2", { className: "section-title", textContent: word }));
  if (answer.duration_ms !== undefined) head.append(make("span", { className: "hint", textContent: `${answer.duration_ms} ${texts.ms}` }));
  place.replaceChildren(head);
  place.classList.toggle("is-error", isBad);
  const message = answer.refused || answer.failure;
  if (message) place.append(make("p", { textContent: message }));
  const parts = answer.parts || [];
  if (!message && parts.length === 0) place.append(make("p", { textContent: texts.empty }));
  for (const each of parts) place.append(...shownPart(each, texts));
  place.hidden = false;
  place.scrollIntoView({ block: "nearest" });
}

function shownPart({ kind, title, text }, texts) {
  const heading = make("h3", { className: "section-title", textContent: title });
  if (kind === "image") return [heading, make("img", { src: text, alt: texts.image, className: "result-image" })];
  const output = make("div", { className: "output", textContent: text, tabIndex: 0 });
  if (kind !== "html") return [heading, output];
  const toggle = make("button", { type: "button", className: "button", textContent: texts.asPage });
  let frame = null;
  toggle.addEventListener("click", () => {
    if (frame) {
      frame.replaceWith(output);
      frame = null;
      toggle.textContent = texts.asPage;
      return;
    }
    // No scripts, no forms, no origin; this page's policy, which it inherits, lets it load nothing from elsewhere.
    frame = make("iframe", { className: "result-frame", title });
    frame.setAttribute("sandbox", "");
    frame.srcdoc = text;
    output.replaceWith(frame);
    toggle.textContent = texts.asText;
  });
  return [heading, make("div", { className: "toolbar" }, toggle), output];
}

document.addEventListener("DOMContentLoaded", start);
