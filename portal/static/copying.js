// Copy buttons: `data-copy` names what to copy, `data-copied` is what the button says then. Without this
// script the buttons stay hidden and the text can be selected.
for (const button of document.querySelectorAll("button[data-copy]")) {
  const source = document.querySelector(button.dataset.copy);
  if (!source) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = ("value" in source ? source.value : source.textContent).trim();
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // No clipboard without https, or the browser asks first: select it, so that the keyboard can copy.
      getSelection().selectAllChildren(source);
      return;
    }
    button.lastChild.textContent = button.dataset.copied;
  });
}
