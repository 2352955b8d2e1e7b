// Charts, drawn as SVG at the width that there is.

/** Steps for an axis: 1, 2 or 5 times a power of ten, `about` of them. */
function steps(most, about) {
  const raw = most / about || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = Math.max(1, [1, 2, 5, 10].find((factor) => factor * power >= raw) * power);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, k) => k * step);
}

/** Steps in time that a clock shows: seconds since 1970, at most `about` of them. */
function ticks(from, to, about) {
  const units = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
  let unit = units.find((size) => (to - from) / size <= about);
  unit ||= 86400 * Math.ceil((to - from) / 86400 / about);
  const shift = from ? new Date(from * 1000).getTimezoneOffset() * 60 : 0;
  const found = [];
  for (let at = Math.ceil((from - shift) / unit) * unit + shift; at <= to; at += unit) found.push(at);
  return [found, unit];
}

/** How many of the times lie at or before each of `count` equal steps from `from` to `to`. */
function running(times, from, to, count) {
  const bins = new Array(count + 1).fill(0);
  const size = (to - from) / count || 1;
  for (const time of times) bins[Math.min(count, Math.max(0, Math.ceil((time - from) / size)))]++;
  let sum = 0;
  return bins.map((bin) => (sum += bin));
}

/** Submitted and finished, counted up over time; the band between the two is what was under way. A sentence for few. */
function timeline(jobs, width) {
  const submitted = [];
  const finished = [];
  for (let i = 0; i < jobs.size; i++) {
    const [begin, end] = [jobs.number("submitted_at", i), jobs.number("finished_at", i)];
    if (begin) submitted.push(begin);
    if (begin && end) finished.push(end);
  }
  if (!submitted.length) return "Nothing has been submitted yet.";
  if (submitted.length < 3) return submitted.map((time) => `Submitted ${moment(time)}.`).concat(finished.map((time) => `Finished ${moment(time)}.`)).join(" ");
  let [from, to] = [Infinity, -Infinity];
  for (const time of submitted) [from, to] = [Math.min(from, time), Math.max(to, time)];
  for (const time of finished) to = Math.max(to, time);
  if (to - from < 10) to = from + 10;
  const [height, left, below, top] = [240, 40, 28, 12];
  const count = Math.min(240, Math.max(40, Math.floor(width / 4)));
  const up = running(submitted, from, to, count);
  const down = running(finished, from, to, count);
  const most = submitted.length;
  const x = (k) => left + (k / count) * (width - left - 14);
  const y = (value) => height - below - (value / most) * (height - below - top);
  const path = (values) => values.map((value, k) => `${k ? "L" : "M"}${x(k).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const back = down.map((value, k) => `L${x(k).toFixed(1)} ${y(value).toFixed(1)}`).reverse().join("");
  const [marks, unit] = ticks(from, to, width < 480 ? 3 : 7);
  const label = unit >= 86400 ? dayOnly : unit < 60 ? timeAndSeconds : timeOnly;
  const at = (time) => left + ((time - from) / (to - from)) * (width - left - 14);
  return draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${plural(submitted.length, "job")} submitted and ${number(finished.length)} finished between ${moment(from)} and ${moment(to)}` },
    steps(most, 4).map((value) => [
      draw("line", { class: "grid-line", x1: left, x2: width - 14, y1: y(value), y2: y(value) }),
      draw("text", { class: "axis", x: left - 8, y: y(value) + 4, "text-anchor": "end" }, number(value)),
    ]),
    marks.map((time) => draw("text", { class: "axis", x: at(time), y: height - 8, "text-anchor": at(time) > width - 40 ? "end" : "middle" }, label.format(new Date(time * 1000)))),
    draw("path", { class: "band", d: `${path(up)}${back}Z` }),
    draw("path", { class: "line submitted", d: path(up) }),
    draw("path", { class: "line finished", d: path(down) }),
  );
}

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

/** How long videos took, model by model: [model, sorted seconds], the most used first. */
function durations(jobs) {
  const models = new Map();
  for (let i = 0; i < jobs.size; i++) {
    const seconds = jobs.seconds(i);
    if (jobs.name("state", i) !== "succeeded" || !(seconds >= 0)) continue;
    const model = jobs.name("model", i);
    if (!models.has(model)) models.set(model, []);
    models.get(model).push(seconds);
  }
  for (const times of models.values()) times.sort((a, b) => a - b);
  return [...models].sort((a, b) => b[1].length - a[1].length);
}

/** A line from the fastest tenth to the slowest tenth, a box over the middle half, a mark at the median. */
function box(times, most) {
  const at = (seconds) => `${(100 * seconds) / most}%`;
  const part = (from, to) => ({ x: at(from), width: at(Math.max(to - from, most / 300)) });
  const [low, first, middle, third, high] = [0.1, 0.25, 0.5, 0.75, 0.9].map((share) => quantile(times, share));
  return draw("svg", { class: "box", width: "100%", height: 22, "aria-hidden": "true" },
    draw("rect", { class: "whisker", y: 10, height: 2, ...part(low, high) }),
    draw("rect", { class: "middle", y: 4, height: 14, rx: 4, ...part(first, third) }),
    draw("rect", { class: "median", y: 1, height: 20, rx: 1.5, x: at(middle), width: 3 }),
  );
}

/** The axis under the boxes: from 0 to `most` seconds. */
function axis(most, width) {
  const marks = ticks(0, most, width < 300 ? 3 : 5)[0].filter((at) => at >= 0);
  const x = (seconds) => `${(100 * seconds) / most}%`;
  return draw("svg", { class: "box-axis", width: "100%", height: 26, role: "img", "aria-label": `Scale from 0 to ${span(most)}` },
    draw("line", { class: "grid-line", x1: 0, x2: "100%", y1: 1, y2: 1 }),
    marks.map((at) => [
      draw("line", { class: "grid-line", x1: x(at), x2: x(at), y1: 1, y2: 6 }),
      draw("text", { class: "axis", x: x(at), y: 20, "text-anchor": at === 0 ? "start" : at > most * 0.92 ? "end" : "middle" }, span(at)),
    ]));
}

/** Amounts side by side on one scale: parts are [label, amount, class]. */
function bar(parts, most, mark) {
  let from = 0;
  const pieces = parts.filter(([, amount]) => amount > 0).map(([label, amount, kind]) => {
    const piece = draw("rect", { class: kind, x: `${(100 * from) / most}%`, width: `${(100 * amount) / most}%`, y: 4, height: 20 },
      draw("title", {}, `${label}: ${number(amount)}`));
    from += amount;
    return piece;
  });
  const cap = mark === null ? null : draw("rect", { class: "cap", x: `${(99.6 * mark) / most}%`, width: 2, y: 0, height: 28 }, draw("title", {}, `Cap: ${number(mark)}`));
  return draw("svg", { class: "amounts", width: "100%", height: 28, "aria-hidden": "true" }, pieces, cap);
}
