// Parallel coordinates: one line per drawn trial over the axes that vary and the score. A stroke along an axis sets its
// filter.

const READING = "Each line is a drawn trial. To set the filter of an axis, draw along it over the values that you want "
  + "to keep; a click takes the filter away. Lines are spread a little about the values.";
const BY_KEYBOARD = "The filters above choose the same from the keyboard.";
const LINES = { height: 340, top: 40, bottom: 30, side: 48, spread: 0.35 };

function showLines(grid, score, shown, passed) {
  const columns = lineColumns(grid, score);
  const container = find(".view.lines");
  const width = Math.max(container.clientWidth || 0, 84 * columns.length);
  const x = (i) => LINES.side + ((width - 2 * LINES.side) * i) / Math.max(1, columns.length - 1);
  const canvas = make("canvas", { "aria-hidden": "true" });
  const svg = draw("svg", { viewBox: `0 0 ${width} ${LINES.height}`, width, height: LINES.height, role: "img",
    "aria-label": `Parallel coordinates of ${count(shown.length)} trials. ${BY_KEYBOARD}` },
  columns.map((column, i) => axisStrip(column, x(i))));
  rebuild(container,
    make("p", { class: "aside" }, READING),
    make("div", { class: "wide" }, make("div", { class: "stack", style: `width: ${width}px` }, canvas, svg)));
  const drawn = (row) => grid.known[row] && !Number.isNaN(score.values[row]);
  const others = [...passed.keys()].filter((row) => !passed[row] && drawn(row) && isShown(familyOf(grid, row).name));
  paint(canvas, width, grid, columns, x, others, shown.filter(drawn));
}

// Each with place(row): 0 at the bottom to 1 at the top, nan where a row has no value.
function lineColumns(grid, score) {
  const axes = grid.axes.filter((axis) => axis !== grid.outcomes);
  let top = 0;
  for (let row = 0; row < grid.n; row++) if (grid.known[row] && score.values[row] > top) top = score.values[row];
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
  return numberColumn(filterKey(axis), axis.label, (row) => axis.numbers[row] ?? NaN, low, high);
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
  return { key: filterKey(axis), label: axis.label, scale, select, brushed, spread: LINES.spread / n, place };
}

const level = (share) => LINES.height - LINES.bottom - share * (LINES.height - LINES.top - LINES.bottom);

function axisStrip(column, x) {
  const brush = draw("rect", { class: "brush", x: x - 10, width: 20, ...span(column.brushed) });
  const strip = draw("rect", { class: "grip", "data-strip": column.key, x: x - 16, width: 32,
    y: LINES.top - 8, height: LINES.height - LINES.top - LINES.bottom + 16 });
  strip.addEventListener("pointerdown", (event) => startBrush(event, strip, brush, column));
  return draw("g", {},
    draw("text", { class: "tick middle name", x, y: 18 }, column.label),
    draw("line", { class: "real", x1: x, x2: x, y1: level(0), y2: level(1) }), brush,
    column.scale.map(([share, words]) => draw("text", { class: "tick halo", x: x + 7, y: level(share) + 4 }, words)),
    strip);
}

function span(ends) {
  return ends ? { y: level(ends[1]), height: Math.max(2, level(ends[0]) - level(ends[1])) } : { y: 0, height: 0 };
}

function startBrush(event, strip, brush, column) {
  const svg = strip.ownerSVGElement;
  const share = (e) => {
    const y = e.clientY - svg.getBoundingClientRect().top;
    return Math.min(1, Math.max(0, (level(0) - y) / (level(0) - level(1))));
  };
  const start = share(event);
  const ends = (e) => [Math.min(start, share(e)), Math.max(start, share(e))];
  const move = (e) => Object.entries(span(ends(e))).forEach(([name, value]) => brush.setAttribute(name, value));
  const stop = (e) => {
    const [a, b] = ends(e);
    const changes = b - a < 0.02 ? { [column.key]: null } : column.select(a, b);
    choose({ ...changes, bar: null, page: null });
  };
  strip.setPointerCapture(event.pointerId);
  strip.addEventListener("pointermove", move);
  strip.addEventListener("pointerup", stop, { once: true });
  event.preventDefault();
}

let painting = 0;

// Paints after the page has answered, in parts, and gives up when there is something newer to paint.
function paint(canvas, width, grid, columns, x, others, lines) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas, { width: width * ratio, height: LINES.height * ratio });
  canvas.style.width = `${width}px`;
  canvas.style.height = `${LINES.height}px`;
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
      stroke(brush, columns, x, row);
    }
    if (from + 1500 < work.length) requestAnimationFrame(() => part(from + 1500));
    else canvas.dataset.painted = work.length;
  };
  requestAnimationFrame(() => part(0));
}

function stroke(brush, columns, x, row) {
  brush.beginPath();
  let pen = false;
  columns.forEach((column, i) => {
    const place = column.place(row);
    if (Number.isNaN(place)) return; // the line goes on to the next axis that it has
    const shift = column.spread * (((row * 7919 + i * 104729) % 997) / 997 - 0.5);
    if (pen) brush.lineTo(x(i), level(place + shift));
    else brush.moveTo(x(i), level(place + shift));
    pen = true;
  });
  brush.stroke();
}
