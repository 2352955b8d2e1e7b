// A page that is served while a run goes on: asks what changed until the run has ended.

async function listen(page) {
  let since = page.meta.live;
  let failures = 0;
  let wait = 1;
  const notice = one("#notice");
  for (;;) {
    let more = false;
    try {
      const answer = await fetch(`data?since=${since}&facets=${page.meta.facets}`, { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const news = await answer.json();
      failures = 0;
      notice.hidden = true;
      since = news.seq;
      more = news.more;
      wait = news.wait;
      Object.assign(page.meta, news.meta);
      await heard(page, news);
      if (news.ended && !more) return finished(page);
    } catch {
      failures++;
    }
    if (failures >= 3) {
      notice.hidden = false;
      notice.textContent = "The run that this page watches does not answer. report.html has every video that is finished.";
      if (failures >= 12) return;
    }
    if (!more) await new Promise((done) => setTimeout(done, Math.min(30, wait + failures * 2) * 1000));
  }
}

async function heard(page, news) {
  page.head();
  if (!news.at.length) return;
  page.jobs.change(news);
  page.chips();
  page.facets();
  await page.select(true);
  page.gallery.refresh(new Set(news.at));
  page.details.refresh(new Set(news.at));
  if (!one("#run").hidden) runReport(page, one("#run"));
}

/** The run is over and its server goes away: say how it ended, and where the marks go from here. */
function finished(page) {
  const { marks, meta } = page;
  const states = new Map(meta.states);
  const total = meta.states.reduce((sum, [, count]) => sum + count, 0);
  const notice = one("#notice");
  const waits = ["running", "queued", "submitted", "submitting", "overdue"].some((state) => states.get(state));
  const words = `${waits ? "The run has ended" : "Finished"}: ${number(states.get("succeeded") || 0)} of ${plural(total, "video")}. Open report.html to see them again.`;
  const marked = marks.count("accept") + marks.count("reject");
  notice.replaceChildren(words, ...(marked ? [" Your marks are in this browser's copy only: ", make("button", { type: "button", class: "link", onclick: () => marks.save(meta.out) }, "download them")] : []));
  notice.dataset.tone = "good";
  notice.hidden = false;
  setTimeout(() => {
    page.closed = true; // nobody serves the films any more
    document.documentElement.dataset.ended = "yes";
  }, 700);
}
