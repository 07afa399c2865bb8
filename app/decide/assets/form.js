// The left of the component: how the cut is chosen, the share in use, the counts that follow, and the probabilities.

import { fill, formatNumber, formatPercent, makeElement } from "./svg.js";

let count = 0;

// Numbers that a rule asks for. log: the slider's steps are equal ratios.
const FIELDS = {
  alerts: { rules: ["alerts"], log: true, steps: 160 },
  recall: { rules: ["recall"], low: 0.01, high: 1, steps: 99 },
  precision: { rules: ["precision"], low: 0.01, high: 1, steps: 99 },
  beta: { rules: ["f-beta"], low: 0.25, high: 4, log: true, steps: 80 },
};

export class Form {
  // change(words): the person moved something; end(): it is let go; use(): the cut is taken.
  constructor({ change, end, use }) {
    this.change = change;
    this.end = end;
    this.element = makeElement("div", "form");
    this.fields = {};
    this.head = null;
    this.use = use;
    this.given = new Map(); // slider -> the value that it gave last
  }

  build(head) {
    this.head = head;
    const { words } = head;
    this.element.replaceChildren();
    const rule = this.makeSelect(words.chooseBy, head.rules);
    this.rule = rule;
    for (const [name, field] of Object.entries(FIELDS)) this.addRange(name, field);
    this.addPrices();
    this.addUnits();
    this.addShare();
    this.counts = makeElement("div", "counts");
    this.element.append(this.counts);
    this.addKinds();
    this.button = makeElement("button", "use", words.useCut);
    this.button.type = "button";
    this.button.addEventListener("click", () => this.use());
    this.said = makeElement("p", "quiet");
    this.element.append(this.button, this.said);
  }

  // A slider keeps the place that gave a value: values are rounded, and the place of a rounded one may lie a step behind.
  slide(range, words) {
    this.given.set(range, Object.values(words)[0]);
    this.change(words);
  }

  label(text, strong = false) {
    const label = makeElement("label", strong ? "label strong" : "label", text);
    label.htmlFor = `decide-${++count}`;
    return label;
  }

  makeSelect(text, options) {
    const label = this.label(text, true);
    const select = makeElement("select");
    select.id = label.htmlFor;
    for (const { name, title } of options) select.append(new Option(title, name));
    select.addEventListener("change", () => {
      this.change({ rule: select.value });
      this.end();
    });
    this.element.append(label, select);
    return select;
  }

  // Lowest and highest value of a field; alerts have other ones per day.
  ends(name) {
    return name === "alerts" ? this.head.alertRange[this.shown?.per ?? this.head.choice.per] : FIELDS[name];
  }

  addRange(name, { steps, log = false, rules }) {
    const box = makeElement("div", "field");
    const label = this.label("");
    const said = makeElement("span", "", this.head.words.fields[name]);
    const number = makeElement("input");
    Object.assign(number, { type: "number", min: 0, step: "any" });
    number.setAttribute("aria-label", this.head.words.fields[name]);
    label.append(said, number);
    const range = makeElement("input");
    Object.assign(range, { type: "range", min: 0, max: steps, step: 1, id: label.htmlFor });
    const value = () => {
      const { low, high } = this.ends(name);
      const part = Number(range.value) / steps;
      const found = tidy(log ? low * (high / low) ** part : low + part * (high - low));
      return name === "alerts" && this.shown.per === "day" ? Math.max(1, Math.round(found)) : found;
    };
    range.addEventListener("input", () => this.slide(range, { [name]: value() }));
    range.addEventListener("change", () => this.end());
    number.addEventListener("change", () => {
      const typed = Number(number.value);
      if (!Number.isFinite(typed) || number.value === "") {
        number.value = this.shown[name];
        return;
      }
      const { low, high, most = high } = this.ends(name);
      this.change({ [name]: Math.min(most, Math.max(low, typed)) });
      this.end();
    });
    box.append(label, range);
    if (name === "alerts" && this.head.hasDays) box.append(this.makePer());
    this.element.append(box);
    const place = (at) => {
      const { low, high } = this.ends(name);
      const part = log ? Math.log(at / low) / Math.log(high / low) : (at - low) / (high - low);
      return Math.round(steps * Math.min(1, Math.max(0, part)));
    };
    this.fields[name] = { box, said, range, number, place, rules };
  }

