// Where the tab key goes against the way people read: what comes later in the page and stands before it.
() => {
  const focusable = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]';
  const seen = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && !element.closest('.sr, [popover]:not(:popover-open), dialog:not([open])');
  const wrong = [];
  const named = (element) => element.outerHTML.slice(0, 90);
  for (const element of document.querySelectorAll('[tabindex]')) {
    if (element.tabIndex > 0) wrong.push('tabindex: ' + named(element));
  }
  const walk = (parent) => {
    const children = [...parent.children].filter((child) => seen(child)
      && !['fixed', 'sticky', 'absolute'].includes(getComputedStyle(child).position)
      && (child.matches(focusable) || [...child.querySelectorAll(focusable)].some(seen)));
    let before = null;
    for (const child of children) {
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
      walk(child);
    }
  };
  walk(document.body);
  return wrong;
}
