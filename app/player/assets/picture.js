// A picture to take away: verdict, film, key and address on one canvas.

const AIR = 10; // px, around the texts
const MARK = 24; // px, for a mark of the key
const WORDMARK = "Imbalance Lab";

export class Picture {
  // painter: of the film, see painter.js; key: what its `loadKey` gave; texts: {verdict, address}; width: px of the film and of the
  // picture; ratio: canvas pixels per px.
  constructor(painter, key, texts, { width, ratio = 1, hasAddress = true }) {
    this.painter = painter;
    this.width = width;
    this.ratio = ratio;
    this.size = width < 500 ? 11.5 : 13;
    this.canvas = document.createElement("canvas");
    this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
    this.arrange(key, texts.verdict, hasAddress ? texts.address : "");
  }

  // Places all parts, and draws those that stand still.
  arrange(entries, verdictText, addressText) {
    const { painter, pen, width, size, ratio } = this;
    const [filmWidth, filmHeight] = painter.size;
    const inner = width - 2 * AIR;
    this.setFont(1.15 * size, 650);
    const verdict = this.wrap(verdictText, inner, 3);
    this.setFont(size, 400);
    const key = this.arrangeKey(entries, inner);
    const note = this.wrap(painter.note, inner, 3);
    this.setFont(0.85 * size, 400);
    const address = this.wrap(addressText, inner, 4);
    const [lineHeight, keyHeight, smallHeight] = [1.5 * size, 1.75 * size, 1.2 * size];
    const top = verdict.length ? AIR + verdict.length * lineHeight + AIR / 2 : 0;
    const height = Math.round((width * filmHeight) / filmWidth);
    const rows = (key.length ? key.at(-1).row + 1 : 0) + note.length;
    const below = top + height;
    const foot = below + AIR / 2 + rows * keyHeight;
    const total = foot + smallHeight * Math.max(1, address.length) + AIR;
    this.film = { x: 0, y: Math.round(top), width, height };
    this.canvas.width = makeEven(width * ratio);
    this.canvas.height = makeEven(total * ratio);

    const { theme } = painter;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, width + 2, total + 2);
    pen.fillStyle = theme.ink;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    this.setFont(1.15 * size, 650);
    verdict.forEach((line, i) => pen.fillText(line, AIR, AIR + (i + 0.5) * lineHeight));
    for (const { entry, x, row } of key) {
      const y = below + AIR / 2 + (row + 0.5) * keyHeight;
      pen.save();
      entry.draw(pen, AIR + x + MARK / 2, y, size / 13);
      pen.restore();
      pen.fillStyle = theme.ink;
      this.setFont(size, 400);
      pen.fillText(entry.text, AIR + x + MARK, y);
    }
    note.forEach((line, i) => pen.fillText(line, AIR, below + AIR / 2 + (i + 0.5) * keyHeight));
    pen.fillStyle = theme.fadeInk(0.72);
    this.setFont(0.85 * size, 400);
    (address.length ? address : [WORDMARK]).forEach((line, i) => pen.fillText(line, AIR, foot + (i + 0.5) * smallHeight));
  }

  // Draws the film as it is at a moment, from 0 to 1 of its time. isStill: as it is drawn while it stands.
  draw(moment, isStill = false) {
    const { painter, pen, ratio, film } = this;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.save();
    pen.beginPath();
    pen.rect(film.x, film.y, film.width, film.height);
    pen.clip();
    painter.paint(pen, film, ratio, moment, isStill);
    pen.restore();
  }

  // The pixels of the picture, RGBA, row by row.
  read() {
    return this.pen.getImageData(0, 0, this.canvas.width, this.canvas.height).data;
  }

  setFont(size, weight) {
    this.pen.font = `${weight} ${size}px ${this.painter.font}`;
  }

  // The lines of a text, broken at spaces, or within a word that is longer than a line; at most so many.
  wrap(text, width, most) {
    const { pen } = this;
    const lines = [];
    let line = "";
    for (const piece of (text ?? "").match(/\s+|[^\s&?]+[&?]?|[&?]/g) ?? []) {
      let rest = piece;
      while (rest && pen.measureText((line + rest).trimEnd()).width > width) {
        if (line.trim()) {
          lines.push(line.trim());
          line = "";
          rest = rest.trimStart();
          continue;
        }
        let fits = rest.length;
        while (fits > 1 && pen.measureText(rest.slice(0, fits)).width > width) fits -= 1;
        lines.push(rest.slice(0, fits));
        rest = rest.slice(fits);
      }
      line += rest;
    }
    if (line.trim()) lines.push(line.trim());
    if (lines.length <= most) return lines;
    let last = lines[most - 1];
    while (last && pen.measureText(`${last}…`).width > width) last = last.slice(0, -1);
    return [...lines.slice(0, most - 1), `${last}…`];
  }

  // Where each entry of the key stands.
  arrangeKey(entries, width) {
    const { pen } = this;
    let [x, row] = [0, 0];
    return entries.map((entry) => {
      const needed = MARK + pen.measureText(entry.text).width;
      if (x && x + needed > width) [x, row] = [0, row + 1];
      const place = { entry, x, row };
      x += needed + 18;
      return place;
    });
  }
}

// Video coders want an even number of pixels.
function makeEven(value) {
  return 2 * Math.round(value / 2);
}