  makePer() {
    const { words } = this.head;
    const group = makeElement("div", "kinds per");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", words.per);
    this.perButtons = ["1000", "day"].map((name) => {
      const button = makeElement("button", "", words.perNames[name]);
      button.type = "button";
      button.addEventListener("click", () => {
        if (this.shown.per === name) return;
        const scale = name === "day" ? this.head.perDay / 1000 : 1000 / this.head.perDay;
        const { low, high, most = high } = this.head.alertRange[name];
        const next = name === "day" ? Math.round(this.shown.alerts * scale) : tidy(this.shown.alerts * scale);
        this.change({ per: name, alerts: Math.min(most, Math.max(low, next)) });
        this.end();
      });
      group.append(button);
      return [name, button];
    });
    return group;
  }

  addPrices() {
    const { words, costName } = this.head;
    this.prices = makeElement("div", "field pair");
    this.numbers = {};
    for (const name of ["miss", "alarm"]) {
      const label = this.label(words.fields[name]);
      const number = makeElement("input");
      Object.assign(number, { type: "number", min: 0, max: 1e6, step: "any", id: label.htmlFor });
      number.addEventListener("change", () => {
        const typed = Number(number.value);
        if (number.value !== "" && typed >= 0 && typed <= 1e6) {
          this.change({ [name]: typed });
          this.end();
        } else number.value = this.shown[name];
      });
      const cell = makeElement("div");
      cell.append(label, number);
      this.prices.append(cell);
      this.numbers[name] = { number, cell };
    }
    this.element.append(this.prices);
    this.column = makeElement("label", "check");
    this.box = makeElement("input");
    this.box.type = "checkbox";
    this.column.append(this.box, document.createTextNode(fill(words.costColumn, { column: costName ?? "" })));
    this.box.addEventListener("change", () => {
      this.change({ column: this.box.checked });
      this.end();
    });
    this.element.append(this.column);
  }

  addUnits() {
    if (this.head.units.length < 2) return;
    const line = makeElement("label", "check");
    this.once = makeElement("input");
    this.once.type = "checkbox";
    line.append(this.once, document.createTextNode(this.head.words.ownerOnce));
    this.once.addEventListener("change", () => {
      this.change({ unit: this.once.checked ? "owner" : "row" });
      this.end();
    });
    this.element.append(line);
  }

  addShare() {
    const { words, shares } = this.head;
    const label = this.label(fill(words.share, { label: this.head.quoted }), true);
    this.shareOut = makeElement("output", "", "");
    label.append(this.shareOut);
    const range = makeElement("input");
    const steps = 100;
    Object.assign(range, { type: "range", min: 0, max: steps, step: 1, id: label.htmlFor });
    const [low, high] = shares;
    range.addEventListener("input", () => {
      const at = Number(range.value) / steps;
      this.slide(range, { share: at === 1 ? high : Number((low * (high / low) ** at).toPrecision(2)) });
    });
    range.addEventListener("change", () => this.end());
    this.shareRange = range;
    this.sharePlace = (share) => (high > low ? Math.round((steps * Math.log(share / low)) / Math.log(high / low)) : steps);
    const ends = makeElement("div", "ends");
    this.chip = makeElement("span", "chip");
    ends.append(makeElement("span", "", words.rarest), this.chip, makeElement("span", "", words.asTable));
    this.element.append(label, range, ends);
  }

  addKinds() {
    const { words, kinds } = this.head;
    const name = makeElement("div", "label strong", words.probabilities);
    name.id = `decide-${++count}`;
    this.kinds = makeElement("div", "kinds");
    this.kinds.setAttribute("role", "group");
    this.kinds.setAttribute("aria-labelledby", name.id);
    this.kindButtons = kinds.map((kind) => {
      const button = makeElement("button", "", kind.title);
      button.type = "button";
      if (kind.why) button.title = kind.why;
      button.disabled = Boolean(kind.why);
      button.addEventListener("click", () => {
        this.change({ kind: kind.name });
        this.end();
      });
      this.kinds.append(button);
      return button;
    });
    this.loss = makeElement("p", "quiet");
    this.element.append(name, this.kinds, this.loss);
  }

