// One job as a card: a film in its own shape with its name under it, or a small tile for what is no film.

/** What a job has to show: files beside the page, or only addresses at the service. */
function videosOf(text) {
  return {
    files: (text.video_paths || []).map(fileLink).filter(Boolean),
    links: (text.video_urls || []).map(webLink).filter(Boolean),
  };
}

/** The words that a film was bought with; a job without any is called by its scene and id. */
function wordsOf(text, scene) {
  const words = scene.replaceAll("-", " ");
  return text.prompt || [words.slice(0, 1).toUpperCase() + words.slice(1), text.job_id].filter(Boolean).join(" ") || "No prompt";
}

/** Fill (or fill again) a card with job i. */
function fillCard(card, i, page) {
  const { jobs } = page;
  const text = jobs.text(i);
  const state = jobs.name("state", i);
  const film = jobs.film(i);
  const { files } = videosOf(text);
  const { title, id } = jobs.nameOf(text);
  const words = text.prompt || (title ? "" : wordsOf(text, jobs.name("scene", i)));
  const called = title || words;
  card.dataset.job = i;
  card.dataset.kind = jobs.kind(i);
  card.classList.toggle("tile", !film);
  card.setAttribute("aria-label", `${film ? "" : `${page.label(state)}: `}${called.slice(0, 160)}`);
  const button = one(".prompt", card);
  button.replaceChildren(
    title ? make("span", { class: "name", dir: "auto" }, title, id ? make("span", { class: "id" }, ` ${id}`) : null) : "",
    words ? make("span", { class: "words", dir: "auto" }, words.slice(0, 400)) : "",
  );
  button.title = "Show everything about it";
  const now = one(".now", card);
  now.hidden = !text.now;
  now.replaceChildren(...(text.now ? ["now reads: ", make("span", { dir: "auto" }, text.now.slice(0, 400))] : []));
  if (film) fillFilm(card, i, text, files, called, page);
  else fillTile(card, i, text, state, page);
}

function fillFilm(card, i, text, files, called, page) {
  const { jobs } = page;
  const badge = one(".badge", card);
  const version = jobs.number("version", i);
  const said = jobs.name("state", i) === "changed" ? "Row changed" : version > 1 ? `Version ${version}` : "";
  badge.replaceChildren(said);
  badge.hidden = !said;
  const seconds = jobs.number("seconds", i);
  one(".length", card).textContent = files.length > 1 ? `${files.length} videos` : Number.isFinite(seconds) ? clock(seconds) : "";
  const play = one(".play", card);
  play.hidden = !files.length;
  play.setAttribute("aria-label", `Play: ${called.slice(0, 80)}`);
  if (!one("video", card)) fillStill(one(".still", card), i, text, page);
  const marks = one(".marks", card);
  if (marks) {
    marks.hidden = !page.markable(i);
    one(".accept", card).setAttribute("aria-label", `Accept: ${called.slice(0, 80)}`);
    one(".reject", card).setAttribute("aria-label", `Redo: ${called.slice(0, 80)}`);
    fillMarks(card, text, page.marks);
  }
}

/** What stands where the film will play: a calm colour, then its poster; a link where it is not beside the page. */
function fillStill(still, i, text, page) {
  const { files, links } = videosOf(text);
  still.style.setProperty("--hue", hue(text.job_id || String(i)));
  if (files.length) {
    if (!one("canvas", still)) still.replaceChildren();
    return;
  }
  const link = links.length ? make("a", { href: links[0], target: "_blank", rel: "noopener noreferrer" }, "Open the video") : null;
  still.replaceChildren(icon("film"), link ?? "");
}

