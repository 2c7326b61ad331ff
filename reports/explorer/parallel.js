// Parallel coordinates: one line per trial of the histogram over the axes that vary and the score. A stroke along an
// axis sets its filter. On a narrow screen the axes lie one below the other.

const READING = "Each line is a trial of the histogram. To set the filter of an axis, draw along it over the values "
  + "that you want to keep; a click takes the filter away. Lines are spread a little about the values.";
const BY_KEYBOARD = "The filters above choose the same from the keyboard.";
const LINES = { height: 340, top: 40, bottom: 30, side: 48, spread: 0.35 };
const STACKED = { gap: 58, top: 34, side: 18 }; // for axes one below the other

function showLines(grid, score, shown, passed) {
  const columns = lineColumns(grid, score);
  const container = find(".view.lines");
  const place = placeOf(columns.length, container.clientWidth || 0);
  const { width, height } = place;
  const canvas = make("canvas", { "aria-hidden": "true" });
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img",
    "aria-label": `Parallel coordinates of ${count(shown.length)} trials. ${BY_KEYBOARD}` },
  columns.map((column, i) => axisStrip(column, i, place)));
  rebuild(container,
    make("p", { class: "aside" }, READING),
    make("div", { class: "stack", style: `width: ${width}px; height: ${height}px` }, canvas, svg));
  const drawn = (row) => grid.inPrefix[row] && !Number.isNaN(score.values[row]);
  const others = [...passed.keys()].filter((row) => !passed[row] && drawn(row) && isShown(familyOf(grid, row).name));
  paint(canvas, grid, columns, place, others, shown.filter(drawn));
}

// Where things are: side by side where each axis has 84 pixels, else one below the other. `along` is the place of a
// share on every axis, `across` that of an axis, `at` puts both in the order x, y.
function placeOf(n, room) {
  if (room < 84 * n) {
    const width = Math.max(240, room);
    return {
      width, height: STACKED.top + STACKED.gap * n, isStacked: true,
      along: (share) => STACKED.side + share * (width - 2 * STACKED.side),
      across: (i) => STACKED.top + STACKED.gap * i,
      at: (along, across) => [along, across],
    };
  }
  return {
    width: room, height: LINES.height, isStacked: false,
    along: (share) => LINES.height - LINES.bottom - share * (LINES.height - LINES.top - LINES.bottom),
    across: (i) => LINES.side + ((room - 2 * LINES.side) * i) / Math.max(1, n - 1),
    at: (along, across) => [across, along],
  };
}

// Each with place(row): 0 at the bottom to 1 at the top, nan where a row has no value.
function lineColumns(grid, score) {
  const axes = grid.axes.filter((axis) => axis !== grid.outcomes);
  let top = 0;
  for (let row = 0; row < grid.n; row++) if (grid.inPrefix[row] && score.values[row] > top) top = score.values[row];
  const scored = numberColumn("range", score.label, (row) => score.values[row], 0, top || 1);
  return [...axes.map((axis) => (axis.numbers ? measured(axis) : stepped(axis))), scored];
}

function numberColumn(key, label, value, low, high) {
  const size = high - low || 1;
  const scale = ticks(size, 5).map((tick) => [tick / size, short(low + tick)]);
  // An end of the axis is an open end, so that rounding cuts off no value.
  const end = (share) => (share <= 0 || share >= 1 ? "" : short(low + share * size));
  const select = (a, b) => ({ [key]: a <= 0 && b >= 1 ? null : `${end(a)},${end(b)}` });
  const ends = bounds(get(key));
  const brushed = ends && [Math.max(0, (ends[0] - low) / size), Math.min(1, (ends[1] - low) / size)];
  return { key, label, scale, select, brushed, spread: 0, place: (row) => (value(row) - low) / size };
}

function measured(axis) {
  const values = axis.numbers.filter((value) => value != null);
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  return numberColumn(filterKey(axis), axis.name, (row) => axis.numbers[row] ?? NaN, low, high);
}

function stepped(axis) {
  const n = axis.values.length;
  const at = (code) => (code + 0.5) / n;
  const select = (a, b) => {
    const inside = axis.values.filter((_, code) => at(code) >= a && at(code) <= b);
    return { [filterKey(axis)]: inside.length && inside.length < n ? inside : null };
  };
  const codes = list(filterKey(axis)).map((value) => axis.values.indexOf(value)).filter((code) => code >= 0);
  const brushed = codes.length ? [Math.min(...codes) / n, (Math.max(...codes) + 1) / n] : null;
  const place = (row) => (axis.codes[row] < 0 ? NaN : at(axis.codes[row]));
  const scale = axis.values.map((value, code) => [at(code), value]);
  return { key: filterKey(axis), label: axis.name, scale, select, brushed, spread: LINES.spread / n, place };
}

