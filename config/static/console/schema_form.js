"use strict";

// Fields made from a JSON Schema, which a server wrote: it may be recursive and huge, so the form has bounds.
// Its texts are put into the page by textContent or value.

const MOST_FIELDS = 500;
const DEEPEST = 6;
const MOST_OPTIONS = 500;

class InputError extends Error {}

/** Returns an element with properties and children. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

/**
 * Makes fields from a JSON Schema. A field is {element, read()}: `read` returns the value, or undefined where
 * nothing was given, and throws InputError.
 */
class FormBuilder {
  constructor(root, texts) {
    this.root = root;
    this.texts = texts;
    this.count = 0;
  }

  get isFull() {
    return this.count > MOST_FIELDS;
  }

  /** Follows local references, a bounded number of times; null if they lead nowhere. */
  resolved(schema) {
    let found = schema;
    for (let step = 0; step < 20; step += 1) {
      if (found === null || typeof found !== "object" || Array.isArray(found)) return {};
      if (typeof found.$ref !== "string") return this.merged(found);
      const { $ref, ...beside } = found;
      found = this.at($ref);
      if (found !== null && typeof found === "object") found = { ...found, ...beside };
    }
    return {};
  }

  at(reference) {
    if (!reference.startsWith("#")) return null;
    let found = this.root;
    for (const step of reference.slice(1).split("/").filter(Boolean)) {
      const name = decodeURIComponentSafely(step).replaceAll("~1", "/").replaceAll("~0", "~");
      if (found === null || typeof found !== "object" || !Object.hasOwn(found, name)) return null;
      found = found[name];
    }
    return found;
  }

  /** Joins the properties of `allOf`, one level deep. */
  merged(schema) {
    if (!Array.isArray(schema.allOf)) return schema;
    const { allOf, ...own } = schema;
    const joined = { ...own, properties: { ...own.properties }, required: [...(own.required || [])] };
    for (const each of allOf.slice(0, 20)) {
      const other = each && typeof each.$ref === "string" ? this.at(each.$ref) : each;
      if (other === null || typeof other !== "object") continue;
      Object.assign(joined.properties, other.properties);
      if (Array.isArray(other.required)) joined.required.push(...other.required);
      for (const [name, value] of Object.entries(other)) if (!(name in joined)) joined[name] = value;
    }
    return joined;
  }

  field(given, value, depth, isRequired) {
    this.count += 1;
    const schema = this.resolved(given);
    const initial = value === undefined ? schema.default : value;
    if (this.isFull || depth > DEEPEST) return this.json(initial);
    if ("const" in schema) return { element: make("code", { textContent: JSON.stringify(schema.const) }), read: () => schema.const };
    if (Array.isArray(schema.enum)) return this.choice(schema.enum, initial, isRequired);
    const variants = (schema.oneOf || schema.anyOf || []).filter((each) => this.resolved(each).type !== "null");
    if (variants.length === 1) return this.field({ ...this.resolved(variants[0]), default: initial }, value, depth + 1, isRequired);
    if (variants.length > 1) return this.variants(variants, initial, depth, isRequired);
    const types = Array.isArray(schema.type) ? schema.type.filter((each) => each !== "null") : [schema.type];
    switch (types.length === 1 ? types[0] : "") {
      case "string": return this.text(schema, initial, isRequired);
      case "integer": case "number": return this.number(schema, initial, isRequired);
      case "boolean": return this.choice([true, false], initial, isRequired);
      case "array": return schema.prefixItems || Array.isArray(schema.items) ? this.json(initial) : this.list(schema, initial, depth, isRequired);
      case "object": return this.object(schema, initial, depth, isRequired);
    }
    return schema.properties ? this.object(schema, initial, depth, isRequired) : this.json(initial);
  }

  text(schema, initial, isRequired) {
    const kinds = { email: "email", uri: "url", date: "date", time: "time", password: "password" };
    const isLong = !schema.format && !(schema.maxLength <= 200);
    const input = isLong ? make("textarea", { rows: 1 }) : make("input", { type: kinds[schema.format] || "text" });
    input.className = "field";
    input.value = typeof initial === "string" ? initial : "";
    if (schema.format === "date-time") input.placeholder = "2026-01-31T12:00:00Z";
    if (Array.isArray(schema.examples) && typeof schema.examples[0] === "string") input.placeholder = schema.examples[0].slice(0, 200);
    return { element: input, read: () => (input.value === "" && !isRequired ? undefined : input.value) };
  }

  number(schema, initial, isRequired) {
    const input = make("input", { type: "number", className: "field", step: schema.type === "integer" ? "1" : "any" });
    if (typeof schema.minimum === "number") input.min = schema.minimum;
    if (typeof schema.maximum === "number") input.max = schema.maximum;
    if (typeof initial === "number") input.value = initial;
    return {
      element: input,
      read: () => {
        if (input.validity.badInput) throw new InputError(`${input.ariaLabel || ""} ${this.texts.notNumber}`);
        return input.value === "" ? undefined : Number(input.value);
      },
    };
  }

  choice(values, initial, isRequired) {
    const select = make("select", { className: "field" });
    const known = values.slice(0, MOST_OPTIONS);
    if (!isRequired || initial === undefined) select.append(make("option", { value: "", textContent: this.texts.unset }));
    known.forEach((each, index) => {
      const word = each === true ? this.texts.yes : each === false ? this.texts.no : typeof each === "string" ? each : JSON.stringify(each);
      select.append(make("option", { value: String(index), textContent: word, selected: JSON.stringify(each) === JSON.stringify(initial) }));
    });
    return { element: select, read: () => (select.value === "" ? undefined : known[Number(select.value)]) };
  }

