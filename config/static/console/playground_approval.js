/* A call in the playground that waits for approval: who may decide about it does so in place. */
"use strict";

class ApprovalBox {
  /** `decided` is called once a decision was made here. */
  constructor({ number }, texts, decided) {
    this.texts = texts;
    this.number = number;
    this.decided = decided;
    this.node = element("div", "c-approval");
    this.told = element("p", "", fill(texts.waitsFor, { number }));
    this.told.setAttribute("role", "status");
    this.node.append(this.told);
    if (texts.decide) this.node.append(this.form());
    if (texts.approval) {
      const link = element("a", "", texts.look);
      link.href = texts.approval.replace("/0/", `/${number}/`);
      link.target = "_blank";
      this.node.append(link);
    }
  }

  form() {
    this.buttons = element("div", "c-row");
    const reason = element("input", "c-input");
    reason.placeholder = this.texts.reason;
    reason.setAttribute("aria-label", this.texts.reason);
    const button = (word, symbol, className, decision) => {
      const made = element("button", `c-button ${className}`);
      made.type = "button";
      made.append(icon(symbol), word);
      made.addEventListener("click", () => this.decide(decision, reason.value));
      return made;
    };
    this.buttons.append(button(this.texts.approve, "check", "c-primary", "approve"), reason, button(this.texts.reject, "block", "", "reject"));
    return this.buttons;
  }

  async decide(decision, reason) {
    const body = new URLSearchParams({ do: decision, reason });
    for (const each of this.buttons.children) each.disabled = true;
    try {
      const headers = { "x-csrftoken": consolePage.csrfToken() };
      const response = await fetch(this.texts.decide.replace("/0/", `/${this.number}/`), { method: "POST", headers, body });
      const isJson = response.headers.get("content-type")?.startsWith("application/json");
      this.told.textContent = isJson ? (await response.json()).message || this.texts[decision === "approve" ? "approved" : "rejected"] : this.texts.loggedOut;
      const isDecided = isJson && response.status !== 422; // a reason that cannot be told may be corrected
      this.buttons.hidden = isDecided;
      if (isDecided) this.decided();
    } catch {
      this.told.textContent = this.texts.lost;
    }
    for (const each of this.buttons.children) each.disabled = false;
  }

  /** The run has learnt what was decided. */
  end() {
    this.node.remove();
  }
}
