// The report on the run: credits planned against actual, what went wrong, when, and how long it took.

function runReport(page, root) {
  const { jobs } = page;
  const width = Math.max(280, root.clientWidth - (innerWidth < 700 ? 36 : 52));
  const panels = [troublePanel(page), durationPanel(jobs), creditsPanel(page), factsPanel(page.meta, jobs)];
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
  const against = saved === 0 ? "exactly what was planned" : `${plural(Math.abs(saved), "credit")} ${saved > 0 ? "less" : "more"} than planned`;
  const lead = refunded ? `${number(charged)} charged, ${number(refunded)} refunded: ${against}.` : `${plural(charged, "credit")} charged: ${against}.`;
  const row = (label, amount, parts, mark = null) =>
    make("div", { class: "bar-row" }, make("span", {}, label), bar(parts, most, mark), make("strong", {}, number(amount)));
  const legend = [["charged", "Charged", charged], ["refunded", "Refunded", refunded], ["reserved", "Reserved", reserved], ["doubt", "In doubt", doubt]];
  return panel("Credits", lead,
    row("Planned", estimated, [["Planned", estimated, "planned"]]),
    row("Actual", charged + reserved + doubt, [["Charged", spent, "charged"], ["Refunded", refunded, "refunded"], ["Reserved", reserved, "reserved"], ["In doubt", doubt, "doubt"]], cap),
    make("ul", { class: "legend" },
      legend.filter(([, , amount]) => amount).map(([kind, label, amount]) => make("li", { "data-kind": kind }, `${label} ${number(amount)}`)),
      cap === null ? null : make("li", { "data-kind": "cap" }, `Cap ${number(cap)}`)),
    table(["Scene", "Jobs", "Planned", "Charged", "Refunded"], sums(jobs, "scene")),
    table(["Model", "Jobs", "Planned", "Charged", "Refunded"], sums(jobs, "model")),
  );
}

/** [name, jobs, planned, charged, refunded] for each value of a name. */
function sums(jobs, column) {
  const rows = new Map();
  for (let i = 0; i < jobs.size; i++) {
    const name = jobs.name(column, i);
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
    const show = () => page.showOnly({ state: [state], ...(code ? { error_code: [code] } : {}) });
    return make("li", { "data-tone": stateTone(state) },
      make("p", { class: "what" }, make("strong", {}, number(count)), make("span", { class: "badge" }, icon(stateIcon(state)), stateLabel(state)), code ? make("code", {}, code) : null,
        make("button", { type: "button", class: "link", onclick: show, "aria-label": `Show ${plural(count, "job")}: ${stateLabel(state)} ${code}` }, "Show")),
      make("p", {}, jobs.text(first).error || null),
      step ? make("p", { class: "step" }, withCode(step)) : null);
  };
  if (!sorted.length) return panel("What needs attention", "Nothing: no job failed, and none waits for a decision.");
  return panel("What needs attention", null, make("ul", { class: "trouble" }, sorted.map(item)));
}

function timelinePanel(jobs, width) {
  const chart = timeline(jobs, width);
  if (!chart) return panel("Submitted and finished", "Nothing has been submitted yet.");
  return panel("Submitted and finished", null,
    make("ul", { class: "legend" }, make("li", { "data-kind": "submitted" }, "Submitted"), make("li", { "data-kind": "finished" }, "Finished"), make("li", { "data-kind": "between" }, "Under way between the two")),
    chart);
}

function durationPanel(jobs) {
  const models = durations(jobs);
  if (!models.length) return null;
  const most = Math.max(...models.map(([, times]) => quantile(times, 0.9))) * 1.04 || 1;
  const row = ([model, times]) =>
    make("div", { class: "how-long" },
      make("p", {}, make("strong", {}, model || "No model"), ` ${plural(times.length, "video")}`),
      box(times, most),
      make("p", { class: "quiet-text" }, `median ${span(quantile(times, 0.5))}, nine of ten within ${span(quantile(times, 0.9))}`));
  return panel("How long videos took", "From submission to the finished video.", models.slice(0, 20).map(row));
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
