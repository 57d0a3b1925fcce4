/* Needs you: the count in the sidebar follows the part of the page that moves. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const part = document.getElementById("waiting-calls");
  if (!part) return;
  const show = () => {
    const count = part.querySelector("[data-badge]")?.dataset.badge;
    if (count === undefined) return;
    for (const link of document.querySelectorAll("a[href]")) {
      if (link.getAttribute("href") !== location.pathname) continue;
      const [, title, badge] = link.querySelectorAll(":scope > span");
      if (badge) Object.assign(badge, { textContent: count, hidden: !count });
      else if (title && count) title.after(Object.assign(document.createElement("span"), { className: "inbox-badge", textContent: count }));
    }
  };
  new MutationObserver(show).observe(part, { childList: true });
});
