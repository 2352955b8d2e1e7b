// The report on the run: credits planned against actual, what went wrong, when, and how long it took.

function runReport(page, root) {
  const { jobs } = page;
  const width = Math.max(280, root.clientWidth - (innerWidth < 700 ? 36 : 52));
  const half = root.clientWidth > 900 ? (root.clientWidth - 18) / 2 - 54 : width;
  const panels = [troublePanel(page), durationPanel(jobs, half), creditsPanel(page), factsPanel(page.meta, jobs)];
  root.replaceChildren(timelinePanel(jobs, width), make("div", { class: "flow" }, panels));
}

function panel(title, lead, ...children) {
  return make("section", { class: "panel" }, make("h2", {}, title), lead ? make("p", { class: "lead" }, lead) : null, ...children);
}

function creditsPanel({ jobs, meta }) {
  const { estimated, charged, refunded, reserved, in_doubt: doubt, cap } = meta.credits;
  const spent = charged - refunded;
  const most = Math.max(estimated, charged + reserved + doubt, cap ?? 0, 1);
  const saved = estimated - spent;
  const unit = meta.unit === "usd" ? "USD" : "credits";
  const against = saved === 0 ? "exactly what was planned" : saved > 0 ? `${number(saved)} less than planned` : `${number(estimated)} planned and ${number(-saved)} for buying again`;
  const lead = refunded ? `${number(charged)} ${unit} charged, ${number(refunded)} refunded: ${against}.` : `${number(charged)} ${unit} charged: ${against}.`;
  const row = (label, amount, parts, mark = null) =>
    make("div", { class: "bar-row" }, make("span", {}, label), bar(parts, most, mark), make("strong", {}, number(amount)));
  const legend = [["charged", "Charged", charged], ["refunded", "Refunded", refunded], ["reserved", "Reserved", reserved], ["doubt", "In doubt", doubt]];
  return panel(meta.unit === "usd" ? "Dollars" : "Credits", lead,
    row("Planned", estimated, [["Planned", estimated, "planned"]]),
    row("Actual", charged + reserved + doubt, [["Charged", spent, "charged"], ["Refunded", refunded, "refunded"], ["Reserved", reserved, "reserved"], ["In doubt", doubt, "doubt"]], cap),
    make("ul", { class: "legend" },
      legend.filter(([, , amount]) => amount).map(([kind, label, amount]) => make("li", { "data-kind": kind }, `${label} ${number(amount)}`)),
      cap === null ? null : make("li", { "data-kind": "cap" }, `Cap ${number(cap)}`)),
    table(["Scene", "Jobs", "Planned", "Charged", "Refunded"], sums(jobs, "scene")),
    table(["Model", "Jobs", "Planned", "Charged", "Refunded"], sums(jobs, "model")),
    jobs.facets.map((names, k) => [meta.other[meta.facets[k]], names]).filter(([name, names]) => names.values.length > 1 && !name.startsWith("options.")).slice(0, 4)
      .map(([name, names]) => table([name, "Jobs", "Planned", "Charged", "Refunded"], sums(jobs, names))),
  );
}

/** [name, jobs, planned, charged, refunded] for each value of a name. */
function sums(jobs, column) {
  const names = typeof column === "string" ? jobs.named.get(column) : column;
  const rows = new Map();
  for (let i = 0; i < jobs.size; i++) {
    const name = names.of(i);
    if (!name) continue;
    if (!rows.has(name)) rows.set(name, [name, 0, 0, 0, 0]);
    const row = rows.get(name);
    row[1]++;
    ["estimated_credits", "charged_credits", "refunded_credits"].forEach((amount, k) => {
      row[k + 2] += jobs.number(amount, i) || 0;
    });
  }
  return [...rows.values()].sort((a, b) => b[1] - a[1]).slice(0, 20);
}

