// A trial's sample sheet, fetched from the folder only when it comes into view; its marks; the link to its page.

const LEFT_OUT = "not in this copy of the report; it is in the database";

function sheetImage(grid, row, attributes) {
  if (grid.rows.sheet[row] !== 1) return null;
  const id = grid.rows.trial_id[row];
  return make("img", { src: `sheets/${encodeURIComponent(id)}.png`, loading: "lazy", decoding: "async",
    alt: `96 samples of trial ${id}`, width: 384, height: 256, ...attributes });
}

// Why there is no sheet.
function absentWords(grid, row) {
  if (grid.rows.sheet[row] === 2) return LEFT_OUT;
  return grid.outcome(row) === "scored" ? "no sample sheet" : grid.outcome(row);
}

function markTags(grid, row) {
  return marksOf(grid, row).map(({ label, meaning }) => make("abbr", { class: "mark", title: meaning }, label));
}

function trialLink(grid, row, words, attributes) {
  const id = grid.rows.trial_id[row];
  return make("a", { href: hashWith({ trial: id }), title: `trial ${id}`, ...attributes }, words ?? id);
}
