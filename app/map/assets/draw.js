// Draws points into the pixels of a canvas: 100,000 of them in a few milliseconds, which paths of the canvas do not reach.

import { SYNTHETIC, TEST, TRAIN } from "./data.js";

const MANY = 20000; // points from which marks are small
const FAINT = 0.22; // opacity of what is not selected, relative to what is

// A mark as opacities [side x side]; inside(x, y): whether a place, from the middle, in px, is in it.
function makeMask(reach, dpr, inside) {
  const half = Math.ceil(reach * dpr);
  const side = 2 * half + 1;
  const cells = []; // [column, row, opacity of 256] of those that are in it
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      let hits = 0;
      for (let a = 0; a < 16; a++) {
        const x = (column - half + ((a % 4) - 1.5) / 4) / dpr;
        const y = (row - half + (Math.floor(a / 4) - 1.5) / 4) / dpr;
        if (inside(x, y)) hits += 1;
      }
      if (hits) cells.push([column - half, row - half, hits * 16]);
    }
  }
  return { half, cells };
}

function makeMarks(n, dpr) {
  const size = n > MANY ? 1.5 : n > 4000 ? 2.4 : 3;
  const thick = n > MANY ? 0.5 : 0.75;
  const arm = size + 0.6;
  const isCross = (x, y) => Math.abs(Math.abs(x) - Math.abs(y)) <= thick * 1.42 && Math.max(Math.abs(x), Math.abs(y)) <= arm;
  const isRing = (x, y) => Math.abs(Math.hypot(x, y) - size) <= thick;
  return {
    dot: makeMask(size + 0.5, dpr, (x, y) => Math.hypot(x, y) <= size),
    cross: makeMask(arm + 0.5, dpr, isCross),
    ring: makeMask(size + 1.5, dpr, isRing),
    error: makeMask(size + 4, dpr, (x, y) => Math.abs(Math.hypot(x, y) - size - 2.6) <= 0.8),
  };
}

export function readColour(text) {
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
}

export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.picture = null;
    this.marks = null;
    this.marksFor = "";
  }

  resize(width, height, dpr) {
    this.width = Math.max(1, Math.round(width * dpr));
    this.height = Math.max(1, Math.round(height * dpr));
    this.dpr = dpr;
    if (this.canvas.width !== this.width || this.canvas.height !== this.height) {
      this.canvas.width = this.width;
      this.canvas.height = this.height;
    }
    this.picture = this.context.createImageData(this.width, this.height);
    this.whole = new Uint32Array(this.picture.data.buffer);
  }

  // Draws all shown points. xy: places; view: {x, y, scale} turns them into px; look: what is shown, see map.js.
  drawPoints(xy, view, look) {
    const n = xy.length / 2;
    if (this.marksFor !== `${n > MANY}|${n > 4000}|${this.dpr}`) {
      this.marks = makeMarks(n, this.dpr);
      this.marksFor = `${n > MANY}|${n > 4000}|${this.dpr}`;
    }
    const [red, green, blue] = readColour(look.paper);
    this.whole.fill((255 << 24) | (blue << 16) | (green << 8) | red);
    const masks = [this.marks.dot, this.marks.ring, this.marks.cross];
    const { part, y } = look.scene;
    const scale = view.scale * this.dpr;
    const left = (look.width / 2) * this.dpr - view.x * scale;
    const top = (look.height / 2) * this.dpr + view.y * scale;
    let drawn = 0;
    for (const kind of [TEST, TRAIN, SYNTHETIC]) {
      if (!look.kinds[kind]) continue;
      const opacity = n > MANY ? 1 : kind === TRAIN ? 0.8 : 0.92;
      const strong = this.layOut(masks[kind], opacity);
      const faint = this.layOut(masks[kind], opacity * FAINT);
      for (let i = 0; i < n; i++) {
        if (part[i] !== kind) continue;
        const [red, green, blue] = look.colours[y[i]];
        const mask = look.selected && !look.selected[i] ? faint : strong;
        this.stamp(left + xy[2 * i] * scale, top - xy[2 * i + 1] * scale, mask, red, green, blue);
        drawn += 1;
      }
    }
    if (look.errors) {
      const mask = this.layOut(this.marks.error, 1);
      for (const i of look.errors) this.stamp(left + xy[2 * i] * scale, top - xy[2 * i + 1] * scale, mask, ...readColour(look.ink));
    }
    this.context.putImageData(this.picture, 0, 0);
    return drawn;
  }

  // The cells of a mask for this canvas: how far each lies from the middle, and its opacity of 256.
  layOut(mask, opacity) {
    return {
      half: mask.half,
      offsets: Int32Array.from(mask.cells, ([column, row]) => row * this.width + column),
      strengths: Uint16Array.from(mask.cells, ([, , hits]) => Math.round(hits * opacity)),
    };
  }

  // Draws a mark; one that is not wholly within the canvas is left out.
  stamp(x, y, { half, offsets, strengths }, red, green, blue) {
    const column = Math.round(x);
    const row = Math.round(y);
    if (!(column >= half && row >= half && column < this.width - half && row < this.height - half)) return;
    const { data } = this.picture;
    const middle = row * this.width + column;
    const solid = (255 << 24) | (blue << 16) | (green << 8) | red;
    for (let k = 0; k < offsets.length; k++) {
      const strength = strengths[k];
      if (strength > 250) {
        this.whole[middle + offsets[k]] = solid;
        continue;
      }
      const at = (middle + offsets[k]) * 4;
      data[at] += ((red - data[at]) * strength) >> 8;
      data[at + 1] += ((green - data[at + 1]) * strength) >> 8;
      data[at + 2] += ((blue - data[at + 2]) * strength) >> 8;
    }
  }
}

