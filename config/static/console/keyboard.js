"use strict";

(() => {
  // What unfold lets a mouse click that is neither a button nor a link: menus of rows, the sidebar, the account menu.
  // Each can be focused here, has a name, and is pressed by Enter and the space bar.
  const CLICKED = "[x-on\\:click]:is(span, div, td, a:not([href]))";
  const NAMES = { more_horiz: "more", dock_to_right: "sidebar", close: "close", expand_more: "details", keyboard_arrow_down: "details" };

  const texts = () => document.getElementById("search-button")?.dataset || {};
  const isShown = (element) => element.getClientRects().length > 0;

  /** Returns the menu that an element opens: beside it, or where unfold moves it, at the end of the page. */
  const menuOf = (opener) =>
    [...opener.parentElement.querySelectorAll("nav"), ...document.querySelectorAll("body > nav")].find(isShown);

  const close = (opener) => {
    document.body.click(); // unfold closes a menu on a click outside
    opener.focus();
  };

  function steer(event, menu, opener) {
    const links = [...menu.querySelectorAll("a, button")].filter(isShown);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const next = links.indexOf(document.activeElement) + step;
      links.at(next % links.length).focus();
    } else if (event.key === "Escape") {
      close(opener);
    } else if (event.key === "Tab") {
      close(opener); // goes on from there
      return;
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Moves the focus into the menu that was opened, as soon as it is shown. */
  function enter(opener, tries = 20) {
    const menu = menuOf(opener);
    const first = menu?.querySelector("a, button");
    if (!first) {
      if (tries) setTimeout(enter, 50, opener, tries - 1);
      return;
    }
    first.focus();
    if (menu.dataset.steered) return;
    menu.dataset.steered = "true";
    menu.addEventListener("keydown", (event) => steer(event, menu, opener));
  }

  function makeButton(clicked) {
    const button = clicked.tagName === "TD" ? clicked.querySelector("span") : clicked;
    const icon = button?.textContent.trim();
    if (!icon || button.dataset.pressed) return;
    button.dataset.pressed = "true";
    button.setAttribute("role", "button");
    button.tabIndex = 0;
    if (NAMES[icon]) button.setAttribute("aria-label", texts()[NAMES[icon]] || icon);
    for (const part of button.querySelectorAll(".material-symbols-outlined")) {
      if (part.textContent.trim() !== icon) part.setAttribute("aria-hidden", "true");
    }
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      button.click();
      setTimeout(enter, 50, button);
    });
  }

  const makeButtons = () => document.querySelectorAll(CLICKED).forEach(makeButton);
  document.addEventListener("DOMContentLoaded", makeButtons);
  document.addEventListener("alpine:initialized", makeButtons);
})();
