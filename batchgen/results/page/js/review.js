// What the owner of a batch sees beside a film: what to do, marks with a note and new words, every column.

function aboutJob(page, i, text, files, links) {
  const state = page.jobs.name("state", i);
  return [adviceOf(page, i, text, state), reviewOf(page, i, text), tableOf(page, i, text, files, links)].filter(Boolean);
}

function adviceOf(page, i, text, state) {
  const step = page.advice(page.jobs.name("error_code", i), state);
  if (!text.error && !step) return null;
  return make("div", { class: "advice" },
    text.error ? make("p", { class: "error", dir: "auto" }, text.error) : null,
    step ? make("p", {}, withCode(step)) : null,
  );
}

/** Accept or redo; a note, with the moment that the film shows; other words for the next try. */
function reviewOf(page, i, text) {
  if (!page.markable(i)) return null;
  const { marks } = page;
  const known = marks.of(text);
  const button = (kind, label, name) => make("button", { type: "button", class: `mark ${kind}`, onclick: () => page.mark(i, kind) }, icon(name), label);
  const hint = make("p", { class: "quiet-text", role: "status" });
  const tell = () => {
    const { mark, note, prompt } = marks.of(text);
    fillMarks(panel, text, marks);
    hint.textContent = !mark && (note || prompt) ? "Choose Accept or Redo, so that this goes into the marks file." : "";
  };
  const kept = (change) => {
    marks.put(text, change);
    page.marked(i);
  };
  const note = make("textarea", { rows: 2, dir: "auto", placeholder: "What should be different?" });
  note.value = known.note;
  note.addEventListener("input", () => kept({ note: note.value }));
  const time = make("button", { type: "button", class: "quiet", onclick: () => {
    const seconds = all("#stage video").at(-1)?.currentTime ?? 0;
    note.value = `${note.value}${note.value && !/\s$/.test(note.value) ? " " : ""}[${clock(seconds)}] `;
    note.focus();
    kept({ note: note.value });
  } }, icon("wait"), "Add the time shown");
  const prompt = make("textarea", { rows: 4, dir: "auto", "aria-label": "New prompt" });
  prompt.value = known.prompt || text.prompt;
  prompt.addEventListener("input", () => kept({ prompt: prompt.value.trim() === text.prompt.trim() ? "" : prompt.value }));
  const reword = make("details", { open: Boolean(known.prompt) }, make("summary", {}, "New words for a redo"), prompt);
  const panel = make("div", { class: "review" },
    make("div", { class: "marks" }, button("accept", "Accept", "check"), button("reject", "Redo", "again")),
    make("label", { class: "field" }, make("span", {}, "Note"), note), time, reword, hint);
  panel.addEventListener("marked", tell);
  tell();
  return panel;
}

/** Every column of the job's line in results.csv that is not blank; what a person named comes first. */
function tableOf(page, i, text, files, links) {
  const { jobs, meta } = page;
  const list = page.details.own({ ...text, review_note: "" });
  const add = (name, value) => {
    if (value === "" || value === null || value === undefined) return;
    list.append(make("div", {}, make("dt", {}, name), make("dd", { dir: "auto" }, value)));
  };
  const amount = (name) => (Number.isFinite(jobs.number(name, i)) ? number(jobs.number(name, i)) : "");
  const when = (name) => {
    const seconds = jobs.number(name, i);
    return Number.isFinite(seconds) ? make("time", { datetime: exact(seconds), title: exact(seconds) }, moment(seconds)) : "";
  };
  files.forEach((file, k) => add(k ? "" : "File", [make("a", { href: file, target: "_blank" }, text.video_paths[k]), make("a", { class: "get", href: file, download: "", "aria-label": `Download ${text.video_paths[k]}` }, icon("down"))]));
  add("Picture", [text.picture, Number.isFinite(jobs.number("seconds", i)) ? `${Math.round(jobs.number("seconds", i) * 10) / 10} s` : ""].filter(Boolean).join(", "));
  add("Job", text.job_id);
  add("Model", jobs.name("model", i));
  add("Provider", jobs.name("provider", i));
  add("Scene", jobs.name("scene", i));
  const amounts = meta.unit === "usd" ? "USD" : "Credits";
  add(`${amounts} estimated`, amount("estimated_credits"));
  add(`${amounts} charged`, amount("charged_credits"));
  add(`${amounts} refunded`, amount("refunded_credits"));
  add("Attempts", amount("attempts"));
  add("Submitted", when("submitted_at"));
  add("Finished", when("finished_at"));
  add("Time to make", jobs.seconds(i) >= 0 ? span(jobs.seconds(i)) : "");
  add("Error", jobs.name("error_code", i));
  const row = amount("row");
  add("Manifest", jobs.name("manifest", i) + (row ? `, row ${row}` : ""));
  add("Task", text.task_id);
  links.forEach((link, k) => add(k ? "" : "At the service", make("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, link)));
  add("Kept there until", when("expires_at"));
  return list;
}
