// A slider beside the field that counts: <input type="range" data-slides="#field" hidden>. Without this the field
// alone is there. What belongs to the slider, such as its numbers, carries data-slider-part; data-chooses names
// the radio button that the slider stands for.
(function () {
  "use strict";
  document.querySelectorAll("input[type=range][data-slides]").forEach(function (slider) {
    var field = document.querySelector(slider.dataset.slides);
    if (!field) return;
    slider.value = field.value || slider.value;
    slider.hidden = false;
    slider.parentElement.querySelectorAll("[data-slider-part]").forEach(function (part) { part.hidden = false; });
    var choice = slider.dataset.chooses && document.querySelector(slider.dataset.chooses);
    slider.addEventListener("input", function () {
      field.value = slider.value;
      if (choice) choice.checked = true;
    });
    field.addEventListener("input", function () { if (field.value) slider.value = field.value; });
  });
})();
