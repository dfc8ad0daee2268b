// Elements made of plain values. Text goes in as text only: nothing here, or anywhere on this page, reads markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element: attributes by name, `class` and `on...` too; children are elements or texts. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else set(element, name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Sets an attribute where it is another one; null takes it away. */
export function set(element, name, value) {
  if (value === null || value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/** Sets a text where it is another one, so that nothing is painted or read aloud twice. */
export function say(element, text) {
  const words = text === null || text === undefined ? "" : String(text);
  if (element.textContent !== words) element.textContent = words;
}

/**
 * Makes the children of `parent` show `items`, in their order. What has the same key stays the same element, so that
 * focus, selection and open details are kept.
 */
export function list(parent, items, key, make, update) {
  const kept = parent.kept ?? (parent.kept = new Map());
  const seen = new Set();
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    if (seen.has(name)) continue;
    seen.add(name);
    let child = kept.get(name);
    if (child === undefined) {
      child = make(item);
      kept.set(name, child);
    }
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const [name, child] of kept) {
    if (seen.has(name)) continue;
    child.remove();
    kept.delete(name);
  }
}
