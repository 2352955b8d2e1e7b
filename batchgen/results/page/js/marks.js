// What a person thinks of a film: accept or redo, a note, other words for the prompt. A mark belongs to the task
// that made the film, never to the job alone: a film that is bought again is another film. Kept in this browser,
// downloaded as a CSV that `batchgen review` takes; what was taken already stands in the ledger and comes with the page.

class Marks {
  constructor(key) {
    this.place = `batchgen.review.${key}`;
    this.all = new Map(); // task -> {job, mark, note, prompt}
    this.kept = true;
    try {
      this.all = new Map(JSON.parse(localStorage.getItem(this.place) || "[]"));
    } catch {
      this.kept = false; // storage is switched off here: the marks live until the page is closed
    }
  }

  /** The mark of a film: this browser's, else the ledger's; always {mark, note, prompt}. */
  of(text) {
    const mine = this.all.get(text.task_id);
    return { mark: mine?.mark || text.review || "", note: mine?.note ?? text.review_note ?? "", prompt: mine?.prompt || "" };
  }

  /** Set a mark; the same one again, or "", takes this browser's mark back. */
  toggle(text, mark) {
    const mine = this.all.get(text.task_id);
    this.put(text, { mark: mark === "" || mine?.mark === mark ? "" : mark });
  }

  /** Change something of a film's mark: {mark}, {note} or {prompt}. */
  put(text, change) {
    if (!text.task_id) return;
    const mine = { mark: "", note: undefined, prompt: "", ...this.all.get(text.task_id), ...change, job: text.job_id };
    if (mine.mark || mine.note || mine.prompt) this.all.set(text.task_id, mine);
    else this.all.delete(text.task_id);
    try {
      localStorage.setItem(this.place, JSON.stringify([...this.all]));
    } catch {
      this.kept = false;
    }
  }

  count(mark) {
    let found = 0;
    for (const mine of this.all.values()) if (mine.mark === mark) found++;
    return found;
  }

  /** Notes and new prompts that can't travel, because their film has neither mark. */
  get loose() {
    return this.count("");
  }

  /** As results.csv is written: byte-order mark, CR LF, an apostrophe before what a spreadsheet would run. */
  csv() {
    const guard = (text) => {
      const behind = text.replace(/^'+/, "");
      const plain = /^[+-]([0-9]+([.,][0-9]+)*|[.,][0-9]+)([eE][+-]?[0-9]+)?%?$/.test(text);
      return /^[=+\-@\t\r]/.test(behind) && !plain ? `'${text}` : text;
    };
    const quote = (text) => (/[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const marked = [...this.all].filter(([, mine]) => mine.mark);
    const names = marked.some(([, mine]) => mine.prompt) ? ["job_id", "task_id", "mark", "note", "prompt"] : ["job_id", "task_id", "mark", "note"];
    const lines = marked.map(([task, mine]) => {
      const cells = { job_id: mine.job, task_id: task, mark: mine.mark, note: mine.note ?? "", prompt: mine.prompt };
      return names.map((name) => quote(guard(cells[name]))).join(",");
    });
    return `\ufeff${[names.join(","), ...lines].join("\r\n")}\r\n`;
  }

  save(name) {
    const url = URL.createObjectURL(new Blob([this.csv()], { type: "text/csv;charset=utf-8" }));
    make("a", { href: url, download: `${name}.marks.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}
