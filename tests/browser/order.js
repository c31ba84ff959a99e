// Where the tab key goes against the way people read: what comes later in the page and stands before it.
() => {
  const focusable = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]';
  const hidden = '.sr, [popover]:not(:popover-open), dialog:not([open])';
  const named = (element) => element.outerHTML.slice(0, 90);
  const wrong = [];
  const holders = new Set();
  for (const element of document.querySelectorAll(focusable)) {
    if (element.tabIndex > 0) wrong.push('tabindex: ' + named(element));
    if (!element.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (element.closest(hidden)) continue;
    for (let holder = element; holder && !holders.has(holder); holder = holder.parentElement) {
      holders.add(holder);
    }
  }
  for (const parent of holders) {
    let before = null;
    for (const child of parent.children) {
      if (!holders.has(child)) continue;
      if (['fixed', 'sticky', 'absolute'].includes(getComputedStyle(child).position)) continue;
      const box = child.getBoundingClientRect();
      if (before !== null) {
        const old = before.getBoundingClientRect();
        const above = box.bottom <= old.top + 1;
        const beside = box.top < old.bottom - 1 && old.top < box.bottom - 1;
        if (above || (beside && box.right <= old.left + 1)) {
          wrong.push('order: ' + named(child) + ' stands before ' + named(before));
        }
      }
      before = child;
    }
  }
  return wrong;
}
