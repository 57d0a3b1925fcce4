"use strict";

// What every page of the console shares.
const consolePage = {
  csrfToken() {
    const field = document.querySelector("input[name=csrfmiddlewaretoken]");
    return field ? field.value : "";
  },

  /** Sends a POST as a form would: the browser follows the redirect. */
  post(address) {
    const form = document.createElement("form");
    form.method = "post";
    form.action = address;
    form.hidden = true;
    const token = document.createElement("input");
    token.name = "csrfmiddlewaretoken";
    token.value = consolePage.csrfToken();
    form.append(token);
    document.body.append(form);
    form.submit();
  },

  /** Calls `work` every `seconds` while the page is visible; one call at a time. */
  every(seconds, work) {
    let busy = false;
    const tick = async () => {
      if (busy || document.visibilityState !== "visible") return;
      busy = true;
      try {
        await work();
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // the network is away: the next time
      } finally {
        busy = false;
      }
    };
    setInterval(tick, seconds * 1000);
    document.addEventListener("visibilitychange", tick);
    return tick;
  },

  /**
   * Asks `address` for what moves, and has it shown. Asks again when that has changed, which a cheap request tells
   * every few seconds (see tools/admin/server_changes.py), and every minute, for its times.
   */
  live(address, show, seconds = 3) {
    let [changes, known, etag, asked] = ["", "", "", -Infinity];
    const ask = async () => {
      const response = await fetch(address, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
      if (response.redirected) location.reload(); // to the login
      changes = response.headers.get("X-Changes") || "";
      if (response.status !== 200 || response.redirected) return;
      etag = response.headers.get("ETag") || "";
      await show(response);
    };
    consolePage.every(seconds, async () => {
      const response = changes ? await fetch(changes, { cache: "no-store" }) : null;
      const now = response && response.ok ? await response.text() : "";
      if (now && now === known && performance.now() - asked < 60000) return;
      asked = performance.now();
      await ask();
      known = now; // as it was before asking: what changed meanwhile is asked for the next time
    });
  },

  /** Changes a pill in place: see core/admin/pills.py. */
  setPill(pill, { word, icon, tone, title }) {
    pill.className = `pill pill-${tone}`;
    pill.title = title;
    pill.querySelector(".material-symbols-outlined").textContent = icon;
    pill.querySelector(".pill-word").textContent = word;
  },
};
window.consolePage = consolePage;

// Links of unfold's actions that change something: see core/admin/buttons.py.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-post]");
  if (!link) return;
  event.preventDefault();
  consolePage.post(link.href);
});

// Parts of a page that move: fetched again every few seconds, and replaced where they have changed.
document.addEventListener("DOMContentLoaded", () => {
  for (const part of document.querySelectorAll("[data-live-fragment]")) {
    consolePage.live(part.dataset.liveFragment, async (response) => {
      const scrolled = new Map();
      for (const box of part.querySelectorAll("[data-keep-scroll]")) {
        const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
        scrolled.set(box.dataset.keepScroll, atEnd ? Infinity : box.scrollTop);
      }
      part.innerHTML = await response.text(); // our own template, which has escaped what servers wrote
      for (const box of part.querySelectorAll("[data-keep-scroll]")) {
        const top = scrolled.get(box.dataset.keepScroll);
        box.scrollTop = top === undefined ? box.scrollHeight : Math.min(top, box.scrollHeight);
      }
    }, Number(part.dataset.liveSeconds) || 3);
    for (const box of part.querySelectorAll("[data-keep-scroll]")) box.scrollTop = box.scrollHeight;
  }
});

// Select2 makes fields of its own, whenever it likes, and names none of them for screen readers.
document.addEventListener("DOMContentLoaded", () => {
  const nameFields = () => {
    for (const container of document.querySelectorAll("select + .select2")) {
      const select = container.previousElementSibling;
      const label = document.querySelector(`label[for="${CSS.escape(select.id)}"]`);
      const name = (label ? label.textContent.trim() : "") || select.getAttribute("aria-label") || select.name;
      const fields = container.querySelectorAll("[role=combobox], [role=searchbox], [role=textbox]");
      for (const field of fields) {
        if (field.getAttribute("aria-label") === name) continue;
        field.removeAttribute("aria-labelledby");
        field.setAttribute("aria-label", name);
      }
    }
  };
  if (!document.querySelector("select.admin-autocomplete")) return;
  nameFields();
  new MutationObserver(nameFields).observe(document.body, { childList: true, subtree: true });
});
