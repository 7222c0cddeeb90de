// Elements are made here and only with text: nothing that a model or a client wrote is ever read as HTML.
export const at = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// A table with a caption for those who do not see it, a head and rows of cells: a text, or an element made before.
export function fill(table, caption, titles, rows) {
  const isNumber = (index) => rows[0]?.[index]?.className === "number";
  const head = make("tr", {}, ...titles.map((title, index) => make("th", { scope: "col", class: isNumber(index) ? "number" : "" }, title)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map(cell)));
  table.replaceChildren(make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body));
}

function cell(content) {
  return content instanceof HTMLTableCellElement ? content : make("td", {}, content ?? "");
}

export const number = (text) => make("td", { class: "number" }, text);
export const rowHead = (text) => make("th", { scope: "row" }, text);

// Options of a list; the one that was chosen stays so where it is still there.
export function choose(select, options) {
  const chosen = select.value;
  if (options.map(([value]) => value).join("\n") !== [...select.options].map((o) => o.value).join("\n")) {
    select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
    if (options.some(([value]) => value === chosen)) select.value = chosen;
  }
}

// A line of numbers, the oldest first.
export function line(values, label) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const [most, width] = [Math.max(...values, 1e-9), Math.max(values.length - 1, 1)];
  const points = values.map((value, index) => `${(100 * index) / width},${19 - (18 * value) / most}`).join(" ");
  svg.setAttribute("class", "line");
  svg.setAttribute("viewBox", "0 0 100 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  drawn.setAttribute("points", points);
  drawn.setAttribute("vector-effect", "non-scaling-stroke");
  svg.append(drawn);
  return svg;
}
