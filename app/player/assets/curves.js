// The precision-recall curve: lines named at their ends, a band for the one under the pointer, chance dotted.

import { cutText, dashOf, formatShare, makeSvg, makeText, measureText, pushApart } from "./svg.js";
import { TEXT } from "./text.js";

const LABEL_GAP = 16; // px between two labels
const MOST_LABEL = 124; // px
const REACH = 26; // px from the pointer to a line
const [LEFT, TOP, BOTTOM] = [34, 34, 38]; // px around the plot

export class Curves {
  constructor(element) {
    this.element = element;
    this.pr = null;
    this.preview = null; // {recall, precision, ap}: in place of the run's own curve
    this.theme = null;
    this.pointed = ""; // key of the curve under the pointer
    this.drawnFor = "";
    this.lines = [];
  }

  listen(on) {
    const { element } = this;
    on(element, "pointermove", (event) => this.point(this.findCurve(event)));
    on(element, "pointerleave", () => this.point(""));
    on(element, "keydown", (event) => {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!by || !this.lines.length) return;
      event.preventDefault();
      const at = this.lines.findIndex(({ curve }) => curve.key === this.pointed);
      this.point(this.lines[(at + by + this.lines.length) % this.lines.length].curve.key);
    });
    on(element, "blur", () => this.point(""));
  }

  set({ pr = this.pr, preview = this.preview, theme = this.theme }) {
    Object.assign(this, { pr, preview, theme });
    this.draw();
  }

  point(key) {
    if (key === this.pointed) return;
    this.pointed = key;
    this.draw();
  }

  // The curves as drawn: a preview takes the place of the run's own.
  listCurves() {
    const curves = this.pr?.curves ?? [];
    if (!this.preview) return curves;
    const own = curves.find(({ bold }) => bold) ?? curves[0];
    const { accent } = this.theme;
    const drawn = { colour: [accent, accent], ...own, ...this.preview, key: "preview", label: TEXT.preview, dash: "solid", bold: true };
    return [...curves.filter((curve) => curve !== own), { ...drawn, low: null, high: null }];
  }

  draw() {
    const { element, theme, pointed, preview } = this;
    const [width, height] = [element.clientWidth, element.clientHeight];
    if (!theme) return;
    const curves = this.listCurves();
    element.hidden = !curves.length;
    const chance = this.pr?.chance ?? null;
    const key = JSON.stringify([width, height, theme.key, pointed, chance, this.pr?.title, preview?.ap, curves.map((curve) => [curve.key, curve.precision])]);
    if (!curves.length || !width || !height || key === this.drawnFor) return;
    this.drawnFor = key;
    const font = `12.5px ${getComputedStyle(element).fontFamily}`;
    const names = [...curves.map(({ label }) => label), ...(chance === null ? [] : [TEXT.chance(chance)])];
    const room = Math.min(MOST_LABEL, Math.max(...names.map((name) => measureText(name, `600 ${font}`))) + 1);
    const box = { left: LEFT, top: TOP, width: width - LEFT - room - 24, height: height - TOP - BOTTOM };
    box.x = (recall) => box.left + recall * box.width;
    box.y = (precision) => box.top + (1 - precision) * box.height;
    const svg = makeSvg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    svg.append(...drawAxes(box, this.pr?.title ?? TEXT.onTestRows));
    this.lines = curves.map((curve) => ({ curve, points: curve.recall.map((recall, i) => [box.x(recall), box.y(curve.precision[i])]) }));
    this.drawLines(svg, box, chance);
    this.drawLabels(svg, box, chance, room, font);
    element.replaceChildren(svg);
    element.setAttribute("aria-label", TEXT.describeCurves(curves.map(({ label }) => label), chance));
    element.dataset.lines = curves.map((curve) => curve.key).join(" ");
    element.dataset.band = pointed;
  }

  colourOf(curve) {
    return curve.colour[this.theme.isDark ? 1 : 0];
  }

  drawLines(svg, box, chance) {
    const { pointed, theme } = this;
    const band = this.lines.find(({ curve }) => curve.key === pointed && curve.low && curve.high);
    if (band) svg.append(drawBand(band.curve, box, this.colourOf(band.curve)));
    if (chance !== null) {
      const y = box.y(chance);
      svg.append(makeSvg("line", { x1: box.left, y1: y, x2: box.x(1), y2: y, stroke: theme.fadeInk(0.7), "stroke-dasharray": "1 3" }));
    }
    for (const { curve, points } of [...this.lines].sort((p, q) => Number(p.curve.bold) - Number(q.curve.bold))) {
      const strokeWidth = curve.key === pointed ? 3.4 : curve.bold ? 3 : 1.8;
      svg.append(makeSvg("polyline", {
        points: points.map((place) => place.map((value) => value.toFixed(1)).join()).join(" "), fill: "none", stroke: this.colourOf(curve),
        "stroke-width": strokeWidth, "stroke-dasharray": dashOf(curve.dash), "stroke-linejoin": "round", "data-key": curve.key,
      }));
    }
  }

  drawLabels(svg, box, chance, room, font) {
    const ends = this.lines.map(({ curve, points }) => ({ curve, y: points.at(-1)[1], text: curve.label }));
    if (chance !== null) ends.push({ curve: null, y: box.y(chance), text: TEXT.chance(chance) });
    const places = pushApart(ends.map(({ y }) => y), LABEL_GAP, box.top, box.top + box.height);
    ends.forEach(({ curve, y, text }, i) => {
      const right = box.x(1);
      const isStrong = Boolean(curve && (curve.bold || curve.key === this.pointed));
      const stroke = curve ? this.colourOf(curve) : this.theme.fadeInk(0.7);
      const y2 = places[i].toFixed(1);
      svg.append(makeSvg("path", { d: `M${right + 2} ${y.toFixed(1)}L${right + 6} ${y2}`, fill: "none", stroke, "stroke-width": 0.8 }));
      const style = { stroke, "stroke-width": curve ? 2.4 : 1, "stroke-dasharray": curve ? dashOf(curve.dash) : "1 3" };
      svg.append(makeSvg("line", { x1: right + 6, y1: y2, x2: right + 18, y2, ...style }));
      const shown = cutText(text, room, `${isStrong ? "600 " : ""}${font}`);
      const label = makeText(right + 22, places[i] + 4, shown, { class: "end", "data-label": curve?.key ?? "chance", "font-weight": isStrong ? 650 : 400 });
      label.append(makeSvg("title", {}, curve?.ap === undefined ? text : TEXT.withPrecision(text, formatShare(curve.ap))));
      svg.append(label);
    });
  }

  // The key of the curve, or of the label, that a pointer is on.
  findCurve(event) {
    const label = event.target.closest?.("[data-label]")?.dataset.label;
    if (label) return label === "chance" ? "" : label;
    const bounds = this.element.getBoundingClientRect();
    const zoom = bounds.width / this.element.offsetWidth || 1;
    const [x, y] = [(event.clientX - bounds.left) / zoom, (event.clientY - bounds.top) / zoom];
    let found = "";
    let nearest = REACH;
    for (const { curve, points } of this.lines) {
      for (const [px, py] of points) {
        const distance = Math.hypot(px - x, py - y);
        if (distance < nearest) [nearest, found] = [distance, curve.key];
      }
    }
    return found;
  }
}

