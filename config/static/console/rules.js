"use strict";

// The dry run of the rule in the form: see assistants/admin/rules.py.
document.addEventListener("DOMContentLoaded", () => {
  const panel = document.getElementById("dry-run");
  const form = document.getElementById("rule_form");
  if (!panel || !form) return;
  const part = (name) => document.getElementById(`dry-run-${name}`);
  const lost = () => part("result").replaceChildren(Object.assign(document.createElement("p"), { textContent: panel.dataset.lost }));

  part("button").addEventListener("click", async () => {
    part("button").disabled = true;
    part("busy").hidden = false;
    try {
      const response = await fetch(panel.dataset.url, { method: "POST", body: new FormData(form) });
      if (!response.ok || response.redirected) return lost();
      part("result").innerHTML = await response.text(); // our own template, which has escaped what others wrote
    } catch {
      lost();
    } finally {
      part("button").disabled = false;
      part("busy").hidden = true;
    }
  });
});
