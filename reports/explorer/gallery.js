// Samples at quantiles of each family's scores, side by side.

const QUANTILES = [0, 10, 25, 50, 75, 90, 100]; // as sheets.py has them
const NAMES = { 0: "lowest score", 50: "median", 100: "highest score" };
const SAME_NOISE = " All sheets use the same noise z, so the same place in two sheets can be compared.";

function showGallery(grid, score, shown) {
  const columns = grid.families.map((family, code) => {
    const own = shown.filter((row) =>
      grid.family[row] === code && grid.inPrefix[row] && !Number.isNaN(score.values[row]));
    own.sort((a, b) => score.values[a] - score.values[b] || a - b);
    return [family, own];
  }).filter(([, own]) => own.length);
  rebuild(find(".view.samples"),
    make("p", { class: "aside" },
      `Trials at quantiles of ${score.label}, of the trials in the histogram that pass the filters.`,
      grid.rows.sheet.includes(1) ? SAME_NOISE : null),
    QUANTILES.map((percent) => make("section", { class: "quantile" },
      make("h5", {}, NAMES[percent] ?? `${percent} %`),
      make("div", { class: "gallery" },
        columns.map(([, own]) => card(grid, own[Math.round((percent / 100) * (own.length - 1))]))))),
    !columns.length && make("p", {}, "No trial of the histogram passes the filters."));
}