  // Show a choice and what follows from it.
  show(choice, now) {
    const { words } = this.head;
    this.shown = choice;
    this.rule.value = choice.rule;
    const alerts = fill(choice.per === "day" ? words.fields.alertsDay : words.fields.alerts, now.text);
    this.fields.alerts.said.textContent = alerts;
    this.fields.alerts.number.setAttribute("aria-label", alerts);
    for (const [name, button] of this.perButtons ?? []) {
      button.textContent = fill(words.perNames[name], now.text);
      button.setAttribute("aria-pressed", String(name === choice.per));
    }
    if (this.once) this.once.checked = choice.unit === "owner";
    for (const [name, { box, range, number, place, rules }] of Object.entries(this.fields)) {
      box.hidden = !rules.includes(choice.rule);
      const value = choice[name];
      if (this.given.get(range) !== value) range.value = place(value);
      range.style.setProperty("--share", `${(100 * Number(range.value)) / Number(range.max)}%`);
      range.setAttribute("aria-valuetext", formatNumber(value));
      if (this.element.getRootNode().activeElement !== number) number.value = value;
    }
    const isCost = choice.rule === "cost";
    this.prices.hidden = !isCost;
    this.column.hidden = !isCost || !this.head.costName;
    this.box.checked = choice.column;
    this.numbers.miss.cell.hidden = isCost && choice.column && Boolean(this.head.costName);
    for (const [name, { number }] of Object.entries(this.numbers)) if (this.element.getRootNode().activeElement !== number) number.value = choice[name];
    if (this.given.get(this.shareRange) !== choice.share) this.shareRange.value = this.sharePlace(choice.share);
    this.shareRange.style.setProperty("--share", `${this.shareRange.value}%`);
    this.shareRange.setAttribute("aria-valuetext", formatPercent(choice.share));
    this.shareOut.textContent = formatPercent(choice.share);
    this.chip.hidden = !now.isOther;
    this.chip.textContent = fill(words.computedFor, { share: formatPercent(choice.share) });
    this.kindButtons.forEach((button, i) => button.setAttribute("aria-pressed", String(this.head.kinds[i].name === choice.kind)));
    this.loss.textContent = this.head.kinds.find((kind) => kind.name === choice.kind)?.said ?? "";
    this.button.disabled = !now.at;
    this.said.textContent = choice.rule === "hand" ? words.byHand : words.chosenOn;
    this.showCounts(now);
  }

  showCounts(now) {
    const { words, positive, others } = this.head;
    if (!now.at) {
      this.counts.replaceChildren(makeElement("p", "none", now.unreached));
      return;
    }
    const { found, missed, alarms, alone } = now.at.counts;
    const table = makeElement("table");
    const caption = makeElement("caption", "sr", fill(words.counts, now.text));
    const head = makeElement("thead");
    const names = makeElement("tr");
    names.append(makeElement("td"));
    for (const text of [words.flagged, words.notFlagged]) names.append(header(text, "col"));
    head.append(names);
    const body = makeElement("tbody");
    for (const [title, cells] of [[positive, [[found, "right", words.found], [missed, "wrong", words.missed]]], [others, [[alarms, "wrong", words.falseAlarms], [alone, "left", words.leftAlone]]]]) {
      const row = makeElement("tr");
      row.append(header(title, "row"));
      for (const [value, kind, meaning] of cells) {
        const cell = makeElement("td", kind, formatCount(value.mean));
        cell.title = Number.isFinite(value.low) ? fill(words.countMore, { meaning, low: formatCount(value.low), high: formatCount(value.high) }) : meaning;
        row.append(cell);
      }
      body.append(row);
    }
    table.append(caption, head, body);
    const note = fill(now.isOther ? words.perThousandAt : words.perThousand, { ...now.text, share: formatPercent(now.share) });
    this.counts.replaceChildren(table, makeElement("p", "", note));
    for (const text of now.at.notes) this.counts.append(makeElement("p", "", text));
  }
}

function header(text, scope) {
  const cell = makeElement("th", "", text);
  cell.scope = scope;
  cell.title = text;
  return cell;
}

export function formatCount(value) {
  return value < 10 ? value.toFixed(value < 0.1 && value > 0 ? 2 : 1) : value.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}

// A value that reads well: 5, 12, .35.
function tidy(value) {
  return Number(value.toPrecision(2));
}
