"use strict";

// The changes of somebody who approves a call: a form made from the tool's schema (schema_form.js), or JSON, which is
// what is sent. Everything that a server or a caller wrote is put into the page by textContent or value.
document.addEventListener("DOMContentLoaded", () => {
  const holder = document.getElementById("edit-schema");
  if (!holder) return;
  const schema = JSON.parse(holder.textContent);
  const texts = document.getElementById("edit-texts").dataset;
  const part = (name) => document.getElementById(`edit-${name}`);
  const [json, note, fields, label] = [part("json"), part("note"), part("fields"), document.querySelector("label[for=edit-json]")];
  let field = null;

  function press(isForm) {
    part("as-form").setAttribute("aria-pressed", String(isForm));
    part("as-json").setAttribute("aria-pressed", String(!isForm));
    fields.hidden = !isForm;
    json.hidden = label.hidden = isForm;
  }

  /** Reads what is in the field of JSON. Throws InputError. */
  function parsed() {
    let value;
    try {
      value = JSON.parse(json.value);
    } catch (error) {
      throw new InputError(`${texts.invalidJson}: ${error.message}`);
    }
    if (value === null || typeof value !== "object" || Array.isArray(value)) throw new InputError(texts.notObject);
    return value;
  }

  function showForm() {
    const builder = new FormBuilder(schema, texts);
    const made = builder.object(builder.resolved(schema), parsed(), 0, true);
    if (builder.isFull) throw new InputError(texts.tooLarge);
    if (made.isEmpty) throw new InputError(texts.tooLarge);
    field = made;
    fields.replaceChildren(made.element);
    press(true);
  }

  function showJson() {
    if (field) json.value = JSON.stringify(field.read() ?? {}, null, 2);
    field = null;
    press(false);
  }

  /** Does `work`, and tells what is wrong with the input. Returns whether nothing is. */
  function guarded(work) {
    try {
      work();
      return true;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      note.replaceChildren(Object.assign(document.createElement("p"), { className: "observe-bad", textContent: error.message }));
      return false;
    }
  }

  part("as-form").closest("[role=group]").hidden = false;
  part("as-json").addEventListener("click", () => { if (field) guarded(showJson); });
  part("as-form").addEventListener("click", () => { if (!field) guarded(showForm); });
  part("form").addEventListener("submit", (event) => {
    if (field && !guarded(showJson)) event.preventDefault();
  });
  if (!note.textContent.trim() && !guarded(showForm)) note.replaceChildren(); // JSON is what is left
});
