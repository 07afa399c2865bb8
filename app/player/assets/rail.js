// The lower half of the rail: what-if sliders, or paired differences, or the companions of a run that trains.

import { Sliders } from "./sliders.js";
import { formatChange, makeElement, makeSvg, makeText } from "./svg.js";
import { TEXT } from "./text.js";

export class Rail {
  // change(values): a slider moved; take(values): "Run this"; reset(): back to what is recorded.
  constructor(element, { change, take, reset }) {
    this.element = element;
    this.sliders = new Sliders({ change, take, reset });
    this.side = {};
    this.state = "";
    this.drawnFor = "";
  }

  // isTraining: the run's companions are shown, whatever else is there.
  set(side, isTraining, theme) {
    const { companions, whatif, differences } = side;
    const state = isTraining && companions?.length ? "companions" : whatif ? "whatif" : differences?.length ? "differences" : "none";
    const key = JSON.stringify([state, state === "none" || side[state], theme.key, this.element.clientWidth]);
    if (key === this.drawnFor) return;
    this.drawnFor = key;
    if (state === "whatif") {
      this.sliders.set(whatif);
      if (this.state !== state) this.element.replaceChildren(this.sliders.element);
    } else if (state === "companions") this.element.replaceChildren(...drawCompanions(companions));
    else if (state === "differences") this.element.replaceChildren(...drawDifferences(differences, theme, this.element.clientWidth));
    else this.element.replaceChildren();
    this.state = this.element.dataset.state = state;
  }
}

function drawCompanions(companions) {
  const rows = companions.map(({ label, state, share }) => {
    const row = makeElement("div", "companion");
    const bar = makeElement("progress");
    bar.max = 1;
    bar.value = share ?? 0;
    bar.setAttribute("aria-label", label);
    row.append(makeElement("span", "", label), makeElement("span", "quiet", state), bar);
    return row;
  });
  return [makeElement("h2", "", TEXT.training), ...rows];
}

function drawDifferences(differences, theme, width) {
  const head = makeElement("div", "rail-head");
  const n = differences.find((one) => one.n)?.n;
  head.append(makeElement("h2", "", TEXT.differences));
  if (n > 1) head.append(makeElement("span", "chip", TEXT.differencesMore(n)));
  const ends = differences.flatMap(({ mean, low, high }) => [mean, low, high]).filter(Number.isFinite);
  const reach = Math.max(0.01, ...ends.map(Math.abs)) * 1.08;
  const inner = Math.max(120, width - 38);
  const x = (value) => 6 + ((value + reach) / (2 * reach)) * (inner - 12);
  const rows = differences.map((one) => drawDifference(one, theme, inner, x));
  const scale = makeSvg("svg", { width: inner, height: 16, "aria-hidden": "true" });
  scale.append(
    makeText(0, 12, TEXT.worse, { class: "soft" }), makeText(x(0), 12, TEXT.same, { class: "soft", "text-anchor": "middle" }),
    makeText(inner, 12, TEXT.better, { class: "soft", "text-anchor": "end" }),
  );
  return [head, ...rows, scale];
}

function drawDifference({ label, mean, low, high, better }, theme, width, x) {
  const row = makeElement("div", "difference");
  const name = makeElement("div", "named");
  name.append(makeElement("span", "", label), makeElement("span", "quiet", TEXT.found[String(better ?? null)]));
  const colour = better === false ? theme.palette.worse : theme.palette.better;
  const hasInterval = Number.isFinite(low) && Number.isFinite(high);
  const numbers = Number.isFinite(mean) ? formatChange(mean) + (hasInterval ? `, ${formatChange(low)} to ${formatChange(high)}` : "") : "";
  const svg = makeSvg("svg", { width, height: 22, role: "img", tabindex: 0, "aria-label": `${label}: ${numbers}` });
  svg.append(makeSvg("title", {}, numbers));
  svg.append(makeSvg("line", { x1: x(0), y1: 1, x2: x(0), y2: 21, stroke: theme.fadeInk(0.7), "stroke-dasharray": "2 3" }));
  if (hasInterval) svg.append(makeSvg("line", { x1: x(low), y1: 11, x2: x(high), y2: 11, stroke: colour, "stroke-width": 3, "stroke-linecap": "round" }));
  const isFilled = better === true || better === false;
  if (numbers) svg.append(makeSvg("circle", { cx: x(mean), cy: 11, r: 6, fill: isFilled ? colour : theme.paper, stroke: colour, "stroke-width": 2.2 }));
  row.append(name, svg);
  return row;
}
