// Texts of Save and Edit points.

export const SAVE = {
  button: "Save",
  hint: "Save the film (S)",
  formats: {
    png: "Picture, PNG",
    webm: "Video, WebM",
    gif: "Animation, GIF",
    small: "Small animation, GIF below 2 MB",
    html: "Page to play offline, HTML",
  },
  noVideo: "This browser records no video.",
  saving: "Saving",
  stop: "Stop",
  saved: "The file is saved.",
  stopped: "Saving was stopped.",
  preview: "Preview: one split, few epochs.",
  failed: "The file could not be made.",
  page: {
    dark: "Dark",
    light: "Light",
    differences: "Differences in average precision, paired by replicate",
    interval: "95% interval {low} to {high}",
    made: "Made with Imbalance Lab.",
  },
};

export const EDIT = {
  button: "Edit points",
  hint: "Add minority points to the training rows (E)",
  help: "Click to add a point, drag to move it, click it to remove it.",
  undo: "Undo",
  clear: "Remove all",
  done: "Done",
  place: "Point {number} of {most} at {x}, {y}.",
  removed: "Point removed. {count} left.",
  undone: "Undone. {count} of {most}.",
  cleared: "All added points removed.",
  tooMany: "At most {most} points.",
  begun: "Editing points. Arrows move the cross, Enter adds a point, Delete removes one, Escape leaves.",
  left: "Editing ended.",
  waiting: "The place of the points is not known yet.",
  count: "{count} of {most}",
};
