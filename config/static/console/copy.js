"use strict";

// Buttons that copy the text of an element: <button data-copy="its id" data-copied="what to say then">.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  const word = button.querySelector("[data-word]") ?? button;
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    // Browsers give the clipboard to https and localhost alone: the text is selected, to be copied by hand.
    getSelection().selectAllChildren(source);
    return;
  }
  const before = word.textContent;
  word.textContent = button.dataset.copied;
  setTimeout(() => { word.textContent = before; }, 2000);
});
