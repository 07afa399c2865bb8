// The units of chunks.

export const GRID = 48; // values along each side of the surface
export const UNIT = 8191; // coordinates are integers: the box of a scene reaches from -UNIT to UNIT
export const HALF = 127.5; // the surface's value at probability one half
export const SEEN = 128; // in a frame's `seen`: the bit of a row that the member saw; the rest is its hardness, in 1/127
