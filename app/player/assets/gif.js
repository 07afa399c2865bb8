// Writes an animated GIF: one fixed palette, LZW, and of every frame only what has changed. As a worker it takes `start`, then
// `frame` by `frame` the pixels of a picture, and answers each with `taken` and `end` with the file.

export const SURFACE_STEPS = 160; // of the palette: shades of the surface
const MARKS = 95; // of the palette: all other colours
const UNCHANGED = 255; // the palette's last number: the pixel stays as it was
const MOST_CODES = 4096;
const COARSER = [1, 2, 4, 8]; // steps of the surface that become one, until the file is small enough

// 768 bytes: the surface's shades, then the marks and what lies between them, in this order, as far as there is room.
// ramp: the surface's colours, 3 bytes each; marks: [[red, green, blue], ...], the most important first.
export function makePalette(ramp, marks) {
  const palette = new Uint8Array(768);
  const shades = ramp.length / 3;
  for (let step = 0; step < SURFACE_STEPS; step++) {
    const at = Math.round((step / (SURFACE_STEPS - 1)) * (shades - 1)) * 3;
    palette.set([ramp[at], ramp[at + 1], ramp[at + 2]], 3 * step);
  }
  const mixes = [];
  for (const share of [0.5, 0.25, 0.75]) {
    for (let a = 0; a < marks.length; a++) {
      for (let b = 0; b < Math.min(a, 4); b++) mixes.push(marks[a].map((value, c) => value + (marks[b][c] - value) * share));
    }
  }
  const others = [...marks, ...mixes].slice(0, MARKS);
  others.forEach((colour, i) => palette.set(colour.map(Math.round), 3 * (SURFACE_STEPS + i)));
  for (let i = others.length; i <= MARKS; i++) palette.set(marks[0].map(Math.round), 3 * (SURFACE_STEPS + i));
  return palette;
}

// Finds the nearest colour of a palette, and remembers it.
export class Quantiser {
  constructor(palette) {
    this.palette = palette;
    this.found = new Uint8Array(1 << 24);
    this.isKnown = new Uint8Array(1 << 24);
  }

  // rgba: 4 bytes a pixel -> the number of a colour for each.
  convert(rgba) {
    const out = new Uint8Array(rgba.length / 4);
    for (let i = 0, byte = 0; i < out.length; i++, byte += 4) {
      const key = (rgba[byte] << 16) | (rgba[byte + 1] << 8) | rgba[byte + 2];
      if (!this.isKnown[key]) {
        this.isKnown[key] = 1;
        this.found[key] = this.search(rgba[byte], rgba[byte + 1], rgba[byte + 2]);
      }
      out[i] = this.found[key];
    }
    return out;
  }

  search(red, green, blue) {
    const { palette } = this;
    let nearest = Infinity;
    let found = 0;
    for (let i = 0; i < UNCHANGED; i++) {
      const distance = 3 * (palette[3 * i] - red) ** 2 + 4 * (palette[3 * i + 1] - green) ** 2 + 2 * (palette[3 * i + 2] - blue) ** 2;
      if (distance < nearest) [nearest, found] = [distance, i];
    }
    return found;
  }
}

// A GIF of pictures that are given as numbers of the palette's colours. delays: hundredths of a second, one a picture. limit:
// bytes; the surface gets fewer steps until the file is below it, or has the fewest.
export function writeGif(pictures, { width, height, palette, delays, limit = Infinity }) {
  for (const coarser of COARSER) {
    const out = writePictures(pictures, { width, height, palette, delays, coarser });
    if (out.length <= limit || coarser === COARSER.at(-1)) return out;
  }
}

function writePictures(pictures, { width, height, palette, delays, coarser }) {
  const out = new Bytes();
  out.text("GIF89a").short(width).short(height).byte(0xf7, 0, 0).all(palette);
  out.byte(0x21, 0xff, 11).text("NETSCAPE2.0").byte(3, 1, 0, 0, 0); // plays again and again
  const shown = new Uint8Array(width * height).fill(UNCHANGED);
  pictures.forEach((picture, number) => {
    const { left, top, right, bottom, pixels } = findChange(shown, picture, width, height, coarser);
    out.byte(0x21, 0xf9, 4, 0x05).short(delays[number]).byte(UNCHANGED, 0); // what is left out stays
    out.byte(0x2c).short(left).short(top).short(right - left).short(bottom - top).byte(0);
    compress(pixels, out);
  });
  return out.byte(0x3b).take();
}

