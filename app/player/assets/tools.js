// The tools of the stage's head, such as "Edit points" and "Save". A tool is a class that is made with the stage and puts its buttons
// into `stage.actions`. All its methods are optional:
//
//   receive(side)        the page's `side` is in, at first and whenever it changes
//   key(event)           a key is pressed in the stage; true: it was the tool's
//   point(view, event)   pointerdown, pointermove, pointerup or pointerleave on a film's canvas; true: it was the tool's
//   draw(pen, view)      a film view has been drawn: the tool draws on top, in the view's px
//   close()              the stage leaves the page
//
// What a tool may use of the stage: `actions` (the element for buttons), `views` (FilmView: `ui.canvas`, `toPlane`, `fromPlane`,
// `film`, `shown`), `films`, `clock` (`seek`, `isPlaying`, `film.duration`), `timeline`, `side`, `whatIf.changePoints(points)` (previews with
// [[op, x, y]], newest first at 80 ms), `send(name, value)` (to the page: "edit", "take"), `invalidate()`, `announce(text)`
// (a screen reader's), `say(text)` (the chip over the film, "" takes it away), `theme`.

import { Editor } from "./edit.js";
import { Saver } from "./save.js";

export const TOOLS = [Editor, Saver];
