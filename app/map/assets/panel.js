// What lies under the pointer or in the lasso: images or columns of rows, counts per class, and the two rows of a synthetic point.
// Names in the data are a stranger's: they reach the page by textContent and attributes only.

import { SYNTHETIC, TEST } from "./data.js";

const MAX_BARS = 10;
const MAX_IMAGES = 16;
const MAX_LINES = 3;
const MAX_EACH = 3; // images of a class where nothing is chosen
const MAX_CLASSES = 10;
const MAX_COLUMNS = 14;
const MAX_ROWS = 3; // nearest rows of a table beside a row

export function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

// `most` of the items, evenly spaced.
function spread(items, most) {
  if (items.length <= most) return items;
  return Array.from({ length: most }, (_, k) => items[Math.floor(((k + 0.5) * items.length) / most)]);
}

function format(value) {
  if (!Number.isFinite(value)) return "–";
  const far = Math.abs(value);
  if (Number.isInteger(value) && far < 1e6) return value.toLocaleString("en");
  return far >= 1e5 || (far < 1e-3 && far > 0) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

export class Panel {
  // clear(): the button that lets the lasso go.
  constructor(element, clear) {
    this.element = element;
    this.clear = clear;
    this.shown = "";
  }

  // state: {head, scene, colours, selection (points, null without a lasso), point (-1: none), pinned, visible (points)}.
  draw(state) {
    const { head, scene, selection, point, pinned } = state;
    if (!scene) return;
    const key = [head.run, point, pinned, selection?.length, selection?.[0], state.visible.length, state.dark, head.classes.length].join("|");
    if (key === this.shown) return;
    this.shown = key;
    Object.assign(this, { state, head, scene, words: head.words });
    this.element.replaceChildren();
    if (point >= 0) this.drawPoint(point, pinned);
    else if (selection) this.drawMany(selection, fill(this.words.lasso, { n: selection.length.toLocaleString("en") }), true);
    else this.drawMany(state.visible, fill(this.words.all, { n: state.visible.length.toLocaleString("en") }), false);
  }

  nameOf(i) {
    return this.head.classes[this.scene.y[i]];
  }

  describe(i) {
    const { scene, words } = this;
    const values = { row: scene.row[i], name: this.nameOf(i), taken: this.head.classes[scene.predicted[i]] };
    const text = fill(scene.part[i] === SYNTHETIC ? words.synthetic : scene.part[i] === TEST ? words.test : words.train, values);
    return scene.predicted[i] === scene.y[i] ? text : `${text} ${fill(words.taken, values)}`;
  }

  title(text, button = null) {
    const line = make("div", "title");
    line.append(make("h2", "", text));
    if (button) line.append(button);
    this.element.append(line);
  }

  caption(text, className = "caption") {
    this.element.append(make("div", className, text));
  }

  // ---- many points ----

  drawMany(points, title, isLasso) {
    const { scene, words } = this;
    let button = null;
    if (isLasso) {
      button = make("button", "plain", words.clear);
      button.type = "button";
      button.addEventListener("click", () => this.clear());
    }
    this.title(title, button);
    if (!isLasso) this.caption(words.hint);
    if (!points.length) return;
    const counts = this.head.classes.map(() => [0, 0]);
    for (const i of points) counts[scene.y[i]][scene.part[i] === SYNTHETIC ? 1 : 0] += 1;
    const present = counts.map((pair, c) => c).filter((c) => counts[c][0] + counts[c][1]);
    if (isLasso) present.sort((a, b) => counts[b][0] + counts[b][1] - counts[a][0] - counts[a][1]);
    this.drawBars(present, counts);
    const real = points.filter((i) => scene.part[i] !== SYNTHETIC);
    const made = points.filter((i) => scene.part[i] === SYNTHETIC);
    if (scene.thumbs) this.drawManyImages(real, made, present, isLasso);
    else if (scene.cells && real.length) this.drawMedians(real, present.slice(0, MAX_ROWS));
  }

  drawBars(present, counts) {
    const list = make("div", "bars");
    const most = Math.max(...present.map((c) => counts[c][0] + counts[c][1]));
    for (const c of present.slice(0, MAX_BARS)) {
      const [real, made] = counts[c];
      const line = make("div", "bar");
      const track = make("span", "track");
      for (const [count, className] of [[real, "real"], [made, "made"]]) {
        if (!count) continue;
        const part = make("span", className);
        part.style.width = `${(100 * count) / most}%`;
        part.style.setProperty("--colour", this.state.colours[c]);
        track.append(part);
      }
      const said = made ? fill(this.words.both, { real: real.toLocaleString("en"), made: made.toLocaleString("en") }) : real.toLocaleString("en");
      line.append(make("span", "name", this.head.classes[c]), track, make("span", "count", said));
      list.append(line);
    }
    this.element.append(list);
    if (present.length > MAX_BARS) this.caption(fill(this.words.more, { n: present.length - MAX_BARS }));
  }

  drawManyImages(real, made, present, isLasso) {
    const { scene, words } = this;
    const seen = new Set(real.map((i) => scene.y[i]));
    const names = present.filter((c) => seen.has(c)).map((c) => this.head.classes[c]);
    if (real.length) {
      this.caption(isLasso && names.length <= 3 ? fill(words.rows, { names: names.join(", ") }) : words.some);
      if (isLasso) this.drawGrid(spread(real, MAX_IMAGES).map((i) => this.makeImage(i)));
      else this.drawEach(real);
    }
    if (!made.length || !isLasso) return;
    if (scene.made) {
      this.caption(words.made);
      this.drawGrid(spread(made, 8).map((i) => this.makeImage(i)));
    } else {
      this.drawLines(made);
    }
  }

  // Some rows of each class, one class a column.
  drawEach(real) {
    const own = new Map();
    for (const i of real) own.set(this.scene.y[i], [...(own.get(this.scene.y[i]) ?? []), i]);
    const classes = spread([...own.keys()].sort((a, b) => a - b), MAX_CLASSES);
    const chosen = classes.map((c) => spread(own.get(c), MAX_EACH));
    const images = [];
    for (let k = 0; k < MAX_EACH; k++) chosen.forEach((rows) => images.push(rows[k] === undefined ? make("span") : this.makeImage(rows[k])));
    this.drawGrid(images, Math.max(6, classes.length));
  }

  drawLines(made) {
    const { scene, words } = this;
    const whole = made.filter((i) => scene.base[i] >= 0 && scene.partner[i] >= 0);
    if (!whole.length) {
      this.caption(made.some((i) => Number.isFinite(scene.step[i])) ? words.outside : words.unknown);
      return;
    }
    const some = spread(whole, MAX_LINES);
    this.caption(fill(words.lines, { n: some.length }));
    for (const i of some) this.element.append(this.makeLine(i));
  }

  // The two rows that a synthetic point lies between, and where.
  makeLine(i) {
    const { scene, words } = this;
    const line = make("div", "line");
    const [base, partner, step] = [scene.base[i], scene.partner[i], scene.step[i]];
    const way = make("span", "way");
    way.setAttribute("role", "img");
    way.setAttribute("aria-label", fill(words.step, { share: Math.round(100 * step) }));
    const mark = make("span", "mark");
    mark.style.left = `${100 * Math.max(0, Math.min(1, step))}%`;
    mark.style.setProperty("--colour", this.state.colours[scene.y[i]]);
    way.append(mark);
    const same = scene.y[partner] === scene.y[i];
    line.append(this.makeImage(base), way, this.makeImage(partner), make("span", "said", same ? fill(words.stays, { name: this.nameOf(i) }) : fill(words.crosses, { name: this.nameOf(partner) })));
    return line;
  }

  drawMedians(real, present) {
    const columns = present.map((c) => ({ name: fill(this.words.median, { name: this.head.classes[c] }), rows: real.filter((i) => this.scene.y[i] === c) }));
    this.drawTable(columns.filter((column) => column.rows.length).map(({ name, rows }) => ({ name, read: (k) => this.readMany(rows, k) })));
  }

  readMany(rows, k) {
    const values = rows.map((i) => this.cell(i, k)).filter(Number.isFinite).sort((a, b) => a - b);
    if (!this.head.levels[k].length) return format(values[values.length >> 1]);
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    const [often] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [NaN];
    return this.head.levels[k][often] ?? "–";
  }

  // ---- one point ----

  drawPoint(i, pinned) {
    const { scene, words } = this;
    this.title(this.describe(i), pinned ? make("span", "pin", words.pinned) : null);
    if (scene.part[i] === SYNTHETIC) this.drawSynthetic(i);
    else if (scene.thumbs) this.element.append(this.makeImage(i, "large"));
    if (scene.attention) this.drawAttention(i);
    const near = this.listNear(i);
    if (scene.thumbs) {
      if (near.length) {
        this.caption(fill(words.near, { n: near.length }));
        this.drawGrid(near.map((k) => this.makeImage(k, "", true)));
      }
    } else if (scene.cells) {
      const ends = [scene.base[i], scene.partner[i]].filter((k) => k >= 0);
      const rows = scene.part[i] === SYNTHETIC ? [...ends, ...near] : [i, ...near];
      this.caption(scene.part[i] === SYNTHETIC && ends.length ? words.ends : words.columns);
      const shown = [...new Set(rows)].slice(0, MAX_ROWS + 1);
      this.drawTable(shown.map((k) => ({ name: fill(words.head, { row: scene.row[k], name: this.nameOf(k) }), read: (column) => this.readCell(k, column) })));
    }
  }

  drawSynthetic(i) {
    const { scene, words } = this;
    if (scene.made) this.element.append(this.makeImage(i, "large"));
    else if (scene.thumbs) this.caption(words.noImage);
    if (!scene.thumbs && scene.cells) return;
    if (scene.base[i] >= 0 && scene.partner[i] >= 0) {
      this.caption(words.between);
      this.element.append(this.makeLine(i));
    } else if (scene.base[i] >= 0) {
      this.caption(words.copy);
      if (scene.thumbs) this.element.append(this.makeImage(scene.base[i]));
    } else {
      this.caption(Number.isFinite(scene.step[i]) ? words.outside : words.unknown);
    }
  }

  // How much of each class's entry the memory gives a row, the largest shares first.
  drawAttention(i) {
    const { classes } = this.head;
    const shares = this.scene.attention.subarray(i * classes.length, (i + 1) * classes.length);
    const order = [...shares.keys()].sort((a, b) => shares[b] - shares[a]);
    const list = make("div", "bars");
    for (const c of order.slice(0, MAX_BARS)) {
      const line = make("div", "bar");
      const track = make("span", "track");
      const part = make("span", "real");
      part.style.width = `${100 * shares[c]}%`;
      part.style.setProperty("--colour", this.state.colours[c]);
      track.append(part);
      line.append(make("span", "name", classes[c]), track, make("span", "count", `${(100 * shares[c]).toFixed(1)}%`));
      list.append(line);
    }
    this.caption(this.words.attention);
    this.element.append(list);
    if (order.length > MAX_BARS) this.caption(fill(this.words.more, { n: order.length - MAX_BARS }));
  }

  listNear(i) {
    const { near } = this.scene;
    if (!near) return [];
    const each = this.head.near;
    return Array.from(near.subarray(i * each, (i + 1) * each)).filter((k) => k >= 0 && k !== i);
  }

  // ---- pieces ----

  drawGrid(images, columns = 8) {
    const grid = make("div", "grid");
    if (columns !== 8) grid.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    grid.append(...images);
    this.element.append(grid);
  }

  // The image of a row, or of a made one; an empty frame for a point without.
  makeImage(i, className = "", named = false) {
    const { scene, head } = this;
    const figure = make("figure", className);
    figure.title = this.describe(i);
    const [height, width, channels] = head.image ?? [1, 1, 1];
    const size = height * width * channels;
    const isMade = scene.part[i] === SYNTHETIC;
    const source = isMade ? scene.made : scene.thumbs;
    const at = isMade ? i - head.real : i;
    if (isMade) figure.classList.add("made");
    if (source && (at + 1) * size <= source.length) {
      const canvas = make("canvas");
      Object.assign(canvas, { width, height });
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", this.describe(i));
      const picture = new ImageData(width, height);
      for (let k = 0; k < height * width; k++) {
        for (let channel = 0; channel < 3; channel++) picture.data[4 * k + channel] = source[at * size + k * channels + (channels === 1 ? 0 : channel)];
        picture.data[4 * k + 3] = 255;
      }
      canvas.getContext("2d").putImageData(picture, 0, 0);
      figure.append(canvas);
    }
    if (named) {
      const name = make("figcaption", "", this.nameOf(i));
      name.style.setProperty("--colour", this.state.colours[scene.y[i]]);
      figure.append(name);
    }
    return figure;
  }

  cell(i, k) {
    return this.scene.cells[i * this.head.columns.length + k];
  }

  readCell(i, k) {
    const levels = this.head.levels[k];
    return levels.length ? levels[this.cell(i, k)] ?? "–" : format(this.cell(i, k));
  }

  // columns: [{name, read(k)}], a row for each column of the data.
  drawTable(columns) {
    const table = make("table");
    const head = make("tr");
    head.append(make("th", "", this.words.column), ...columns.map(({ name }) => make("th", "", name)));
    table.append(make("thead"), make("tbody"));
    table.tHead.append(head);
    this.head.columns.slice(0, MAX_COLUMNS).forEach((name, k) => {
      const line = make("tr");
      line.append(make("th", "", name), ...columns.map((column) => make("td", "", column.read(k))));
      table.tBodies[0].append(line);
    });
    this.element.append(table);
  }
}