function table(head, rows) {
  const cells = (row, tag) => row.map((value, k) => (k ? make(tag, { class: "figure" }, typeof value === "number" ? number(value) : value) : make("th", { scope: tag === "th" ? "col" : "row" }, value)));
  return make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, cells(head, "th"))), make("tbody", {}, rows.map((row) => make("tr", {}, cells(row, "td"))))));
}

/** Jobs without a video, grouped by what happened, with what to do about it. */
function troublePanel(page) {
  const { jobs } = page;
  const groups = new Map();
  for (let i = 0; i < jobs.size; i++) {
    const [state, code] = [jobs.name("state", i), jobs.name("error_code", i)];
    if (!["bad", "warn"].includes(stateTone(state)) && !code) continue;
    const key = `${state}\n${code}`;
    if (!groups.has(key)) groups.set(key, { state, code, count: 0, first: i });
    groups.get(key).count++;
  }
  const sorted = [...groups.values()].sort((a, b) => b.count - a.count).slice(0, 50);
  const item = ({ state, code, count, first }) => {
    const step = page.advice(code, state);
    const show = () => page.showOnly({ state: [state], ...(code ? { error_code: [code] } : {}) }, "all");
    return make("li", { "data-tone": stateTone(state) },
      make("p", { class: "what" }, make("strong", {}, number(count)), make("span", { class: "badge" }, icon(stateIcon(state)), stateLabel(state)), code ? make("code", {}, code) : null,
        make("button", { type: "button", class: "link", onclick: show, "aria-label": `Show ${plural(count, "job")}: ${stateLabel(state)} ${code}` }, "Show")),
      make("p", { dir: "auto" }, jobs.text(first).error || null),
      step ? make("p", { class: "step" }, withCode(step)) : null);
  };
  if (!sorted.length) return panel("What needs attention", "Nothing: no job failed, and none waits for a decision.");
  return panel("What needs attention", null, make("ul", { class: "trouble" }, sorted.map(item)));
}

function timelinePanel(jobs, width) {
  const chart = timeline(jobs, width);
  if (typeof chart === "string") return panel("Submitted and finished", chart);
  return panel("Submitted and finished", null,
    make("ul", { class: "legend" }, make("li", { "data-kind": "submitted" }, "Submitted"), make("li", { "data-kind": "finished" }, "Finished"), make("li", { "data-kind": "between" }, "Under way between the two")),
    chart);
}

/** Model by model from the fastest to the slowest tenth, on one axis; a model with few videos in a sentence. */
function durationPanel(jobs, width) {
  const models = durations(jobs).slice(0, 20);
  if (!models.length) return null;
  const drawn = models.filter(([, times]) => times.length >= 5);
  const most = Math.max(...drawn.map(([, times]) => quantile(times, 0.9)), 1) * 1.04;
  const row = ([model, times]) => {
    const many = times.length >= 5;
    const words = many ? `half of them within ${span(quantile(times, 0.5))}, nine of ten within ${span(quantile(times, 0.9))}` : `took ${[...new Set(times.map(span))].join(", ")}`;
    return make("div", { class: "how-long" },
      make("p", {}, make("strong", {}, model || "No model"), ` ${plural(times.length, "video")}`),
      many ? box(times, most) : null,
      make("p", { class: "quiet-text" }, words));
  };
  return panel("How long videos took", "From submission to the finished video.", models.map(row), drawn.length ? axis(most, width) : null);
}

function factsPanel(meta, jobs) {
  const list = make("dl", { class: "columns" });
  const add = (name, value) => value && list.append(make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  add("Service", meta.service);
  add("First submission", meta.started_at ? moment(meta.started_at) : "");
  add("Last video", meta.finished_at ? moment(meta.finished_at) : "");
  add("This page written", meta.written_at ? moment(meta.written_at) : "");
  add("Manifests", tally(jobs, jobs.named.get("manifest")).map(([name]) => name).filter(Boolean).slice(0, 20).join(", "));
  add("batchgen", meta.version);
  add("Price table", meta.prices);
  return panel("This run", null, list);
}
