// Phones that are ticked stay ticked over the pages of the list, for as long as the tab is open.
// Without this script the ticks of one page are sent, which is all that the list needs.
(function () {
  "use strict";

  var KEY = "chosen-phones", MOST = 500;

  function read() {
    try { return new Set(JSON.parse(sessionStorage.getItem(KEY) || "[]")); } catch (error) { return new Set(); }
  }

  function keep(chosen) {
    try { sessionStorage.setItem(KEY, JSON.stringify(Array.from(chosen).slice(0, MOST))); } catch (error) { /* full */ }
  }

  function ticks(list) { return Array.from(list.querySelectorAll("tbody input[name=phone]")); }

  function show() {
    var list = document.querySelector("[data-choosing]"), form = document.getElementById("many");
    if (!list || !form) return;
    var chosen = read(), here = ticks(list), codes = new Set(here.map(function (tick) { return tick.value; }));
    here.forEach(function (tick) { tick.checked = chosen.has(tick.value); });
    form.querySelectorAll("input[data-elsewhere-phone]").forEach(function (field) { field.remove(); });
    var elsewhere = Array.from(chosen).filter(function (code) { return !codes.has(code); });
    elsewhere.forEach(function (code) {
      var field = document.createElement("input");
      field.type = "hidden"; field.name = "phone"; field.value = code; field.dataset.elsewherePhone = "";
      form.append(field);
    });
    var said = form.querySelector("[data-elsewhere]");
    said.textContent = elsewhere.length ? " " + said.dataset.words.replace("#", elsewhere.length) : "";
    list.classList.toggle("kept", elsewhere.length > 0);
    var all = list.querySelector("[data-choose-page]"), none = form.querySelector("[data-choose-none]");
    all.hidden = none.hidden = false;
    var box = all.querySelector("input");
    box.checked = here.length > 0 && here.every(function (tick) { return tick.checked; });
    box.indeterminate = !box.checked && here.some(function (tick) { return tick.checked; });
  }

  document.addEventListener("change", function (event) {
    var list = event.target.closest("[data-choosing]");
    if (!list) return;
    var chosen = read(), whole = event.target.closest("[data-choose-page]");
    ticks(list).forEach(function (tick) {
      if (whole) tick.checked = event.target.checked;
      if (tick.checked) chosen.add(tick.value); else chosen.delete(tick.value);
    });
    keep(chosen);
    show();
  });
  document.addEventListener("click", function (event) {
    if (!event.target.closest("[data-choose-none]")) return;
    keep(new Set());
    show();
  });
  document.addEventListener("submit", function (event) {
    var starts = event.submitter && event.submitter.name === "start";
    if (starts && event.target.matches("[data-choosing-done]")) keep(new Set());
  });
  document.addEventListener("htmx:afterSettle", show);
  show();
})();