// The box that holds every pixel which differs from what is shown, and its pixels; `shown` is brought up to date. A shade of
// the surface next to the one shown counts as the same.
function findChange(shown, picture, width, height, coarser) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  const changed = new Uint8Array(picture.length).fill(UNCHANGED);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const value = picture[i] < SURFACE_STEPS ? picture[i] - (picture[i] % coarser) : picture[i];
      if (value === shown[i]) continue;
      if (value < SURFACE_STEPS && shown[i] < SURFACE_STEPS && Math.abs(value - shown[i]) <= coarser) continue;
      changed[i] = shown[i] = value;
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      if (y < top) top = y;
      bottom = y + 1;
    }
  }
  if (left >= right) return { left: 0, top: 0, right: 1, bottom: 1, pixels: changed.subarray(0, 1) };
  const pixels = new Uint8Array((right - left) * (bottom - top));
  for (let y = top; y < bottom; y++) pixels.set(changed.subarray(y * width + left, y * width + right), (y - top) * (right - left));
  return { left, top, right, bottom, pixels };
}

// LZW with codes of 9 to 12 bits, in blocks of at most 255 bytes.
function compress(pixels, out) {
  const [clear, end] = [256, 257];
  const table = new Int32Array(MOST_CODES * 256); // prefix and value -> the code of both; 0: none
  const used = [];
  let next = end + 1;
  let width = 9;
  let bits = 0;
  let held = 0;
  const block = new Uint8Array(255);
  let filled = 0;
  const flush = () => {
    if (!filled) return;
    out.byte(filled).all(block.subarray(0, filled));
    filled = 0;
  };
  const emit = (code) => {
    bits |= code << held;
    held += width;
    while (held >= 8) {
      block[filled++] = bits & 255;
      if (filled === 255) flush();
      bits >>>= 8;
      held -= 8;
    }
  };
  out.byte(8);
  emit(clear);
  let prefix = pixels[0];
  for (let i = 1; i < pixels.length; i++) {
    const key = (prefix << 8) | pixels[i];
    if (table[key]) {
      prefix = table[key];
      continue;
    }
    emit(prefix);
    prefix = pixels[i];
    if (next < MOST_CODES) {
      table[key] = next;
      used.push(key);
      if (next === 1 << width && width < 12) width += 1;
      next += 1;
    } else {
      emit(clear);
      for (const old of used) table[old] = 0;
      used.length = 0;
      next = end + 1;
      width = 9;
    }
  }
  emit(prefix);
  if (next === 1 << width && width < 12) width += 1;
  emit(end);
  if (held) {
    block[filled++] = bits & 255;
    if (filled === 255) flush();
  }
  flush();
  out.byte(0);
}

// A buffer that grows.
class Bytes {
  constructor() {
    this.buffer = new Uint8Array(1 << 16);
    this.length = 0;
  }

  all(values) {
    if (this.length + values.length > this.buffer.length) {
      const larger = new Uint8Array(2 * (this.length + values.length));
      larger.set(this.buffer.subarray(0, this.length));
      this.buffer = larger;
    }
    this.buffer.set(values, this.length);
    this.length += values.length;
    return this;
  }

  byte(...values) { return this.all(values); }
  short(value) { return this.all([value & 255, value >> 8]); }
  text(value) { return this.all([...value].map((letter) => letter.charCodeAt(0))); }
  take() { return this.buffer.slice(0, this.length); }
}

// ---- as a worker ----

if (typeof WorkerGlobalScope !== "undefined" && globalThis instanceof WorkerGlobalScope) {
  let job = null;
  globalThis.onmessage = ({ data }) => {
    if (data.start) job = { ...data.start, quantiser: new Quantiser(data.start.palette), pictures: [], delays: [] };
    if (data.frame) {
      job.pictures.push(job.quantiser.convert(new Uint8Array(data.frame)));
      job.delays.push(data.delay);
      globalThis.postMessage({ taken: job.pictures.length });
    }
    if (data.end) {
      const file = writeGif(job.pictures, job);
      globalThis.postMessage({ file }, [file.buffer]);
    }
  };
}
