// Rows of lines and keys: moved by their arrows or by their handles without asking the server, and what is
// not saved is said. It changes the order and the numbers of the rows, nothing else; without it the arrows
// are buttons of the form that do the same.
(function () {
  "use strict";

  var form = document.querySelector("form:has([data-unsaved])");
  if (!form) return;
  var table = form.querySelector("[data-reorder]"), unsaved = form.querySelector("[data-unsaved]");
  var changed = !unsaved.hidden, leaving = false, drag = null;

  function change() {
    changed = true;
    unsaved.hidden = false;
  }

  form.addEventListener("input", change);
  form.addEventListener("submit", function () { leaving = true; });
  form.addEventListener("click", function (event) {
    if (event.target.closest("[data-leaves]")) leaving = true;
  });
  window.addEventListener("pageshow", function () { leaving = false; });
  window.addEventListener("beforeunload", function (event) {
    if (changed && !leaving) event.preventDefault();
  });
  if (!table) return;
  var body = table.tBodies[0], said = form.querySelector("[data-said]");

  function field(row, name) { return row.querySelector('[name$="-' + name + '"]'); }
  function number(row) { return /^\d{1,6}$/.test(field(row, "position").value.trim()) ? +field(row, "position").value : NaN; }
  function isLine(row) { return field(row, "kind").value === "line"; }
  function apart(row) { return table.dataset.keyed !== "yes" && !isLine(row); }
  function peers(row) { return Array.from(body.rows).filter(function (other) { return apart(other) === apart(row); }); }

  // Give rows their new numbers; keys go on calling on the lines that they call on.
  function renumber(numbers) {
    var lines = new Map();
    numbers.forEach(function (to, row) {
      if (isLine(row)) lines.set(String(number(row)), to);
      if (number(row) === to) return;
      field(row, "position").value = to;
      var place = row.querySelector("[data-place]");
      if (place) place.hidden = true;
    });
    Array.from(body.rows).forEach(function (row) {
      var line = field(row, "line");
      if (line && !isLine(row) && lines.has(line.value.trim())) line.value = lines.get(line.value.trim());
    });
  }

  function tell(row) {
    var kind = field(row, "kind"), name = field(row, "label").value || field(row, "value").value;
    name = name || kind.options[kind.selectedIndex].text;
    said.textContent = table.dataset.moved.replace("{key}", number(row)).replace("{name}", name);
    Array.from(body.rows).forEach(function (other, at) {
      other.querySelectorAll("[aria-label]").forEach(function (button) {
        button.setAttribute("aria-label", button.getAttribute("aria-label").replace(/\d+/, at + 1));
      });
      other.querySelectorAll(".in-row .sr").forEach(function (text) {
        text.textContent = text.textContent.replace(/\d+/, at + 1);
      });
    });
    change();
  }

  function step(row, by) {
    var here = number(row), there = Math.max(1, here + by), numbers = new Map([[row, there]]);
    if (isNaN(here) || here === there) return;
    peers(row).forEach(function (other) {
      if (other !== row && number(other) === there) numbers.set(other, here);
    });
    renumber(numbers);
    var next = peers(row).find(function (other) { return other !== row && number(other) > there; });
    var last = peers(row).filter(function (other) { return other !== row; }).pop();
    if (next) body.insertBefore(row, next);
    else if (last) last.after(row);
    tell(row);
  }

  body.addEventListener("click", function (event) {
    var button = event.target.closest("button[name=do]"), what = button && button.value.split("-")[0];
    if (what !== "up" && what !== "down") return;
    event.preventDefault();
    step(button.closest("tr"), what === "up" ? -1 : 1);
    button.focus();
  });

  // Dragging: the rows trade their places, the places stay the same.
  function start(event) {
    var row = event.currentTarget.closest("tr"), held = peers(row);
    if (event.button || held.some(function (other) { return isNaN(number(other)); })) return;
    event.preventDefault();
    drag = { row: row, order: Array.from(body.rows), numbers: held.map(number).sort(function (a, b) { return a - b; }) };
    row.classList.add("is-dragged");
  }

  function over(event) {
    if (!drag) return;
    var others = peers(drag.row).filter(function (other) { return other !== drag.row; });
    var next = others.find(function (other) {
      var box = other.getBoundingClientRect();
      return event.clientY < box.top + box.height / 2;
    });
    if (next && drag.row.nextElementSibling !== next) body.insertBefore(drag.row, next);
    if (!next && others.length && others[others.length - 1] !== drag.row.previousElementSibling) others[others.length - 1].after(drag.row);
    if (event.clientY < 60) window.scrollBy(0, -12);
    if (event.clientY > window.innerHeight - 60) window.scrollBy(0, 12);
  }

  function drop(keep) {
    if (!drag) return;
    var done = drag;
    drag = null;
    done.row.classList.remove("is-dragged");
    if (!keep) return done.order.forEach(function (row) { body.append(row); });
    if (done.order.every(function (row, at) { return row === body.rows[at]; })) return;
    renumber(new Map(peers(done.row).map(function (row, at) { return [row, done.numbers[at]]; })));
    tell(done.row);
  }

  table.querySelectorAll("[data-grip]").forEach(function (grip) {
    grip.hidden = false;
    grip.addEventListener("pointerdown", start);
  });
  // On the page and not on the handle: that one moves with its row, and what moves loses the pointer.
  document.addEventListener("pointermove", over);
  document.addEventListener("pointerup", function () { drop(true); });
  document.addEventListener("pointercancel", function () { drop(false); });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") drop(false);
  });
})();