function axisStrip(column, i, { along, across, at, isStacked }) {
  const middle = across(i);
  const box = (from, to, thickness) => {
    const [x, y] = at(Math.min(from, to), middle - thickness / 2);
    const [width, height] = at(Math.abs(to - from), thickness);
    return { x, y, width, height };
  };
  const [[x1, y1], [x2, y2]] = [at(along(0), middle), at(along(1), middle)];
  const brushed = (ends) => (ends ? box(along(ends[0]), along(ends[1]), 20) : { x: 0, y: 0, width: 0, height: 0 });
  const brush = draw("rect", { class: "brush", ...brushed(column.brushed) });
  const over = isStacked ? 12 : -8;
  const strip = draw("rect", { class: `grip${isStacked ? " level" : ""}`, "data-strip": column.key,
    ...box(along(0) - over, along(1) + over, 32) });
  strip.addEventListener("pointerdown", (event) => startBrush(event, strip, column, along,
    (ends) => Object.entries(brushed(ends)).forEach(([name, value]) => brush.setAttribute(name, value))));
  const name = isStacked ? { class: "name halo", x: x1, y: middle - 14 } : { class: "middle name", x: middle, y: 18 };
  const tick = ([share, words]) => (isStacked
    ? draw("text", { class: "tick middle halo", x: along(share), y: middle + 18 }, words)
    : draw("text", { class: "tick halo", x: middle + 7, y: along(share) + 4 }, words));
  return draw("g", {}, draw("text", name, column.label), draw("line", { class: "real", x1, x2, y1, y2 }), brush,
    column.scale.map(tick), strip);
}

function startBrush(event, strip, column, along, mark) {
  const svg = strip.ownerSVGElement;
  const isLevel = strip.classList.contains("level");
  const share = (e) => {
    const { left, top } = svg.getBoundingClientRect();
    const place = isLevel ? e.clientX - left : e.clientY - top;
    return Math.min(1, Math.max(0, (place - along(0)) / (along(1) - along(0))));
  };
  const start = share(event);
  const ends = (e) => [Math.min(start, share(e)), Math.max(start, share(e))];
  const stop = (e) => {
    const [a, b] = ends(e);
    const changes = b - a < 0.02 ? { [column.key]: null } : column.select(a, b);
    choose({ ...changes, bar: null, page: null });
  };
  strip.setPointerCapture(event.pointerId);
  strip.addEventListener("pointermove", (e) => mark(ends(e)));
  strip.addEventListener("pointerup", stop, { once: true });
  event.preventDefault();
}

let painting = 0;

// Paints after the page has answered, in parts, and gives up when there is something newer to paint.
function paint(canvas, grid, columns, place, others, lines) {
  const { width, height } = place;
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: width * ratio, height: height * ratio });
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const brush = canvas.getContext("2d");
  brush.scale(ratio, ratio);
  const style = getComputedStyle(home);
  const inks = grid.families.map(({ hue }) => style.getPropertyValue(`--${hue}`).trim());
  const alpha = Math.min(0.7, Math.max(0.08, 60 / Math.sqrt(lines.length * 40 + 1)));
  const rule = style.getPropertyValue("--rule").trim();
  const behind = others.map((row) => [row, rule, 0.25]);
  const work = [...behind, ...lines.map((row) => [row, inks[grid.family[row]], alpha])];
  const job = ++painting;
  const part = (from) => {
    if (job !== painting) return;
    for (const [row, ink, strength] of work.slice(from, from + 1500)) {
      brush.strokeStyle = ink;
      brush.globalAlpha = strength;
      stroke(brush, columns, place, row);
    }
    if (from + 1500 < work.length) requestAnimationFrame(() => part(from + 1500));
    else canvas.dataset.painted = work.length;
  };
  requestAnimationFrame(() => part(0));
}

function stroke(brush, columns, { along, across, at }, row) {
  brush.beginPath();
  let pen = false;
  columns.forEach((column, i) => {
    const share = column.place(row);
    if (Number.isNaN(share)) return; // the line goes on to the next axis that it has
    const shift = column.spread * (((row * 7919 + i * 104729) % 997) / 997 - 0.5);
    const [x, y] = at(along(share + shift), across(i));
    if (pen) brush.lineTo(x, y);
    else brush.moveTo(x, y);
    pen = true;
  });
  brush.stroke();
}
