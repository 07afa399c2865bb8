// What if: sliders that retrain while they move, and the button that makes a real run of them.

import { makeElement } from "./svg.js";
import { TEXT } from "./text.js";

let count = 0;

export class Sliders {
  constructor({ change, take, reset }) {
    this.change = change;
    this.element = makeElement("div", "sliders");
    this.chip = makeElement("span", "chip", TEXT.drag);
    this.chips = makeElement("div", "names");
    this.list = makeElement("div", "controls");
    this.run = makeElement("button", "primary");
    this.back = makeElement("button", "", TEXT.reset);
    this.whatif = null;
    this.inputs = new Map(); // name -> {control, input, output, row, first}
    this.chosen = ""; // on a phone one slider is shown
    const head = makeElement("div", "rail-head");
    head.append(makeElement("h2", "", TEXT.whatIf), this.chip);
    const buttons = makeElement("div", "buttons");
    for (const button of [this.run, this.back]) button.type = "button";
    this.run.addEventListener("click", () => take(this.values));
    this.back.addEventListener("click", () => {
      this.restore();
      reset();
    });
    buttons.append(this.run, this.back);
    this.element.append(head, this.chips, this.list, buttons);
  }

  get values() {
    return Object.fromEntries([...this.inputs].map(([name, { control, input }]) => [name, readValue(control, input)]));
  }

  get isChanged() {
    return [...this.inputs.values()].some(({ input, first }) => input.value !== first);
  }

  set(whatif) {
    const key = ({ controls }) => JSON.stringify(controls);
    const isOther = !this.whatif || key(this.whatif) !== key(whatif);
    this.whatif = whatif;
    if (isOther) this.build(whatif.controls);
    this.run.textContent = whatif.button ?? "";
    this.run.hidden = !whatif.button;
    this.chip.textContent = whatif.off || TEXT.drag;
    for (const { input } of this.inputs.values()) input.disabled = Boolean(whatif.off);
    this.refresh();
  }

  build(controls) {
    this.inputs.clear();
    this.list.replaceChildren();
    this.chips.replaceChildren();
    for (const control of controls) this.addControl(control);
    this.choose(controls.some(({ name }) => name === this.chosen) ? this.chosen : controls[0]?.name ?? "");
  }

  addControl(control) {
    const row = makeElement("div", "control");
    const name = makeElement("label", "", control.label);
    const output = makeElement("output");
    const input = makeElement("input");
    input.type = "range";
    input.id = name.htmlFor = `what-if-${++count}`;
    const { stops } = control;
    Object.assign(input, stops ? { min: 0, max: stops.length - 1, step: 1 } : { min: control.min, max: control.max, step: control.step });
    input.value = placeOf(control, control.value);
    input.addEventListener("input", () => {
      this.refresh();
      this.change(this.values);
    });
    row.dataset.control = control.name;
    row.append(name, output, input);
    this.list.append(row);
    this.inputs.set(control.name, { control, input, output, row, first: input.value }); // the browser may have rounded it
    const chip = makeElement("button", "pick", control.label);
    chip.type = "button";
    chip.dataset.pick = control.name;
    chip.addEventListener("click", () => this.choose(control.name));
    this.chips.append(chip);
  }

  choose(name) {
    this.chosen = name;
    for (const [each, { row }] of this.inputs) row.classList.toggle("chosen", each === name);
    for (const chip of this.chips.children) chip.setAttribute("aria-pressed", String(chip.dataset.pick === name));
  }

  // Back to the values of the run that is shown.
  restore() {
    for (const { input, first } of this.inputs.values()) input.value = first;
    this.refresh();
  }

  refresh() {
    for (const { control, input, output } of this.inputs.values()) {
      const text = formatValue(control, readValue(control, input));
      output.textContent = text;
      input.setAttribute("aria-valuetext", text);
      const share = (Number(input.value) - Number(input.min)) / (Number(input.max) - Number(input.min) || 1);
      input.style.setProperty("--share", `${100 * share}%`);
    }
    this.back.disabled = !this.isChanged;
    this.run.disabled = Boolean(this.whatif?.off);
  }
}

function readValue(control, input) {
  const value = Number(input.value);
  return control.stops ? control.stops[value] : Number(value.toPrecision(12));
}

function placeOf({ stops }, value) {
  if (!stops) return value;
  const distances = stops.map((stop) => Math.abs(stop - value));
  return distances.indexOf(Math.min(...distances));
}

// A value as `format` has it: "{}", "{:,}" or "{:.2f}" take the value; then its unit.
export function formatValue({ format = "{}", unit = "" }, value) {
  const text = format.replace(/\{(?::(,)?(?:\.(\d)f)?)?\}/, (_, comma, digits) => {
    const options = digits === undefined ? { maximumFractionDigits: 6 } : { minimumFractionDigits: Number(digits), maximumFractionDigits: Number(digits) };
    return value.toLocaleString("en", { ...options, useGrouping: Boolean(comma) });
  });
  return unit ? text + (/^[:%]/.test(unit) ? "" : "\u00a0") + unit : text;
}
