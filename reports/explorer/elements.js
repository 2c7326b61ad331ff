// Makes elements from names, attributes and children: text from the database is only ever text, never HTML.
// Plain SVG and no d3: of its 280 kB the page would use scales, ticks and a brush, which are some 60 lines here.

const home = document.querySelector(".explorer");
const SVG = home.querySelector("svg").namespaceURI;
const find = (selector) => home.querySelector(selector);

function make(name, attributes, ...children) {
  return dress(document.createElement(name), attributes, children);
}

function draw(name, attributes, ...children) {
  return dress(document.createElementNS(SVG, name), attributes, children);
}

function dress(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat(2).filter((child) => child || child === 0));
  return element;
}

// Rebuilds a part of the page; who had the focus in it has it again, by the name in data-key.
function rebuild(container, ...children) {
  const active = document.activeElement;
  const key = container.contains(active) ? active.dataset.key : undefined;
  container.replaceChildren(...children.flat().filter(Boolean));
  if (key !== undefined) [...container.querySelectorAll("[data-key]")].find((e) => e.dataset.key === key)?.focus();
}

function facts(pairs) {
  return make("dl", {}, pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function numberCell(value) {
  return make("td", { class: "number" }, value);
}
