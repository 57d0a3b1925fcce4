// Returns what can be focused and looks the same when it is.
() => {
  const LOOKS = ["outlineStyle", "outlineWidth", "outlineColor", "boxShadow", "borderColor", "backgroundColor"];
  const still = document.createElement("style");
  still.textContent = "*, ::before, ::after { transition: none !important; animation: none !important; }";
  document.head.append(still);
  const look = (element) => {
    const seen = [];
    for (let each = element; each && seen.length < 4; each = each.parentElement) {
      const style = getComputedStyle(each);
      seen.push(LOOKS.map((name) => style[name]).join());
    }
    return seen.join("|");
  };
  const isShown = (element) => element.getClientRects().length > 0 && getComputedStyle(element).visibility === "visible";
  const unseen = [];
  for (const element of document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")) {
    if (element.tabIndex < 0 || element.disabled || !isShown(element)) continue;
    document.activeElement.blur();
    const before = look(element);
    element.focus({ preventScroll: true });
    if (document.activeElement === element && look(element) === before) unseen.push(element.outerHTML.slice(0, 200));
  }
  return unseen.slice(0, 5);
}
