// What refreshes itself by htmx: a flag when that stops working, folds that were open stay open.
// Mark the element that refreshes with data-stale="#flag"; the flag is hidden and may hold a [data-since].
(function () {
  "use strict";

  function flag(event) {
    var from = event.target.closest && event.target.closest("[data-stale]");
    return from && document.querySelector(from.dataset.stale);
  }

  function failed(event) {
    var shown = flag(event);
    if (shown) shown.hidden = false;
  }

  var open = [];

  document.addEventListener("htmx:sendError", failed);
  document.addEventListener("htmx:timeout", failed);
  document.addEventListener("htmx:responseError", failed);
  document.addEventListener("htmx:afterOnLoad", function (event) {
    var shown = flag(event);
    if (!shown || event.detail.failed) return;
    shown.hidden = true;
    var at = document.querySelector("[data-at]"), since = shown.querySelector("[data-since]");
    if (at && since) since.textContent = at.dataset.at;
  });
  document.addEventListener("htmx:beforeSwap", function (event) {
    open = Array.from(event.detail.target.querySelectorAll("details[open][id]"), function (fold) { return fold.id; });
  });
  document.addEventListener("htmx:afterSwap", function () {
    open.forEach(function (id) {
      var fold = document.getElementById(id);
      if (fold) fold.open = true;
    });
    open = [];
  });
})();