function drawAxes(box, title) {
  const out = [makeText(0, 14, TEXT.precision, { "font-weight": 650 }), makeText(64, 14, title, { class: "soft" })];
  for (const value of [0, 0.25, 0.5, 0.75, 1]) {
    const y = box.y(value);
    out.push(makeSvg("line", { x1: box.left, y1: y, x2: box.x(1), y2: y, class: "rule" }));
    out.push(makeText(box.left - 7, y + 4, formatTick(value), { class: "soft", "text-anchor": "end" }));
  }
  for (const value of [0, 0.5, 1]) out.push(makeText(box.x(value), box.y(0) + 16, formatTick(value), { class: "soft", "text-anchor": "middle" }));
  out.push(makeText(box.x(0.5), box.y(0) + 32, TEXT.recall, { class: "soft", "text-anchor": "middle" }));
  return out;
}

function formatTick(value) {
  return value === 0 || value === 1 ? String(value) : formatShare(value).replace(/0$/, "");
}

function drawBand({ recall, low, high }, box, fill) {
  const there = recall.map((_, i) => i).filter((i) => low[i] !== null && high[i] !== null);
  const upper = there.map((i) => `${box.x(recall[i]).toFixed(1)},${box.y(high[i]).toFixed(1)}`);
  const lower = there.reverse().map((i) => `${box.x(recall[i]).toFixed(1)},${box.y(low[i]).toFixed(1)}`);
  return makeSvg("polygon", { points: [...upper, ...lower].join(" "), fill, opacity: 0.16, class: "band" });
}