/** A job without a film: its state, its name and why, all of it quiet. */
function fillTile(card, i, text, state, page) {
  const kind = page.jobs.kind(i);
  card.dataset.tone = stateTone(kind === "empty" ? kind : state);
  const why = one(".why", card);
  const label = stateLabel(kind === "empty" ? kind : state);
  why.replaceChildren(icon(stateIcon(state)), make("strong", {}, label));
  const reason = one(".reason", card);
  const code = page.jobs.name("error_code", i);
  reason.textContent = text.error || code.replaceAll("_", " ") || (page.advice(code, state) || "").replace(/`/g, "").split(". ")[0];
}

function fillMarks(root, text, marks) {
  const { mark, note } = marks.of(text);
  for (const [kind, button] of [["accept", one(".accept", root)], ["reject", one(".reject", root)]]) button?.setAttribute("aria-pressed", mark === kind);
  root.dataset.mark = mark;
  const noted = one(".noted", root);
  if (noted) noted.hidden = !note;
}

/** Ask for the still of a card that is in sight. */
function lookAt(card, page) {
  const still = one(".still", card);
  if (still.dataset.asked === card.dataset.job || one("video", card)) return;
  const job = card.dataset.job;
  const [file] = videosOf(page.jobs.text(Number(job))).files;
  if (!file || page.closed || card.classList.contains("tile")) return;
  still.dataset.asked = job;
  page.posters.ask(file, (canvas) => {
    if (card.dataset.job !== job || one("video", card)) return;
    page.found(canvas !== null);
    if (!canvas) {
      still.dataset.asked = "";
      return;
    }
    const picture = copyOf(canvas);
    const shape = (canvas.width / canvas.height) * (still.clientHeight / still.clientWidth);
    const fills = Math.abs(shape - 1) < 0.04; // no hairline at the edges
    picture.classList.toggle("fills", fills);
    still.replaceChildren(...(fills ? [picture] : [copyOf(canvas, 32), picture]));
    const length = one(".length", card);
    if (!length.textContent && Number.isFinite(canvas.seconds)) length.textContent = clock(canvas.seconds);
  });
}

/** One canvas can stand in one place only. A copy of a few pixels is the soft ground behind another shape. */
function copyOf(canvas, width = canvas.width) {
  const height = Math.round((canvas.height * width) / canvas.width);
  const copy = make("canvas", { width, height, class: width < canvas.width ? "ground" : null, "aria-hidden": "true" });
  copy.getContext("2d").drawImage(canvas, 0, 0, width, height);
  return copy;
}

/** A player for a file beside the page; says so when the file is not there. */
function player(file, label, more = {}) {
  const video = make("video", { controls: true, playsinline: true, loop: true, preload: "metadata", "aria-label": label, ...more });
  video.addEventListener("error", () => {
    const name = decodeURIComponent(file);
    video.replaceWith(make("p", { class: "lost", role: "alert" }, icon("film"), `${name} does not lie beside this page, or can't be played.`));
  });
  video.src = file;
  return video;
}

/** Play the film of a card in its place, with sound and controls; a second call stops it. */
function playCard(card, page) {
  const poster = one(".poster", card);
  unglance(card);
  const running = one("video", poster);
  if (running) {
    if (running.paused) running.play();
    else running.pause();
    return;
  }
  const text = page.jobs.text(Number(card.dataset.job));
  const [file] = videosOf(text).files;
  if (!file || page.closed || card.classList.contains("tile")) return;
  for (const other of all(".grid .playing")) stopCard(other, page);
  const video = player(file, text.prompt || text.job_id);
  poster.append(video);
  card.classList.add("playing");
  video.play().catch(() => {}); // the error event has said why
}

function stopCard(card, page) {
  unglance(card);
  const video = one("video", card);
  if (!video) return;
  unload(video);
  card.classList.remove("playing");
  lookAt(card, page);
}

/** Under the mouse a film moves, without a sound. */
function glance(card, page) {
  if (page.closed || one("video", card) || card.classList.contains("tile")) return;
  const [file] = videosOf(page.jobs.text(Number(card.dataset.job))).files;
  if (!file) return;
  const video = make("video", { class: "glance", playsinline: true, loop: true, preload: "auto", "aria-hidden": "true" });
  video.muted = true;
  video.addEventListener("error", () => video.remove());
  video.src = file;
  one(".still", card).after(video);
  video.play().catch(() => {});
}

function unglance(card) {
  const video = one("video.glance", card);
  if (video) unload(video);
}

function unload(video) {
  video.pause();
  video.removeAttribute("src");
  video.load();
  video.remove();
}
