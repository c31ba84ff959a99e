// Keys on the approvals page: J and K move from card to card, A S D Q answer the one with the focus.
// They never fire while somebody types, nor with a modifier, and can be switched off (kept in this browser).
// Site and quarantine open their question first; nothing here answers without a button of the page.
(function () {
  "use strict";

  var KEPT = "latchkey.approval-keys";
  var help = document.getElementById("keys"), choice = document.getElementById("keys-on");
  var list = document.getElementById("cards");
  var last = null;
  if (!help || !choice || !list) return;

  function remembered() {
    try { return window.localStorage.getItem(KEPT) !== "off"; } catch (error) { return true; }
  }

  function show() {
    list.querySelectorAll("kbd[hidden]").forEach(function (key) { key.hidden = !choice.checked; });
  }

  function cards() { return Array.from(list.querySelectorAll("[data-card]")); }

  function focused() {
    var at = document.activeElement;
    return at && at.closest ? at.closest("[data-card]") : null;
  }

  function move(step) {
    var all = cards(), at = all.indexOf(focused() || last);
    var next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + step))];
    if (next) {
      next.focus();
      next.scrollIntoView({ block: "nearest" });
    }
  }

  function answer(card, key) {
    var part = card.querySelector("[data-answer=" + key + "]");
    if (!part || part.disabled) return false;
    if (part.tagName === "DETAILS") {
      part.open = true;
      part.querySelector("input:not([type=hidden]), button").focus();
    } else {
      part.click();
    }
    return true;
  }

  function types(element) {
    return element.matches("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
  }

  document.addEventListener("keydown", function (event) {
    if (!choice.checked || event.defaultPrevented || event.repeat) return;
    if (event.ctrlKey || event.altKey || event.metaKey || types(event.target)) return;
    var key = event.key.toLowerCase(), card = focused(), done = true;
    if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "?") help.open = !help.open;
    else if (card && "asdq".includes(key)) done = answer(card, key);
    else return;
    if (done) event.preventDefault();
  });

  list.addEventListener("focusin", function () { last = focused(); });
  // An answered card has no buttons any more: the focus stays with the card, so that J goes on from there.
  document.addEventListener("htmx:oobAfterSwap", function () {
    show();
    if (document.activeElement === document.body && last && last.isConnected) last.focus();
  });
  choice.addEventListener("change", function () {
    list.querySelectorAll("kbd").forEach(function (key) { key.hidden = !choice.checked; });
    try { window.localStorage.setItem(KEPT, choice.checked ? "on" : "off"); } catch (error) { /* not kept */ }
  });

  choice.checked = remembered();
  help.hidden = false;
  show();
})();
