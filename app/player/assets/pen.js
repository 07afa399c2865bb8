// What is drawn with a canvas pen, and where in the page a canvas lies.

export const CORNERS = {
  triangle: [[0, -1.1], [1, 0.75], [-1, 0.75]],
  wedge: [[0, 1.1], [1, -0.75], [-1, -0.75]],
  square: [[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]],
  pentagon: [[0, -1], [0.95, -0.3], [0.6, 0.85], [-0.6, 0.85], [-0.95, -0.3]],
  cross: [
    [-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35],
    [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35],
  ],
  diamond: [[0, -1.1], [1.1, 0], [0, 1.1], [-1.1, 0]],
};

export function traceShape(pen, shape, x, y, size) {
  if (shape === "circle") {
    pen.moveTo(x + size, y);
    pen.arc(x, y, size, 0, 2 * Math.PI);
    return;
  }
  CORNERS[shape].forEach(([dx, dy], i) => pen[i ? "lineTo" : "moveTo"](x + dx * size, y + dy * size));
  pen.closePath();
}

export function strokePath(pen, style, width) {
  pen.strokeStyle = style;
  pen.lineWidth = width;
  pen.stroke();
}

// Makes a canvas as large as its element; [width, height] in px, null where the element has no area.
export function fitCanvas(canvas, element, dpr) {
  const size = [element.clientWidth, element.clientHeight];
  canvas.width = Math.round(size[0] * dpr);
  canvas.height = Math.round(size[1] * dpr);
  return size[0] && size[1] ? size : null;
}

// How many times as large as its own pixels the page shows an element.
export function pageZoom(element) {
  return element.getBoundingClientRect().width / element.offsetWidth || 1;
}

// Where an event is in an element's own pixels.
export function locate(element, event) {
  const box = element.getBoundingClientRect();
  const zoom = box.width / element.clientWidth || 1;
  return [(event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom];
}