  variants(variants, initial, depth, isRequired) {
    const select = make("select", { className: "field", ariaLabel: this.texts.choice });
    const names = variants.map((each, index) => {
      const { title, type } = this.resolved(each);
      return typeof title === "string" ? title : typeof type === "string" ? type : `${this.texts.variant} ${index + 1}`;
    });
    if (!isRequired) select.append(make("option", { value: "", textContent: this.texts.unset }));
    names.slice(0, MOST_OPTIONS).forEach((name, index) => select.append(make("option", { value: String(index), textContent: name })));
    const place = make("div", { className: "nested" });
    let inner = null;
    const choose = (value) => {
      inner = select.value === "" ? null : this.field(variants[Number(select.value)], value, depth + 1, true);
      place.replaceChildren(...(inner ? [inner.element] : []));
      place.hidden = !inner;
    };
    if (initial !== undefined) {
      const fitting = variants.findIndex((each) => fits(this.resolved(each), initial));
      select.value = String(Math.max(fitting, 0));
    }
    select.addEventListener("change", () => choose(undefined));
    choose(initial);
    return { element: make("div", {}, select, place), read: () => (inner ? inner.read() : undefined) };
  }

  list(schema, initial, depth, isRequired) {
    const items = [];
    const rows = make("div", { className: "nested" });
    const add = (value) => {
      const item = this.field(schema.items || {}, value, depth + 1, true);
      const remove = make("button", { type: "button", className: "text-button", textContent: this.texts.remove });
      const row = make("div", { className: "list-row" }, item.element, remove);
      remove.addEventListener("click", () => {
        items.splice(items.indexOf(item), 1);
        row.remove();
        more.focus();
      });
      items.push(item);
      rows.append(row);
      return item;
    };
    const more = make("button", { type: "button", className: "text-button", textContent: this.texts.add });
    more.addEventListener("click", () => focusIn(add(undefined).element));
    if (Array.isArray(initial)) initial.slice(0, MOST_FIELDS).forEach(add);
    return {
      element: make("div", {}, rows, more),
      read: () => (items.length === 0 && !isRequired ? undefined : items.map((item) => item.read() ?? null)),
    };
  }

  object(schema, initial, depth, isRequired) {
    const known = Object.entries(schema.properties || {});
    const isOpen = known.length === 0 && schema.additionalProperties !== false && depth > 0;
    if (isOpen) return this.json(initial ?? (isRequired ? {} : undefined));
    const box = make("div", { className: depth ? "nested" : "fields" });
    const fields = [];
    const required = new Set(Array.isArray(schema.required) ? schema.required : []);
    for (const [name, given] of known) {
      if (this.isFull) break;
      const inner = this.resolved(given);
      const field = this.field(given, initial && typeof initial === "object" ? initial[name] : undefined, depth + 1, required.has(name));
      fields.push([name, field]);
      box.append(this.labelled(name, inner, field, required.has(name)));
    }
    const read = () => {
      const value = {};
      for (const [name, field] of fields) {
        const found = field.read();
        if (found !== undefined) Object.defineProperty(value, name, { value: found, enumerable: true });
      }
      // What no field is for was written as JSON before.
      if (initial && typeof initial === "object") {
        for (const [name, found] of Object.entries(initial)) {
          if (!fields.some(([each]) => each === name)) Object.defineProperty(value, name, { value: found, enumerable: true });
        }
      }
      return Object.keys(value).length === 0 && !isRequired ? undefined : value;
    };
    return { element: box, read, isEmpty: fields.length === 0 };
  }

  labelled(name, schema, field, isRequired) {
    const id = `inspector-field-${this.count}-${Math.random().toString(36).slice(2)}`;
    const control = field.element.matches("input, select, textarea") ? field.element : null;
    const label = make(control ? "label" : "span", { className: "field-label", textContent: String(name).slice(0, 200) });
    if (isRequired) label.append(make("small", { textContent: ` (${this.texts.required})` }));
    const row = make("div", { className: "field-row" }, label, field.element);
    if (control) {
      control.id = id;
      label.htmlFor = id;
      control.required = isRequired;
    } else {
      row.setAttribute("role", "group");
      row.setAttribute("aria-label", String(name).slice(0, 200));
    }
    if (typeof schema.description === "string" && schema.description) {
      const hint = make("p", { className: "hint", id: `${id}-hint`, textContent: schema.description.slice(0, 1000) });
      if (control) control.setAttribute("aria-describedby", hint.id);
      row.append(hint);
    }
    return row;
  }

  json(initial) {
    const input = make("textarea", { rows: 3, className: "field mono", spellcheck: false, placeholder: this.texts.jsonHint });
    if (initial !== undefined) input.value = JSON.stringify(initial, null, 2);
    return {
      element: input,
      read: () => {
        if (input.value.trim() === "") return undefined;
        try {
          return JSON.parse(input.value);
        } catch (error) {
          throw new InputError(`${this.texts.invalidJson}: ${error.message}`);
        }
      },
    };
  }
}

/** Tells roughly whether a value is of a variant. */
function fits(schema, value) {
  if ("const" in schema) return JSON.stringify(schema.const) === JSON.stringify(value);
  if (Array.isArray(schema.enum)) return schema.enum.some((each) => JSON.stringify(each) === JSON.stringify(value));
  const type = value === null ? "null" : Array.isArray(value) ? "array" : Number.isInteger(value) ? "integer" : typeof value;
  const types = [schema.type].flat();
  if (!types.includes(type) && !(type === "integer" && types.includes("number"))) return false;
  return type !== "object" || Object.keys(value).every((name) => Object.hasOwn(schema.properties || {}, name));
}

function decodeURIComponentSafely(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function focusIn(element) {
  const first = element.matches("input, select, textarea") ? element : element.querySelector("input, select, textarea");
  if (first) first.focus();
}
