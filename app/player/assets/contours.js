// Where the surface is one half: lines through its grid.

import { GRID, HALF } from "./units.js";

// Marching squares at one half: lines of [x, y, x, y, ...] in grid units, closed ones end where they began.
export function findContours(values) {
  const { links, edges } = linkEdges(values);
  const isVisited = new Uint8Array(2 * GRID * GRID);
  const lines = [];
  const follow = (start) => {
    const line = [];
    let edge = start;
    while (edge >= 0 && !isVisited[edge]) {
      isVisited[edge] = 1;
      line.push(...crossEdge(values, edge));
      const one = links[2 * edge];
      const two = links[2 * edge + 1];
      if (one >= 0 && !isVisited[one]) edge = one;
      else if (two >= 0 && !isVisited[two]) edge = two;
      else edge = one === start || two === start ? start : -1;
      if (edge === start) {
        line.push(line[0], line[1]);
        break;
      }
    }
    if (line.length >= 4) lines.push(smoothLine(line));
  };
  for (const edge of edges) if (!isVisited[edge] && links[2 * edge + 1] < 0) follow(edge); // open lines from their ends
  for (const edge of edges) if (!isVisited[edge]) follow(edge);
  return lines;
}

// The grid's edges that the contour crosses, and for each the one or two edges its line goes on to (-1: none). Edge 2 * at goes
// from value `at` to the right, edge 2 * at + 1 up.
function linkEdges(values) {
  const links = new Int32Array(2 * GRID * GRID * 2).fill(-1);
  const join = (a, b) => {
    links[2 * a + (links[2 * a] < 0 ? 0 : 1)] = b;
    links[2 * b + (links[2 * b] < 0 ? 0 : 1)] = a;
  };
  const edges = [];
  for (let y = 0; y < GRID - 1; y++) {
    for (let x = 0; x < GRID - 1; x++) {
      const at = y * GRID + x;
      const a = values[at] > HALF;
      const b = values[at + 1] > HALF;
      const c = values[at + GRID + 1] > HALF;
      const d = values[at + GRID] > HALF;
      if (a === b && b === c && c === d) continue;
      const [bottom, right, top, left] = [2 * at, 2 * (at + 1) + 1, 2 * (at + GRID), 2 * at + 1];
      const crossed = [];
      if (a !== b) crossed.push(bottom);
      if (b !== c) crossed.push(right);
      if (c !== d) crossed.push(top);
      if (d !== a) crossed.push(left);
      edges.push(...crossed);
      if (crossed.length === 2) join(crossed[0], crossed[1]);
      else {
        const middle = (values[at] + values[at + 1] + values[at + GRID] + values[at + GRID + 1]) / 4 > HALF;
        if (middle === a) { join(bottom, right); join(top, left); } else { join(bottom, left); join(top, right); }
      }
    }
  }
  return { links, edges };
}

// Where the contour crosses an edge, in grid units.
function crossEdge(values, edge) {
  const at = edge >> 1;
  const isUp = edge & 1;
  const x = at % GRID;
  const y = (at - x) / GRID;
  const t = (HALF - values[at]) / (values[isUp ? at + GRID : at + 1] - values[at]);
  return isUp ? [x, y + t] : [x + t, y];
}

// The surface comes in 256 steps, which make a line through flat ground jitter: each inner point moves half way to the middle
// of its neighbours, twice; that is less than half a cell.
function smoothLine(line) {
  for (let pass = 0; pass < 2; pass++) {
    let [x, y] = line;
    for (let i = 2; i < line.length - 2; i += 2) {
      const [oldX, oldY] = [line[i], line[i + 1]];
      line[i] = (x + 2 * oldX + line[i + 2]) / 4;
      line[i + 1] = (y + 2 * oldY + line[i + 3]) / 4;
      [x, y] = [oldX, oldY];
    }
  }
  return line;
}

// Adds a line through the middles of its pieces to the path, rounded at its corners.
export function traceLine(pen, line, left, bottom, cellX, cellY) {
  const x = (i) => left + line[2 * i] * cellX;
  const y = (i) => bottom - line[2 * i + 1] * cellY;
  const count = line.length / 2;
  pen.moveTo(x(0), y(0));
  for (let i = 1; i < count - 1; i++) pen.quadraticCurveTo(x(i), y(i), (x(i) + x(i + 1)) / 2, (y(i) + y(i + 1)) / 2);
  pen.lineTo(x(count - 1), y(count - 1));
}