// Where the name of each class stands: outside its cloud, away from other points and names. Places of the map, or null for a class
// that is not there. toPx(i): where point i is drawn; size(name): its [width, height] in px.
export function placeNames(names, shown, classOf, toPx, size, box) {
  const step = Math.max(1, Math.floor(shown.length / 3000));
  const clouds = names.map(() => []);
  const all = [];
  for (let k = 0; k < shown.length; k += step) {
    const at = toPx(shown[k]);
    clouds[classOf[shown[k]]]?.push(at);
    all.push(at);
  }
  const taken = [];
  return names.map((name, c) => {
    const cloud = clouds[c];
    if (!cloud.length) return null;
    const middle = [0, 1].map((axis) => cloud.map((at) => at[axis]).sort((a, b) => a - b)[cloud.length >> 1]);
    const [width, height] = size(name);
    let best = null;
    for (const far of [0.8, 0.95, 1]) {
      for (let turn = 0; turn < 16; turn++) {
        const [right, down] = [Math.cos((turn * Math.PI) / 8), Math.sin((turn * Math.PI) / 8)];
        const along = cloud.map((at) => (at[0] - middle[0]) * right + (at[1] - middle[1]) * down).sort((a, b) => a - b);
        const edge = along[Math.min(along.length - 1, Math.floor(far * along.length))];
        const away = Math.min(Math.max(0, edge), 160) + 8 + (Math.abs(right) * width + Math.abs(down) * height) / 2;
        const x = middle[0] + right * away;
        const y = middle[1] + down * away;
        const [halfWidth, halfHeight] = [width / 2 + 4, height / 2 + 3];
        let cost = away / 40;
        if (x < halfWidth || y < halfHeight || x > box.width - halfWidth || y > box.height - halfHeight) cost += 60;
        for (const at of all) if (Math.abs(at[0] - x) < halfWidth && Math.abs(at[1] - y) < halfHeight) cost += 8;
        for (const other of taken) {
          if (Math.abs(other.x - x) < halfWidth + other.width / 2 && Math.abs(other.y - y) < halfHeight + other.height / 2) cost += 80;
        }
        if (!best || cost < best.cost) best = { cost, x, y, width, height };
      }
    }
    taken.push(best);
    return best;
  });
}
