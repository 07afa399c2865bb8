// What a map is drawn from: the arrays that app/map/__init__.py packs, read once, and an index that finds the nearest point.

const TYPES = { u1: Uint8Array, u2: Uint16Array, i2: Int16Array, i4: Int32Array, f4: Float32Array };
export const UNIT = 32767; // positions are integers: a map reaches from -UNIT to UNIT on its longer side
export const TRAIN = 0;
export const TEST = 1;
export const SYNTHETIC = 2;

// A message as {head, arrays by name}: u32 length of the head | head, JSON | zlib of the arrays, each filled up to 4 bytes.
export async function readMessage(data) {
  const bytes = data.slice(); // a copy: Streamlit keeps its buffer, and the copy is aligned
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const packed = new Blob([bytes.subarray(4 + length)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const body = await new Response(packed).arrayBuffer();
  const arrays = {};
  let at = 0;
  for (const [name, type, count] of head.arrays) {
    const array = new TYPES[type](body, at, count);
    arrays[name] = array;
    at += Math.ceil(array.byteLength / 4) * 4;
  }
  return { head, arrays };
}

// The middle half-width that a map is first seen at: all but the outermost 1 of 200 points on each side.
export function findBox(xy) {
  const sides = [0, 1].map((axis) => {
    const values = Float32Array.from({ length: xy.length / 2 }, (_, i) => xy[2 * i + axis]).sort();
    const cut = Math.floor(values.length / 200);
    return [values[cut], values[values.length - 1 - cut]];
  });
  return { left: sides[0][0], right: sides[0][1], low: sides[1][0], high: sides[1][1] };
}

// Points sorted into square cells, so that the nearest one to a place is found among a few.
export class Grid {
  constructor(xy, keep) {
    const n = xy.length / 2;
    this.xy = xy;
    this.side = Math.max(1, Math.min(256, Math.round(Math.sqrt(n / 4))));
    this.starts = new Uint32Array(this.side * this.side + 1);
    const cells = new Uint32Array(n);
    let kept = 0;
    for (let i = 0; i < n; i++) {
      if (!keep(i)) continue;
      cells[i] = this.cellOf(xy[2 * i], xy[2 * i + 1]);
      this.starts[cells[i] + 1] += 1;
      kept += 1;
    }
    for (let cell = 0; cell < this.side * this.side; cell++) this.starts[cell + 1] += this.starts[cell];
    this.items = new Uint32Array(kept);
    const next = this.starts.slice();
    for (let i = 0; i < n; i++) if (keep(i)) this.items[next[cells[i]]++] = i;
  }

  column(value) {
    return Math.max(0, Math.min(this.side - 1, Math.floor(((value / UNIT + 1) / 2) * this.side)));
  }

  cellOf(x, y) {
    return this.column(y) * this.side + this.column(x);
  }

  // The nearest point within `reach` of a place, -1 where there is none.
  findNearest(x, y, reach) {
    let best = -1;
    let least = reach * reach;
    for (let row = this.column(y - reach); row <= this.column(y + reach); row++) {
      for (let column = this.column(x - reach); column <= this.column(x + reach); column++) {
        const cell = row * this.side + column;
        for (let at = this.starts[cell]; at < this.starts[cell + 1]; at++) {
          const i = this.items[at];
          const far = (this.xy[2 * i] - x) ** 2 + (this.xy[2 * i + 1] - y) ** 2;
          if (far < least) [best, least] = [i, far];
        }
      }
    }
    return best;
  }

  // The nearest point in a direction (dx, dy) from a place: one off the way counts as three times as far; -1 where there is none.
  findToward(x, y, dx, dy, from) {
    let best = -1;
    let least = Infinity;
    for (const i of this.items) {
      const right = this.xy[2 * i] - x;
      const up = this.xy[2 * i + 1] - y;
      const along = right * dx + up * dy;
      const off = Math.abs(right * dy - up * dx);
      if (i === from || along <= 0 || off > along) continue;
      if (along + 2 * off < least) [best, least] = [i, along + 2 * off];
    }
    return best;
  }

  // Points within a polygon [x, y, x, y, ...].
  findInside(polygon) {
    const found = [];
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let k = 0; k < polygon.length; k += 2) {
      left = Math.min(left, polygon[k]);
      right = Math.max(right, polygon[k]);
      low = Math.min(low, polygon[k + 1]);
      high = Math.max(high, polygon[k + 1]);
    }
    for (const i of this.items) {
      const x = this.xy[2 * i];
      const y = this.xy[2 * i + 1];
      if (x >= left && x <= right && y >= low && y <= high && isInside(polygon, x, y)) found.push(i);
    }
    return found.sort((a, b) => a - b);
  }
}

function isInside(polygon, x, y) {
  let inside = false;
  for (let k = 0, before = polygon.length - 2; k < polygon.length; before = k, k += 2) {
    const [ax, ay, bx, by] = [polygon[k], polygon[k + 1], polygon[before], polygon[before + 1]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}
