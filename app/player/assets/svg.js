// Pictures in SVG, made element by element: text from data goes in as text.

export function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function makeText(x, y, text, attributes = {}) {
  return makeSvg("text", { x, y, ...attributes }, text);
}

export function makeElement(name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

// plotly's names of dashes as SVG has them
const DASHES = { solid: "", dot: "1.5 3.5", dash: "6 4", longdash: "10 4", dashdot: "7 3 2 3", longdashdot: "10 3 2 3" };

export function dashOf(name) {
  return DASHES[name] ?? "";
}

const ruler = document.createElement("canvas").getContext("2d");

export function measureText(text, font) {
  ruler.font = font;
  return ruler.measureText(text).width;
}

// The text, cut with an ellipsis where it is wider than `room` px.
export function cutText(text, room, font) {
  if (measureText(text, font) <= room) return text;
  let end = text.length;
  while (end > 1 && measureText(`${text.slice(0, end)}\u2026`, font) > room) end--;
  return `${text.slice(0, end).trimEnd()}\u2026`;
}

// Places in px, pushed apart to at least `gap` and kept between `low` and `high`; in the order given.
export function pushApart(places, gap, low, high) {
  const order = places.map((place, i) => ({ place, i })).sort((p, q) => p.place - q.place);
  let least = low;
  for (const one of order) {
    one.place = Math.max(one.place, least);
    least = one.place + gap;
  }
  let most = high;
  for (const one of order.reverse()) {
    one.place = Math.min(one.place, most);
    most = one.place - gap;
  }
  const out = [];
  for (const { place, i } of order) out[i] = place;
  return out;
}

// .90 as the field writes it, without the zero.
export function formatShare(value, digits = 2) {
  return value.toFixed(digits).replace(/^(-?)0\./, "$1.").replace("-", "\u2212");
}

export function formatChange(value, digits = 3) {
  return `${value > 0 ? "+" : ""}${formatShare(value, digits)}`;
}
