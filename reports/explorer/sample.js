// A trial's sample sheet, fetched from the folder only when it comes into view.

function sheetImage(grid, row, attributes) {
  if (!grid.rows.sheet[row]) return null;
  const id = grid.rows.trial_id[row];
  return make("img", { src: `sheets/${encodeURIComponent(id)}.png`, loading: "lazy", decoding: "async",
    alt: `96 samples of trial ${id}`, width: 384, height: 256, ...attributes });
}

function trialLink(grid, row, words, attributes) {
  const id = grid.rows.trial_id[row];
  return make("a", { href: hashWith({ trial: id }), "data-key": `trial ${id}`, ...attributes }, words ?? id);
}
