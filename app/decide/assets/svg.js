// Pictures in SVG, made element by element: text from data goes in as text.

export function makeSvg(name, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export function makeElement(name, className = "", text = "") {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

export function fill(text, words) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => words[name] ?? whole);
}

// .61, 1, 0: a share without the zero before its point.
export function formatShare(value, digits = 2) {
  if (!Number.isFinite(value)) return "\u2013";
  const text = value.toFixed(digits);
  return Number(text) === 0 ? "0" : text.replace(/^(-?)0\./, "$1.").replace(/^1\.0*$/, "1").replace("-", "\u2212");
}

// 3,640; 3.1; .042: three digits that count.
export function formatNumber(value) {
  if (!Number.isFinite(value)) return "\u2013";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en").replace("-", "\u2212");
  const text = String(Number(value.toPrecision(size >= 10 ? 3 : 2)));
  return text.includes("e") ? value.toFixed(6) : text.replace(/^(-?)0\./, "$1.").replace("-", "\u2212");
}

// 10k, 1.5m: the end of an axis.
export function formatEnd(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}m`.replace("-", "\u2212");
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`.replace("-", "\u2212");
  return formatNumber(value);
}

// 0.9%, 12%, 0.01%: a share of rows.
export function formatPercent(value) {
  return `${Number((100 * value).toPrecision(2))}%`;
}

// The smallest of 1, 2, 2.5, 5 times a power of ten that is no smaller.
export function roundUp(value) {
  if (!(value > 0) || !Number.isFinite(value)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 4, 5, 10].find((step) => step * unit >= value * (1 - 1e-9)) * unit;
}
