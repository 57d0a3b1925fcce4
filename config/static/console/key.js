// The page that shows a new key once: copies it, and forgets it when the page is left, the back button included.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const key = document.getElementById("key");
  const button = document.getElementById("copy-key");
  const told = button.querySelector("[role=status]");

  key.addEventListener("focus", () => key.select());
  button.addEventListener("click", async () => {
    key.select();
    try {
      await navigator.clipboard.writeText(key.value); // there is no clipboard without TLS, but on localhost
      told.textContent = button.dataset.copied;
    } catch {
      told.textContent = document.execCommand("copy") ? button.dataset.copied : button.dataset.failed;
    }
  });
  window.addEventListener("pagehide", () => { key.value = ""; key.removeAttribute("value"); });
});
